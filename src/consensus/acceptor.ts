/**
 * The acceptor's decisions: a message in, a new state and effects in order out.
 *
 * The shell performs the effects and adopts the state only when all have succeeded. It also frames
 * the stored bytes: the core learns where complete records end (`stepStored`) and when they are on
 * disk (`stepSynced`), and reports nothing else as flushed: an election may cut a log at any
 * position ever reported.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { formatLsn, lsn, lsnZero, maxLsn, minLsn, type Lsn } from '../base/lsn.ts';
import { ensureSameTimeline, type TimelineIdentity } from './identity.ts';
import {
  ensureNoContradiction,
  isMember,
  type AcceptorId,
  type Configuration,
} from './membership.ts';
import {
  type Append,
  type AppendResult,
  type Configure,
  type ConfigureResult,
  type Elected,
  type Greeting,
  type GreetingResult,
  type Leave,
  type VoteRequest,
  type VoteResult,
} from './messages.ts';
import {
  assertHistory,
  cutHistory,
  highestCommonPoint,
  lastEntry,
  lastLogTerm,
  term,
  type Term,
  type TermHistory,
} from './term.ts';

export interface AcceptorState {
  readonly acceptor: AcceptorId;
  readonly identity: TimelineIdentity;
  readonly configuration: Configuration;
  /** Promised: no older term is obeyed. Durable before anybody hears of it. */
  readonly term: Term;
  readonly history: TermHistory;
  /** End of the bytes stored; an incomplete record may end there. */
  readonly writeLsn: Lsn;
  /** End of the last complete record stored. */
  readonly recordLsn: Lsn;
  /** End of the last complete record on disk. */
  readonly flushLsn: Lsn;
  /** Start of the record that ends at `recordLsn`. */
  readonly lastRecordStart: Lsn;
  /** What a majority has, as far as this log reaches on disk. */
  readonly commitLsn: Lsn;
  /** What the proposer says a majority has. May be ahead of this log. */
  readonly announcedLsn: Lsn;
  readonly truncateLsn: Lsn;
}

export type AcceptorEffect =
  /** Makes term, history and configuration durable. */
  | { readonly kind: 'persist' }
  | { readonly kind: 'truncateWal'; readonly end: Lsn }
  | { readonly kind: 'writeWal'; readonly begin: Lsn; readonly bytes: Uint8Array }
  /** Answers now. */
  | { readonly kind: 'answer' }
  /** Answers after the next sync. */
  | { readonly kind: 'answerWhenSynced' };

export interface AcceptorDecision {
  readonly state: AcceptorState;
  readonly effects: readonly AcceptorEffect[];
}

/** Where an acceptor's log begins: at the timeline's start or, for one that joins, further on. */
export interface LogStart {
  readonly identity: TimelineIdentity;
  /** A record's end, and committed. */
  readonly beginLsn: Lsn;
  /** Start of the record that ends there; 0 when unknown. */
  readonly lastRecordStart: Lsn;
  /** Of the log up to `beginLsn`. */
  readonly history: TermHistory;
}

/**
 * Nobody has said who the members are: generation 0, older than any. So one that joins takes no part in
 * anything before it has the configuration it joins by.
 */
export const noConfiguration: Configuration = { generation: 0, members: [], newMembers: null };

export function newAcceptor(acceptor: AcceptorId, start: LogStart): AcceptorState {
  const { identity, beginLsn, lastRecordStart, history } = start;
  assertHistory(history);
  assert(history[0]!.start === identity.startLsn, 'a history begins where the timeline does');
  assert(lastEntry(history).start <= beginLsn, 'a log has reached all of its history');
  return {
    acceptor,
    identity,
    configuration: noConfiguration,
    term: lastEntry(history).term,
    history,
    writeLsn: beginLsn,
    recordLsn: beginLsn,
    flushLsn: beginLsn,
    lastRecordStart,
    commitLsn: beginLsn,
    announcedLsn: lsnZero,
    truncateLsn: lsnZero,
  };
}

/** Adopts a newer configuration. One that is older is answered with its own. */
export function stepGreeting(state: AcceptorState, greeting: Greeting): AcceptorDecision {
  const { to, identity, configuration } = greeting;
  ensureAddressed(state, to);
  ensureSameTimeline(state.identity, identity);
  return follow(state, { ...state, configuration: newer(state, configuration) });
}

/** Adopts a configuration, and a term to go with it, on the word of whoever changes the members. */
export function stepConfigure(state: AcceptorState, configure: Configure): AcceptorDecision {
  const { to, configuration } = configure;
  ensureAddressed(state, to);
  ensureGeneration(state, configuration.generation);
  const raised = term(Math.max(state.term, configure.term));
  return follow(state, { ...state, configuration: newer(state, configuration), term: raised });
}

/** Whether the log may be deleted. Fails with `acceptor_is_member` or `generation_stale`. */
export function ensureMayLeave(state: AcceptorState, { to, configuration }: Leave): void {
  ensureAddressed(state, to);
  ensureGeneration(state, configuration.generation);
  ensure(!isMember(configuration, state.acceptor), 'acceptor_is_member', {
    acceptor: state.acceptor,
    generation: configuration.generation,
  });
}

/** Promises a higher term. The shell has synced before: `flushLsn` is all there is. */
export function stepVote(state: AcceptorState, request: VoteRequest): AcceptorDecision {
  checkGeneration(state, request.generation);
  if (request.term <= state.term) return { state, effects: [{ kind: 'answer' }] };
  return follow(state, { ...state, term: request.term });
}

/** Follows an elected proposer: the log is cut to what both have, its history installed. */
export function stepElected(state: AcceptorState, elected: Elected): AcceptorDecision {
  checkGeneration(state, elected.generation);
  if (elected.term < state.term) return { state, effects: [{ kind: 'answer' }] };
  assertHistory(elected.history);
  assert(lastEntry(elected.history).term === elected.term, 'a proposer ends its own history');
  const point = highestCommonPoint(elected.history, state);
  ensure(point === elected.start, 'log_moved', {
    start: formatLsn(elected.start),
    common: point === null ? null : formatLsn(point),
  });
  ensure(point >= state.commitLsn, 'log_diverged', {
    start: formatLsn(point),
    commit: formatLsn(state.commitLsn),
  });
  const next = {
    ...state,
    term: elected.term,
    history: elected.history,
    writeLsn: point,
    recordLsn: point,
    flushLsn: point,
  };
  return successor(state, next, [
    ...truncation(state, point),
    { kind: 'persist' },
    { kind: 'answer' },
  ]);
}

/**
 * Stores bytes at the end of the log. They may also begin at the last record's end: what follows it was
 * never reported, and whoever hands on whole records begins there.
 */
export function stepAppend(state: AcceptorState, append: Append): AcceptorDecision {
  checkGeneration(state, append.generation);
  if (append.term < state.term) return { state, effects: [{ kind: 'answer' }] };
  const following = lastEntry(state.history).term === append.term && append.term === state.term;
  ensure(following, 'append_before_election', { term: append.term, own: state.term });
  const known = {
    ...state,
    announcedLsn: maxLsn(state.announcedLsn, append.commitLsn),
    truncateLsn: maxLsn(state.truncateLsn, append.truncateLsn),
  };
  if (append.bytes.length === 0) return successor(state, withCommit(known), [{ kind: 'answer' }]);

  const rewinds = append.begin === state.recordLsn;
  ensure(append.begin === state.writeLsn || rewinds, 'append_leaves_gap', {
    begin: formatLsn(append.begin),
    write: formatLsn(state.writeLsn),
    record: formatLsn(state.recordLsn),
  });
  const writeLsn = lsn(append.begin + append.bytes.length);
  const { begin, bytes } = append;
  return successor(state, { ...known, writeLsn }, [
    ...(rewinds ? truncation(state, begin) : []),
    { kind: 'writeWal', begin, bytes },
    { kind: 'answerWhenSynced' },
  ]);
}

/** The log was cut at `end`, whatever becomes of the rest of the decision. */
export function stepTruncated(state: AcceptorState, end: Lsn, lastRecordStart: Lsn): AcceptorState {
  assert(end >= state.commitLsn, 'committed WAL is never cut');
  const flushLsn = minLsn(state.flushLsn, end);
  return { ...state, writeLsn: end, recordLsn: end, flushLsn, lastRecordStart };
}

/** The bytes of an append are stored and framed: where complete records now end. */
export function stepStored(
  state: AcceptorState,
  recordLsn: Lsn,
  lastRecordStart: Lsn,
): AcceptorState {
  assert(recordLsn >= state.recordLsn, 'records are only added');
  assert(recordLsn <= state.writeLsn, 'records end within what is stored');
  return { ...state, recordLsn, lastRecordStart };
}

/** Everything stored is on disk. */
export function stepSynced(state: AcceptorState): AcceptorState {
  return withCommit({ ...state, flushLsn: state.recordLsn });
}

export function greetingResult(state: AcceptorState): GreetingResult {
  const { acceptor, configuration } = state;
  return { acceptor, configuration, term: state.term };
}

export function configureResult(state: AcceptorState, firstLsn: Lsn): ConfigureResult {
  const { acceptor, configuration, flushLsn, commitLsn } = state;
  return {
    acceptor,
    generation: configuration.generation,
    term: state.term,
    lastLogTerm: lastLogTerm(state.history, flushLsn),
    flushLsn,
    commitLsn,
    firstLsn,
  };
}

/** The answer to a vote: `state` is the one after `stepVote`, `before` the one before it. */
export function voteResult(before: AcceptorState, state: AcceptorState, firstLsn: Lsn): VoteResult {
  return {
    acceptor: state.acceptor,
    generation: state.configuration.generation,
    term: state.term,
    voteGiven: before.term < state.term,
    flushLsn: state.flushLsn,
    lastRecordStart: state.lastRecordStart,
    commitLsn: state.commitLsn,
    truncateLsn: state.truncateLsn,
    firstLsn,
    history: cutHistory(state.history, state.flushLsn),
  };
}

export function appendResult(state: AcceptorState): AppendResult {
  return {
    acceptor: state.acceptor,
    generation: state.configuration.generation,
    term: state.term,
    flushLsn: state.flushLsn,
    commitLsn: state.commitLsn,
  };
}

function withCommit(state: AcceptorState): AcceptorState {
  const commitLsn = maxLsn(state.commitLsn, minLsn(state.announcedLsn, state.flushLsn));
  return commitLsn === state.commitLsn ? state : { ...state, commitLsn };
}

function truncation(state: AcceptorState, end: Lsn): readonly AcceptorEffect[] {
  return state.writeLsn > end ? [{ kind: 'truncateWal', end }] : [];
}

/** A proposer of this configuration, in which the acceptor has a say, speaks. */
function checkGeneration(state: AcceptorState, generation: number): void {
  const { acceptor, configuration } = state;
  const own = configuration.generation;
  ensureGeneration(state, generation);
  ensure(generation === own, 'generation_unknown', { generation, own });
  ensure(isMember(configuration, acceptor), 'acceptor_not_member', { acceptor, generation });
}

function ensureGeneration({ configuration }: AcceptorState, generation: number): void {
  const own = configuration.generation;
  ensure(generation >= own, 'generation_stale', { generation, own });
}

function ensureAddressed({ acceptor }: AcceptorState, to: AcceptorId): void {
  ensure(to === acceptor, 'acceptor_of_another_member', { own: acceptor, asked: to });
}

function newer({ configuration: own }: AcceptorState, other: Configuration): Configuration {
  ensureNoContradiction(own, other);
  return other.generation > own.generation ? other : own;
}

/** Makes a configuration or a term durable, if it is news, and answers. */
function follow(before: AcceptorState, after: AcceptorState): AcceptorDecision {
  const { configuration } = before;
  const news = after.configuration !== configuration || after.term !== before.term;
  if (!news) return { state: before, effects: [{ kind: 'answer' }] };
  return successor(before, after, [{ kind: 'persist' }, { kind: 'answer' }]);
}

function successor(
  before: AcceptorState,
  state: AcceptorState,
  effects: readonly AcceptorEffect[],
): AcceptorDecision {
  assertSuccessor(before, state);
  return { state, effects };
}

function assertSuccessor(before: AcceptorState, after: AcceptorState): void {
  assert(after.term >= term(before.term), 'a term never goes back');
  assert(after.commitLsn >= before.commitLsn, 'commit never goes back');
  assert(after.configuration.generation >= before.configuration.generation, 'nor a generation');
  assert(after.commitLsn <= after.flushLsn, 'what is committed here is on disk here');
  assert(after.flushLsn <= after.recordLsn, 'what is on disk was stored');
  assert(after.recordLsn <= after.writeLsn, 'records end within what is stored');
}
