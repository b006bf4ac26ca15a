/**
 * ChangeScript: a conversation with whoever drives a change of members: events in, effects out.
 */
import {
  type ChangeDecision,
  type ChangeEffect,
  type ChangeEvent,
  type Membership,
} from '../../src/consensus/change-state.ts';
import { beginChange, resumeChange, stepChange } from '../../src/consensus/change.ts';
import { spelledConfiguration, type Values } from './script-values.ts';

const birth: Membership = {
  configuration: { generation: 1, members: ['a', 'b', 'c'], newMembers: null },
  leaving: [],
};

export class ChangeScript {
  #document = birth;
  #decision: ChangeDecision | null = null;
  /** What the swap under way would have the document say. */
  #swapping: Membership | null = null;

  run(verb: string, values: Values): readonly string[] {
    const patience = values.number('patience', 5);
    switch (verb) {
      case 'document':
        this.#document = {
          configuration: values.configuration('a,b,c'),
          leaving: values.list('leaving'),
        };
        return [spelledMembership(this.#document)];
      case 'begin': {
        const plan = { remove: values.list('remove'), addOn: values.list('add') };
        return this.#spell(beginChange(this.#document, plan, patience));
      }
      case 'resume':
        return this.#spell(resumeChange(this.#document, patience));
      default:
        return this.#spell(stepChange(this.#decision!.state, this.#event(verb, values)));
    }
  }

  #event(verb: string, values: Values): ChangeEvent {
    const id = values.text('id');
    switch (verb) {
      case 'swapped': {
        const to = this.#swapping!;
        if (values.text('another') === '') this.#document = to;
        return { kind: 'swapped', to: values.text('another') === '' ? to : birth };
      }
      case 'configured': {
        const { generation } = this.#document.configuration;
        const flushLsn = values.lsn('flush', '0/400');
        const result = {
          acceptor: id,
          generation: values.number('generation', generation),
          term: values.term('term', 1),
          lastLogTerm: values.term('log-term', 1),
          flushLsn,
          commitLsn: flushLsn,
          firstLsn: values.lsn('first', '0/400'),
        };
        return { kind: 'configured', result };
      }
      default:
        return { kind: verb, id } as ChangeEvent;
    }
  }

  #spell(decision: ChangeDecision): readonly string[] {
    this.#decision = decision;
    for (const effect of decision.effects) if (effect.kind === 'swap') this.#swapping = effect.to;
    const { phase } = decision.state;
    return [...decision.effects.map(spelledEffect), `(${phase})`];
  }
}

function spelledEffect(effect: ChangeEffect): string {
  switch (effect.kind) {
    case 'makeMember':
      return `make ${effect.id} as ${effect.from} tells`;
    case 'swap':
      return `swap: ${spelledMembership(effect.to)}`;
    case 'configure': {
      const { to, configuration, term } = effect;
      return `configure ${to}: generation=${configuration.generation} term=${term}`;
    }
    case 'carry':
    case 'elect':
      return `${effect.kind}: generation=${effect.configuration.generation}`;
    case 'leave':
      return `leave ${effect.id}: generation=${effect.configuration.generation}`;
    case 'ended':
      return `ended: ${effect.outcome}`;
    case 'release':
    case 'wait':
      return effect.kind;
  }
}

function spelledMembership({ configuration, leaving }: Membership): string {
  const gone = leaving.length === 0 ? '' : ` leaving=${leaving.join()}`;
  return `${spelledConfiguration(configuration)}${gone}`;
}
