/**
 * Ledger: what was ever promised in a world, and the global truths that must hold of it:
 *  - what any proposer called committed keeps its content, and whoever leads later has it;
 *  - a term has one leader, and one content;
 *  - a generation stands for one configuration;
 *  - a log holds what its terms wrote; no acceptor takes for committed what is not.
 */
import { strict as assert } from 'node:assert';
import { type AcceptorState } from '../../src/consensus/acceptor.ts';
import { hasQuorum, type AcceptorId, type Configuration } from '../../src/consensus/membership.ts';
import { type ProposerState } from '../../src/consensus/proposer-state.ts';
import { cutHistory, type Term } from '../../src/consensus/term.ts';
import { start, type ModelAcceptor } from './model-acceptor.ts';

interface Reign {
  readonly leader: string;
  readonly startLength: number;
  /** All of its log, from the timeline's start on. */
  log: Buffer;
}

/** Whether an acceptor has so much of a log on its disk. */
function has({ firstLsn, bytes, state }: ModelAcceptor, log: Buffer, length: number): boolean {
  const begin = firstLsn - start;
  const own = bytes.subarray(begin, length);
  return state.flushLsn - start >= length && log.subarray(begin, length).equals(own);
}

export class Ledger {
  /** Everything ever called committed, from `start` on. */
  committed: Buffer = Buffer.alloc(0);
  readonly #reigns = new Map<Term, Reign>();
  /** How far each term has committed. */
  readonly #commits = new Map<Term, number>();
  readonly #configurations = new Map<number, string>();

  get terms(): number {
    return this.#reigns.size;
  }
  get generations(): number {
    return this.#configurations.size;
  }

  /** Somebody follows this configuration. */
  follows({ generation, members, newMembers }: Configuration): void {
    const spelled = JSON.stringify([members, newMembers]);
    const known = this.#configurations.get(generation) ?? spelled;
    assert.equal(known, spelled, `generation ${generation} stands for one configuration`);
    this.#configurations.set(generation, spelled);
  }

  /** `leader` has won its term. Its log is what the terms of its history wrote. */
  elected(leader: string, { term, termStart, history }: ProposerState): void {
    const known = this.#reigns.get(term);
    assert.equal(known?.leader ?? leader, leader, `term ${term} has one leader`);
    if (known !== undefined) return;
    const parts = history.slice(0, -1).map((entry, index) => {
      const [begin, end] = [entry.start - start, history[index + 1]!.start - start];
      const part = this.#reigns.get(entry.term)?.log.subarray(begin, end) ?? Buffer.alloc(0);
      assert.equal(
        part.length,
        end - begin,
        `term ${entry.term} wrote what term ${term} has of it`,
      );
      return part;
    });
    const log = Buffer.concat(parts);
    const startLength = termStart - start;
    assert.equal(log.length, startLength, 'a reign begins where its history ends');
    for (const [earlier, length] of this.#commits) {
      if (earlier > term) continue;
      assert.ok(startLength >= length, `the leader of term ${term} has all that was committed`);
      this.#same(log, this.committed, length, `the leader of term ${term} has what was committed`);
    }
    this.#reigns.set(term, { leader, startLength, log });
  }

  /** The leader of the term writes behind its log. */
  wrote(term: Term, begin: number, bytes: Uint8Array): void {
    const reign = this.#reigns.get(term)!;
    assert.equal(begin - start, reign.log.length, 'a term writes every position once');
    reign.log = Buffer.concat([reign.log, bytes]);
  }

  /** Somebody calls everything up to `commitLsn` committed. `members`: all there ever were. */
  commits(state: ProposerState, members: ReadonlyMap<AcceptorId, ModelAcceptor>): void {
    const { term, commitLsn, configuration } = state;
    const length = commitLsn - start;
    const { log } = this.#reigns.get(term)!;
    const holds = hasQuorum(configuration, (id) => has(members.get(id)!, log, length));
    assert.ok(holds, 'a majority has what is committed');
    this.#same(log, this.committed, Math.min(length, this.committed.length), 'it never changes');
    if (length > this.committed.length) this.committed = Buffer.from(log.subarray(0, length));
    this.#commits.set(term, Math.max(length, this.#commits.get(term) ?? 0));
    for (const [later, reign] of this.#reigns) {
      if (later <= term) continue;
      const whole = reign.startLength >= length;
      assert.ok(whole, `the leader of term ${later} has what term ${term} commits`);
      this.#same(reign.log, log, length, `term ${later} goes on behind term ${term}`);
    }
  }

  /** What an acceptor stands for, at any moment. */
  stands({ state, bytes, firstLsn }: ModelAcceptor): void {
    const { acceptor, commitLsn, configuration, history, flushLsn } = state;
    this.follows(configuration);
    const committed = commitLsn - start;
    assert.ok(
      committed <= this.committed.length,
      `${acceptor} takes nothing for committed that is not`,
    );
    const reached = cutHistory(history, flushLsn);
    reached.forEach((entry, index) => {
      const end = (reached[index + 1]?.start ?? flushLsn) - start;
      const begin = Math.max(entry.start, firstLsn) - start;
      const reign = this.#reigns.get(entry.term);
      if (begin >= end) return;
      const wrote = reign?.log.subarray(begin, end);
      const same = wrote?.equals(bytes.subarray(begin, end)) ?? false;
      assert.ok(same, `${acceptor} holds what term ${entry.term} wrote`);
    });
  }

  /** An acceptor's promises only grow. */
  grows(before: AcceptorState, after: AcceptorState): void {
    assert.ok(after.term >= before.term, 'terms never go back');
    const generations = after.configuration.generation >= before.configuration.generation;
    assert.ok(generations, 'generations never go back');
  }

  #same(a: Buffer, b: Buffer, length: number, claim: string): void {
    assert.ok(a.subarray(0, length).equals(b.subarray(0, length)), claim);
  }
}
