/**
 * ProposerScript: a conversation with a proposer: answers in, messages out.
 */
import { formatLsn, lsn, lsnZero } from '../../src/base/lsn.ts';
import { type Configuration } from '../../src/consensus/membership.ts';
import {
  type ProposerDecision,
  type ProposerEffect,
  type ProposerState,
} from '../../src/consensus/proposer-state.ts';
import {
  campaign,
  stepAppended,
  stepGreeted,
  stepInstalled,
  stepLost,
  stepReceived,
  stepReconfigure,
  stepReconnect,
  stepRelayed,
  stepRelayFailed,
  stepVoted,
} from '../../src/consensus/proposer.ts';
import { spelledConfiguration, type Values } from './script-values.ts';

export class ProposerScript {
  #state: ProposerState | null = null;

  run(verb: string, values: Values): readonly string[] {
    if (verb === 'relayed') return this.#relayed(values);
    const { state, effects } = this.#step(verb, values);
    this.#state = state;
    return [...effects.map(spelledEffect), spelledState(state)];
  }

  #step(verb: string, values: Values): ProposerDecision {
    if (verb === 'campaign') return campaign(values.configuration('a,b,c'), 0);
    const state = this.#state!;
    const acceptor = values.text('from');
    const contact = this.#contact(values);
    const generation = state.configuration.generation;
    const term = values.term('term', state.term);
    const position = { flushLsn: values.lsn('flush'), commitLsn: values.lsn('commit') };
    switch (verb) {
      case 'greeted': {
        const configuration = this.#known(state, values);
        return stepGreeted(state, contact, { acceptor, configuration, term });
      }
      case 'voted': {
        const told = { lastRecordStart: lsnZero, truncateLsn: lsnZero };
        const log = { history: values.history('history'), firstLsn: values.lsn('first', '0/400') };
        const voteGiven = values.text('given', 'yes') === 'yes';
        const vote = { acceptor, generation, term, voteGiven, ...position, ...told, ...log };
        return stepVoted(state, contact, vote);
      }
      case 'installed':
        return stepInstalled(state, contact, { acceptor, generation, term, ...position });
      case 'appended': {
        const result = { acceptor, generation, term, ...position };
        return stepAppended(state, { contact, result, end: values.lsn('end') });
      }
      case 'received':
        return stepReceived(state, values.lsn('end'));
      case 'lost':
        return stepLost(state, acceptor, contact);
      case 'reconnect':
        return stepReconnect(state, acceptor, contact);
      case 'reconfigure':
        return stepReconfigure(state, values.configuration());
      case 'relay-failed':
        return stepRelayFailed(state, this.#relay(values));
      default:
        throw new Error(`unknown command ${verb}`);
    }
  }

  /** What a greeted acceptor follows: the greeting's configuration, unless the script says otherwise. */
  #known(state: ProposerState, values: Values): Configuration {
    return values.number('generation') === 0 ? state.configuration : values.configuration();
  }

  #relayed(values: Values): readonly string[] {
    const relay = this.#relay(values);
    const next = stepRelayed(this.#state!, relay, values.lsn('end'));
    if (next === null) return ['not waited for'];
    this.#state = next;
    return [`append to=${relay.to} contact=${relay.contact}`, spelledState(next)];
  }

  #relay(values: Values): Parameters<typeof stepRelayed>[1] {
    const [from, to] = [values.text('from'), values.text('to')];
    const fromContact = this.#presentContact(from);
    const begin = values.lsn('begin');
    return { begin, from, fromContact, to, contact: this.#presentContact(to) };
  }

  #contact(values: Values): number {
    return values.number('contact', this.#presentContact(values.text('from')));
  }

  #presentContact(id: string): number {
    return this.#state!.members.find((each) => each.id === id)?.contact ?? 0;
  }
}

function spelledEffect(effect: ProposerEffect): string {
  if (!('to' in effect)) {
    return effect.kind === 'fenced' ? `fenced by term=${effect.term}` : effect.kind;
  }
  const { kind, to, contact } = effect;
  const whom = `${kind} to=${to} contact=${contact}`;
  switch (effect.kind) {
    case 'greet':
    case 'requestVote':
      return whom;
    case 'install':
      return `${whom} start=${formatLsn(effect.start)}`;
    case 'append':
      return `${whom} begin=${formatLsn(effect.begin)} bytes=${effect.end - effect.begin}`;
    case 'relay':
      return `${whom} from=${effect.from} begin=${formatLsn(effect.begin)}`;
  }
}

function spelledState(state: ProposerState): string {
  const { configuration, phase, term, commitLsn, endLsn } = state;
  const log = `commit=${formatLsn(commitLsn)} end=${formatLsn(lsn(endLsn))}`;
  const members = state.members.map(({ id, phase: is }) => `${id}:${is}`).join(' ');
  return `(${phase} term=${term} ${log} ${spelledConfiguration(configuration)} ${members})`;
}
