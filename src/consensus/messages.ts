/**
 * Messages: what a proposer, or whoever changes the members, and an acceptor say to each other. Plain
 * records; actors wrap them.
 *
 * Every request names the configuration's generation; every answer carries the acceptor's term, so
 * that a proposer learns at once that it was replaced. A request may come late, twice, or after
 * newer ones; an answer is void when it is not of the present contact.
 */
import { type Lsn } from '../base/lsn.ts';
import { type TimelineIdentity } from './identity.ts';
import { type AcceptorId, type Configuration } from './membership.ts';
import { type Term, type TermHistory } from './term.ts';

/** First contact: who is meant, which timeline, and the configuration, which is made known. */
export interface Greeting {
  readonly to: AcceptorId;
  readonly identity: TimelineIdentity;
  readonly configuration: Configuration;
}
export interface GreetingResult {
  readonly acceptor: AcceptorId;
  /** The greeting's, or a newer one: the proposer then follows that. */
  readonly configuration: Configuration;
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
  /** It has no WAL below. */
  readonly firstLsn: Lsn;
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

/** A change of members: follow this configuration from now on, and obey no term below `term`. */
export interface Configure {
  readonly to: AcceptorId;
  readonly configuration: Configuration;
  readonly term: Term;
}
/** Where an acceptor stands that follows the configuration: both are on its disk. */
export interface ConfigureResult {
  readonly acceptor: AcceptorId;
  readonly generation: number;
  readonly term: Term;
  /** The term that wrote the end of its log. */
  readonly lastLogTerm: Term;
  readonly flushLsn: Lsn;
  readonly commitLsn: Lsn;
  /** It has no WAL below. */
  readonly firstLsn: Lsn;
}

/** You are no member of this configuration any more: delete the log. */
export interface Leave {
  readonly to: AcceptorId;
  readonly configuration: Configuration;
}
