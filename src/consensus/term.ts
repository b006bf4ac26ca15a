/**
 * Term: the number of one proposer's reign, and the history that says which term wrote which bytes.
 *
 * WAL carries no term, so every acceptor keeps a history: ordered entries `(term, start)`, meaning
 * "from `start` on, the log was written by the proposer of `term`". An entry counts for a log only
 * once the log has reached its start.
 */
import { assert } from '../base/assert.ts';
import { maxLsn, minLsn, type Lsn } from '../base/lsn.ts';

declare const brand: unique symbol;
/** 0 is the term of a timeline's birth: nobody was elected yet. */
export type Term = number & { readonly [brand]: 'Term' };

export interface TermEntry {
  readonly term: Term;
  readonly start: Lsn;
}

/** Terms strictly rise, starts never fall. Never empty: it begins with the timeline's birth. */
export type TermHistory = readonly TermEntry[];

export function term(number: number): Term {
  assert(Number.isSafeInteger(number) && number >= 0, 'a term is a whole number');
  return number as Term;
}

export const termZero = term(0);

export function assertHistory(history: TermHistory): void {
  assert(history.length > 0, 'a term history has its first entry');
  for (let index = 1; index < history.length; index += 1) {
    const previous = history[index - 1]!;
    const entry = history[index]!;
    assert(entry.term > previous.term, 'terms rise along a history');
    assert(entry.start >= previous.start, 'starts never fall along a history');
  }
}

/** The entries a log that ends at `flushLsn` has reached. */
export function cutHistory(history: TermHistory, flushLsn: Lsn): TermHistory {
  const first = history[0]!;
  return history.filter((entry) => entry === first || entry.start <= flushLsn);
}

/** The term that wrote the end of a log that ends at `flushLsn`. */
export function lastLogTerm(history: TermHistory, flushLsn: Lsn): Term {
  return cutHistory(history, flushLsn).at(-1)!.term;
}

export function lastEntry(history: TermHistory): TermEntry {
  return history.at(-1)!;
}

/** One acceptor's log, as it is compared with another. */
export interface LogEnd {
  readonly history: TermHistory;
  readonly flushLsn: Lsn;
}

/** Raft's order of logs: by last term, then by length. Positive when `a` is further. */
export function compareLogs(a: LogEnd, b: LogEnd): number {
  const terms = lastLogTerm(a.history, a.flushLsn) - lastLogTerm(b.history, b.flushLsn);
  return terms !== 0 ? terms : a.flushLsn - b.flushLsn;
}

/**
 * Up to where an acceptor's log is a prefix of the proposer's, so that it can go on from there;
 * everything the acceptor has above it must be cut off. null when they share no term.
 */
export function highestCommonPoint(proposer: TermHistory, acceptor: LogEnd): Lsn | null {
  const reached = cutHistory(acceptor.history, acceptor.flushLsn);
  let shared = -1;
  while (
    shared + 1 < proposer.length &&
    shared + 1 < reached.length &&
    sameEntry(proposer[shared + 1]!, reached[shared + 1]!)
  )
    shared += 1;
  if (shared < 0) return null;
  const theirEnd = reached[shared + 1]?.start ?? acceptor.flushLsn;
  const ourEnd = proposer[shared + 1]?.start;
  const point = ourEnd === undefined ? theirEnd : minLsn(ourEnd, theirEnd);
  return maxLsn(point, proposer[0]!.start);
}

function sameEntry(a: TermEntry, b: TermEntry): boolean {
  if (a.term !== b.term) return false;
  assert(a.start === b.start, 'a term starts at one place only');
  return true;
}
