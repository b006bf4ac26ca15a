/**
 * Values of a script's command, `name=value` each, and how they are spelled back.
 */
import { formatLsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { type Configuration } from '../../src/consensus/membership.ts';
import { term, type Term, type TermHistory } from '../../src/consensus/term.ts';

export class Values {
  readonly #values: ReadonlyMap<string, string>;

  constructor(pairs: readonly string[]) {
    this.#values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
  }

  text(name: string, otherwise = ''): string {
    return this.#values.get(name) ?? otherwise;
  }

  number(name: string, otherwise = 0): number {
    return Number(this.#values.get(name) ?? otherwise);
  }

  term(name = 'term', otherwise = 0): Term {
    return term(this.number(name, otherwise));
  }

  lsn(name: string, otherwise = '0/0'): Lsn {
    return parseLsn(this.text(name, otherwise));
  }

  list(name: string, otherwise = ''): readonly string[] {
    return this.text(name, otherwise)
      .split(',')
      .filter((each) => each !== '');
  }

  /** `0@0/400,3@0/480`: term and start of each entry. */
  history(name: string, otherwise = '0@0/400'): TermHistory {
    return this.list(name, otherwise).map((entry) => {
      const [number, start] = entry.split('@');
      return { term: term(Number(number)), start: parseLsn(start!) };
    });
  }

  /** `generation=2 members=a,b new=a,c`. */
  configuration(members = 'a', generation = 1): Configuration {
    const newMembers = this.list('new');
    return {
      generation: this.number('generation', generation),
      members: this.list('members', members),
      newMembers: newMembers.length === 0 ? null : newMembers,
    };
  }
}

export function spelledHistory(history: TermHistory): string {
  return history.map((entry) => `${entry.term}@${formatLsn(entry.start)}`).join();
}

export function spelledConfiguration({ generation, members, newMembers }: Configuration): string {
  const joint = newMembers === null ? '' : ` new=${newMembers.join()}`;
  return `generation=${generation} members=${members.join()}${joint}`;
}
