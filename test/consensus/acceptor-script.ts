/**
 * AcceptorScript: a conversation with the acceptor `a`, or with one that joins.
 */
import { formatLsn } from '../../src/base/lsn.ts';
import { birth, identity, ModelAcceptor, type Answer, type Request } from './model-acceptor.ts';
import { spelledConfiguration, spelledHistory, type Values } from './script-values.ts';

export class AcceptorScript {
  #acceptor = new ModelAcceptor('a');
  #said: string[] = [];

  run(verb: string, values: Values): readonly string[] {
    this.#said = [];
    const acceptor = this.#acceptor;
    if (verb === 'sync') acceptor.sync();
    else if (verb === 'crash') {
      acceptor.crash(values.number('extra'));
      this.#said.push(standing(acceptor));
    } else if (verb === 'join') {
      const log = { beginLsn: values.lsn('begin'), history: values.history('history') };
      this.#acceptor = new ModelAcceptor(values.text('acceptor'), { ...birth, ...log });
      this.#said.push(standing(this.#acceptor));
    } else
      acceptor.handle(request(verb, values), (answer) => {
        this.#said.push(spell(answer));
      });
    return this.#said;
  }
}

function request(verb: string, values: Values): Request {
  const generation = values.number('generation', 1);
  const term = values.term();
  const to = values.text('to', 'a');
  switch (verb) {
    case 'greet': {
      const asked = { ...identity, timeline: values.text('timeline', 't') };
      const startLsn = values.lsn('start', '0/400');
      const configuration = values.configuration();
      return { kind: 'greet', to, identity: { ...asked, startLsn }, configuration };
    }
    case 'vote':
      return { kind: 'vote', generation, term };
    case 'install': {
      const history = values.history('history');
      return { kind: 'install', generation, term, history, start: values.lsn('start') };
    }
    case 'append': {
      const position = {
        begin: values.lsn('begin'),
        bytes: new Uint8Array(values.number('bytes')),
      };
      const known = { commitLsn: values.lsn('commit'), truncateLsn: values.lsn('truncate') };
      return { kind: 'append', generation, term, ...position, ...known };
    }
    case 'configure':
      return { kind: 'configure', to, configuration: values.configuration(), term };
    case 'leave':
      return { kind: 'leave', to, configuration: values.configuration() };
    default:
      throw new Error(`unknown command ${verb}`);
  }
}

function spell(answer: Answer): string {
  if (answer === null) return 'left';
  if (answer instanceof Uint8Array) return `bytes=${answer.length}`;
  if ('beginLsn' in answer) return `begins=${formatLsn(answer.beginLsn)}`;
  if (!('flushLsn' in answer))
    return `greeted: ${spelledConfiguration(answer.configuration)} term=${answer.term}`;
  const logs = `flush=${formatLsn(answer.flushLsn)} commit=${formatLsn(answer.commitLsn)}`;
  if ('lastLogTerm' in answer) {
    const { generation, term, lastLogTerm } = answer;
    return `configured: generation=${generation} term=${term} log-term=${lastLogTerm} ${logs}`;
  }
  if (!('voteGiven' in answer)) return `term=${answer.term} ${logs}`;
  const given = answer.voteGiven ? 'vote given' : 'vote not given';
  return `${given}: term=${answer.term} ${logs} history=${spelledHistory(answer.history)}`;
}

function standing({ state }: ModelAcceptor): string {
  const { configuration, term, flushLsn, commitLsn } = state;
  const logs = `flush=${formatLsn(flushLsn)} commit=${formatLsn(commitLsn)}`;
  return `stands: generation=${configuration.generation} term=${term} ${logs}`;
}
