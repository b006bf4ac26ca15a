/**
 * Messages: what a proposer and an acceptor say to each other. Plain records; actors wrap them.
 *
 * Every request names the configuration's generation; every answer carries the acceptor's term, so
 * that a proposer learns at once that it was replaced.
 */
import { type Lsn } from '../base/lsn.ts';
import { type AcceptorId, type Configuration } from './membership.ts';
import { type Term, type TermHistory } from './term.ts';

/** First contact: makes the configuration known. */
export interface Greeting {
  readonly configuration: Configuration;
}
export interface GreetingResult {
  readonly acceptor: AcceptorId;
  readonly generation: number;
  readonly term: Term;
}

/** Asks an acceptor to promise: no older term will be obeyed. Granted only for a higher term. */
export interface VoteRequest {
  readonly generation: number;
  readonly term: Term;
}
export interface VoteResult {
  readonly acceptor: AcceptorId;
  readonly generation: number;
  readonly term: Term;
  readonly voteGiven: boolean;
  /** End of the last complete record on its disk. */
  readonly flushLsn: Lsn;
  /** Start of that record: the next one's `xl_prev`. */
  readonly lastRecordStart: Lsn;
  readonly commitLsn: Lsn;
  readonly truncateLsn: Lsn;
  /** Cut to `flushLsn`. */
  readonly history: TermHistory;
}

/** The vote is won: cut your log at `start`, where it stops being a prefix of mine. */
export interface Elected {
  readonly generation: number;
  readonly term: Term;
  readonly start: Lsn;
  readonly history: TermHistory;
}

/** Store these bytes. Empty bytes only carry the LSNs. */
export interface Append {
  readonly generation: number;
  readonly term: Term;
  readonly begin: Lsn;
  readonly bytes: Uint8Array;
  /** What a majority is known to have. */
  readonly commitLsn: Lsn;
  /** What every acceptor is known to have: nobody asks for WAL below it again. */
  readonly truncateLsn: Lsn;
}

/** Answers `Elected` and `Append`. With a higher term than the proposer's, nothing was done. */
export interface AppendResult {
  readonly acceptor: AcceptorId;
  readonly generation: number;
  readonly term: Term;
  readonly flushLsn: Lsn;
  readonly commitLsn: Lsn;
}
