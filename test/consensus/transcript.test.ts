/**
 * Transcripts: one acceptor's answers to a script of messages, compared with what is written below
 * each command. `GOLDEN=write` rewrites them; a change shows in review as a changed conversation.
 */
import { equal } from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { formatLsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { term, type TermHistory } from '../../src/consensus/term.ts';
import { ModelAcceptor, type Answer, type Request } from './world.ts';

const directory = new URL('../golden/consensus/', import.meta.url);

for (const name of readdirSync(directory)) {
  test(`transcript: ${name}`, () => {
    const path = new URL(name, directory);
    const expected = readFileSync(path, 'utf8');

    const actual = play(expected);

    if (process.env['GOLDEN'] === 'write') writeFileSync(path, actual);
    equal(actual, readFileSync(path, 'utf8'));
  });
}

/** The script again, with what the acceptor does below each command. */
function play(script: string): string {
  const acceptor = new ModelAcceptor('a');
  const said: string[] = [];
  const blocks = script.trimEnd().split('\n\n');
  const played = blocks.map((block) => {
    const command = block.split('\n----')[0]!;
    said.length = 0;
    run(acceptor, command.split('\n').at(-1)!, (line) => said.push(line));
    return [command, '----', ...said].join('\n');
  });
  return `${played.join('\n\n')}\n`;
}

type Say = (line: string) => void;
type Values = ReadonlyMap<string, string>;

function run(acceptor: ModelAcceptor, command: string, say: Say): void {
  const [verb, ...pairs] = command.split(' ');
  const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
  if (verb === 'sync') acceptor.sync();
  else if (verb === 'crash') {
    acceptor.crash(Number(values.get('extra')));
    say(standing(acceptor));
  } else
    try {
      acceptor.handle(request(verb!, values), (answer) => {
        say(spell(answer));
      });
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      say(`refused: ${failure.message}`);
    }
}

function request(verb: string, values: Values): Request {
  const generation = Number(values.get('generation') ?? 1);
  const number = term(Number(values.get('term') ?? 0));
  switch (verb) {
    case 'greet':
      return { kind: 'greet', configuration: { generation, members: ['a'], newMembers: null } };
    case 'vote':
      return { kind: 'vote', generation, term: number };
    case 'install': {
      const history = readHistory(values.get('history')!);
      return { kind: 'install', generation, term: number, history, start: at(values, 'start') };
    }
    case 'append':
      return {
        kind: 'append',
        generation,
        term: number,
        begin: at(values, 'begin'),
        bytes: new Uint8Array(Number(values.get('bytes') ?? 0)),
        commitLsn: at(values, 'commit'),
        truncateLsn: at(values, 'truncate'),
      };
    default:
      throw new Error(`unknown command ${verb}`);
  }
}

function at(values: Values, name: string): Lsn {
  return parseLsn(values.get(name) ?? '0/0');
}

/** `0@0/400,3@0/480`: term and start of each entry. */
function readHistory(text: string): TermHistory {
  return text.split(',').map((entry) => {
    const [number, start] = entry.split('@');
    return { term: term(Number(number)), start: parseLsn(start!) };
  });
}

function spell(answer: Answer): string {
  if (answer instanceof Uint8Array) return `bytes=${answer.length}`;
  if (!('flushLsn' in answer))
    return `greeted: generation=${answer.generation} term=${answer.term}`;
  const logs = `flush=${formatLsn(answer.flushLsn)} commit=${formatLsn(answer.commitLsn)}`;
  if (!('voteGiven' in answer)) return `term=${answer.term} ${logs}`;
  const entries = answer.history.map((entry) => `${entry.term}@${formatLsn(entry.start)}`);
  const given = answer.voteGiven ? 'vote given' : 'vote not given';
  return `${given}: term=${answer.term} ${logs} history=${entries.join(',')}`;
}

function standing({ state }: ModelAcceptor): string {
  const logs = `flush=${formatLsn(state.flushLsn)} commit=${formatLsn(state.commitLsn)}`;
  return `stands: term=${state.term} ${logs}`;
}
