/**
 * The proposer's decisions: win a term, bring every acceptor's log to its own, and say what a
 * majority has. Messages and events in, a new state and effects in order out.
 *
 * The log itself is the shell's: it holds the bytes of `[windowLsn, endLsn)`. What an acceptor lacks
 * below that is relayed from another that has it.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { lsn, lsnZero, maxLsn, minLsn, type Lsn } from '../base/lsn.ts';
import {
  allMembers,
  hasQuorum,
  quorumLsn,
  type AcceptorId,
  type Configuration,
} from './membership.ts';
import { type AppendResult, type GreetingResult, type VoteResult } from './messages.ts';
import {
  assertHistory,
  compareLogs,
  cutHistory,
  highestCommonPoint,
  term,
  termZero,
  type Term,
  type TermHistory,
} from './term.ts';

interface MemberState {
  readonly id: AcceptorId;
  /**
   * `contacting` greeted, no answer yet · `greeted` · `voted` for this term · `joining` is being
   * brought to our history · `following` · `lost` until the shell reconnects.
   */
  readonly phase: 'contacting' | 'greeted' | 'voted' | 'joining' | 'following' | 'lost';
  readonly term: Term;
  readonly vote: VoteResult | null;
  /** On its disk; of our log only while it follows. */
  readonly flushLsn: Lsn;
  /** End of what was sent to it, and of what it has answered for. */
  readonly sentLsn: Lsn;
  readonly answeredLsn: Lsn;
  /** The commit position it was last sent. */
  readonly toldLsn: Lsn;
  /** Waits for WAL from another acceptor. */
  readonly relaying: boolean;
}

export interface ProposerState {
  readonly configuration: Configuration;
  readonly phase: 'greeting' | 'voting' | 'leading' | 'fenced';
  readonly term: Term;
  /** Where this term's log begins: the end of the best log among the voters. */
  readonly termStart: Lsn;
  readonly history: TermHistory;
  /** Start of the record that ends at `termStart`. */
  readonly lastRecordStart: Lsn;
  /** Whose log was the best. */
  readonly donor: AcceptorId | null;
  /** Whether a majority has everything up to `termStart`. */
  readonly settled: boolean;
  readonly windowLsn: Lsn;
  readonly endLsn: Lsn;
  readonly commitLsn: Lsn;
  readonly truncateLsn: Lsn;
  readonly members: readonly MemberState[];
}

export type ProposerEffect =
  | { readonly kind: 'greet'; readonly to: AcceptorId }
  | { readonly kind: 'requestVote'; readonly to: AcceptorId }
  | { readonly kind: 'install'; readonly to: AcceptorId; readonly start: Lsn }
  /** Bytes of the window; none when begin equals end: then only the LSNs matter. */
  | { readonly kind: 'append'; readonly to: AcceptorId; readonly begin: Lsn; readonly end: Lsn }
  | {
      readonly kind: 'relay';
      readonly from: AcceptorId;
      readonly to: AcceptorId;
      readonly begin: Lsn;
    }
  /** A majority has the log up to `termStart`: records may be added. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'commitMoved' }
  /** Somebody has, or was given, `term`: nothing of ours will ever be committed again. */
  | { readonly kind: 'fenced'; readonly term: Term };

export interface ProposerDecision {
  readonly state: ProposerState;
  readonly effects: readonly ProposerEffect[];
}

/** Bytes of one append, at most; and how far an acceptor's answers may lag behind what was sent. */
const appendBytesMax = 1_048_576;
export const inFlightBytesMax = 8 * appendBytesMax;

/** Begins an election: greets everybody. */
export function campaign(configuration: Configuration): ProposerDecision {
  const members = allMembers(configuration).map(newMember);
  const state: ProposerState = {
    configuration,
    phase: 'greeting',
    term: termZero,
    termStart: lsnZero,
    history: [],
    lastRecordStart: lsnZero,
    donor: null,
    settled: false,
    windowLsn: lsnZero,
    endLsn: lsnZero,
    commitLsn: lsnZero,
    truncateLsn: lsnZero,
    members,
  };
  return { state, effects: members.map(({ id }) => ({ kind: 'greet', to: id })) };
}

export function stepGreeted(state: ProposerState, result: GreetingResult): ProposerDecision {
  if (state.phase === 'fenced') return { state, effects: [] };
  if (state.phase !== 'greeting' && result.term > state.term) return fence(state, result.term);
  const next = withMember(state, result.acceptor, { phase: 'greeted', term: result.term });
  const vote: ProposerEffect = { kind: 'requestVote', to: result.acceptor };
  if (state.phase !== 'greeting') return { state: next, effects: [vote] };
  if (!hasQuorum(next.configuration, (id) => member(next, id).phase === 'greeted'))
    return { state: next, effects: [] };
  const greeted = next.members.filter(({ phase }) => phase === 'greeted');
  const highest = Math.max(...greeted.map((each) => each.term));
  return {
    state: { ...next, phase: 'voting', term: term(highest + 1) },
    effects: greeted.map(({ id }) => ({ kind: 'requestVote', to: id })),
  };
}

export function stepVoted(state: ProposerState, result: VoteResult): ProposerDecision {
  assert(state.phase !== 'greeting', 'nobody votes before a term is chosen');
  if (state.phase === 'fenced') return { state, effects: [] };
  if (result.term > state.term) return fence(state, result.term);
  const voter = { term: result.term, vote: result, flushLsn: result.flushLsn };
  if (state.phase === 'leading')
    return install(withMember(state, result.acceptor, voter), [result.acceptor]);
  if (!result.voteGiven) return fence(state, result.term);
  const next = withMember(state, result.acceptor, { ...voter, phase: 'voted' });
  if (!hasQuorum(next.configuration, (id) => member(next, id).phase === 'voted'))
    return { state: next, effects: [] };
  return lead(next);
}

/** An acceptor took our history over: its log is now a prefix of ours. */
export function stepInstalled(state: ProposerState, result: AppendResult): ProposerDecision {
  if (state.phase !== 'leading') return { state, effects: [] };
  if (result.term > state.term) return fence(state, result.term);
  const at = result.flushLsn;
  return advance(
    withMember(state, result.acceptor, {
      phase: 'following',
      flushLsn: at,
      sentLsn: at,
      answeredLsn: at,
      toldLsn: lsnZero,
      relaying: false,
    }),
  );
}

/** The window grew to `end`. */
export function stepReceived(state: ProposerState, end: Lsn): ProposerDecision {
  assert(state.phase === 'leading', 'only a leader receives');
  assert(end > state.endLsn, 'the log only grows');
  return feed({ ...state, endLsn: end }, []);
}

/** An acceptor answered for everything up to `end`. */
export function stepAppended(
  state: ProposerState,
  result: AppendResult,
  end: Lsn,
): ProposerDecision {
  if (state.phase !== 'leading') return { state, effects: [] };
  if (result.term > state.term) return fence(state, result.term);
  const before = member(state, result.acceptor);
  assert(result.flushLsn >= before.flushLsn, 'a follower forgets nothing');
  return advance(
    withMember(state, result.acceptor, {
      flushLsn: result.flushLsn,
      answeredLsn: maxLsn(before.answeredLsn, end),
      // More than this contact sent is possible: an append of an earlier one came late.
      sentLsn: maxLsn(before.sentLsn, result.flushLsn),
    }),
  );
}

/** Bytes for `to` came from another acceptor: the shell appends them itself. */
export function stepRelayed(state: ProposerState, to: AcceptorId, end: Lsn): ProposerState {
  const { relaying, sentLsn } = member(state, to);
  assert(relaying && end >= sentLsn, 'a relay continues where it was asked to');
  return withMember(state, to, { relaying: false, sentLsn: end });
}

/** An acceptor did not answer, or refused: nothing is expected of it until it is contacted anew. */
export function stepLost(state: ProposerState, id: AcceptorId): ProposerDecision {
  const next = withMember(state, id, { phase: 'lost', relaying: false });
  return state.phase === 'leading' ? feed(next, []) : { state: next, effects: [] };
}

/** Contacts an acceptor anew. */
export function stepReconnect(state: ProposerState, id: AcceptorId): ProposerDecision {
  if (state.phase === 'fenced') return { state, effects: [] };
  const next = withMember(state, id, { phase: 'contacting', relaying: false });
  return { state: next, effects: [{ kind: 'greet', to: id }] };
}

/**
 * Postgres is gone, and what it sent beyond the last commit may end in the middle of a record. The
 * log falls back to that commit; acceptors are contacted anew and so drop what is incomplete.
 */
export function stepStreamLost(state: ProposerState): ProposerDecision {
  assert(state.phase === 'leading', 'only a leader has a stream');
  let next: ProposerState = { ...state, endLsn: state.commitLsn, windowLsn: state.commitLsn };
  const effects: ProposerEffect[] = [];
  for (const { id, phase } of state.members) {
    if (phase === 'lost') continue;
    next = withMember(next, id, { phase: 'contacting', relaying: false });
    effects.push({ kind: 'greet', to: id });
  }
  return { state: next, effects };
}

/** A stream begins at the commit position: the window is empty there. Needs a quorum of followers. */
export function stepStreamBegins(state: ProposerState): ProposerState {
  assert(canStream(state), 'a stream begins when a majority follows');
  return { ...state, windowLsn: state.commitLsn, endLsn: state.commitLsn };
}

/** Whether a majority follows, so that the commit position is the end of what it has. */
export function canStream(state: ProposerState): boolean {
  if (state.phase !== 'leading' || !state.settled) return false;
  return hasQuorum(state.configuration, (id) => member(state, id).phase === 'following');
}

/** Bytes sent out that no majority has answered for. */
export function unansweredBytes(state: ProposerState): number {
  const answered = quorumLsn(state.configuration, (id) => {
    const { phase, answeredLsn } = member(state, id);
    return phase === 'following' ? answeredLsn : state.windowLsn;
  });
  return Math.max(0, state.endLsn - answered);
}

function member(state: ProposerState, id: AcceptorId): MemberState {
  const found = state.members.find((each) => each.id === id);
  assert(found !== undefined, 'an answer comes from a member');
  return found;
}

/** The vote is won: the best log among the voters becomes ours. */
function lead(state: ProposerState): ProposerDecision {
  const votes = state.members.flatMap(({ phase, vote }) =>
    phase === 'voted' && vote !== null ? [vote] : [],
  );
  const best = votes.reduce((a, b) => (compareLogs(b, a) > 0 ? b : a));
  const start = best.flushLsn;
  const history = [...cutHistory(best.history, best.flushLsn), { term: state.term, start }];
  assertHistory(history);
  const next: ProposerState = {
    ...state,
    phase: 'leading',
    termStart: start,
    history,
    lastRecordStart: best.lastRecordStart,
    donor: best.acceptor,
    windowLsn: start,
    endLsn: start,
    commitLsn: lsn(Math.max(...votes.map(({ commitLsn }) => commitLsn))),
    truncateLsn: lsn(Math.max(...votes.map(({ truncateLsn }) => truncateLsn))),
  };
  assert(next.commitLsn <= start, 'a majority of votes holds everything committed');
  return install(
    next,
    votes.map(({ acceptor }) => acceptor),
  );
}

function install(state: ProposerState, ids: readonly AcceptorId[]): ProposerDecision {
  let next = state;
  const effects: ProposerEffect[] = [];
  for (const id of ids) {
    const vote = member(state, id).vote!;
    const start = highestCommonPoint(state.history, vote);
    ensure(start !== null, 'log_diverged', { acceptor: id });
    next = withMember(next, id, { phase: 'joining' });
    effects.push({ kind: 'install', to: id, start });
  }
  return { state: next, effects };
}

/** What a majority has may have moved: say so, and send on. */
function advance(state: ProposerState): ProposerDecision {
  const { configuration, termStart } = state;
  // Raft's figure 8: a log that has not reached our term's start may still be cut by another.
  const majority = quorumLsn(configuration, (id) => {
    const { phase, flushLsn } = member(state, id);
    return phase === 'following' && flushLsn >= termStart ? flushLsn : lsnZero;
  });
  const commitLsn = maxLsn(state.commitLsn, majority);
  const effects: ProposerEffect[] = [];
  if (commitLsn > state.commitLsn) effects.push({ kind: 'commitMoved' });
  const settled = state.settled || majority >= termStart;
  if (settled && !state.settled) effects.push({ kind: 'settled' });
  const truncateLsn = maxLsn(state.truncateLsn, minLsn(commitLsn, slowest(state)));
  const endLsn = maxLsn(state.endLsn, commitLsn);
  const windowLsn = maxLsn(state.windowLsn, commitLsn);
  return feed({ ...state, commitLsn, settled, truncateLsn, endLsn, windowLsn }, effects);
}

function slowest(state: ProposerState): Lsn {
  const reached = state.members.map(({ phase, flushLsn }) =>
    phase === 'following' ? flushLsn : lsnZero,
  );
  return lsn(Math.min(...reached));
}

/** Sends every follower what it lacks, as far as its answers allow; tells it of commits. */
function feed(state: ProposerState, effects: ProposerEffect[]): ProposerDecision {
  const members = state.members.map((each) =>
    each.phase === 'following' && !each.relaying ? feedMember(state, each, effects) : each,
  );
  return { state: { ...state, members }, effects };
}

function feedMember(
  state: ProposerState,
  follower: MemberState,
  effects: ProposerEffect[],
): MemberState {
  const { id, answeredLsn } = follower;
  if (follower.sentLsn < state.windowLsn) return relay(state, follower, effects);
  let { sentLsn, toldLsn } = follower;
  while (sentLsn < state.endLsn && sentLsn - answeredLsn < inFlightBytesMax) {
    const end = minLsn(lsn(sentLsn + appendBytesMax), state.endLsn);
    effects.push({ kind: 'append', to: id, begin: sentLsn, end });
    sentLsn = end;
    toldLsn = state.commitLsn;
  }
  if (toldLsn < state.commitLsn) {
    effects.push({ kind: 'append', to: id, begin: sentLsn, end: sentLsn });
    toldLsn = state.commitLsn;
  }
  return { ...follower, sentLsn, toldLsn };
}

function relay(
  state: ProposerState,
  follower: MemberState,
  effects: ProposerEffect[],
): MemberState {
  const { sentLsn, answeredLsn } = follower;
  if (sentLsn - answeredLsn >= inFlightBytesMax) return follower;
  const from = state.members.find(
    (each) =>
      each.flushLsn > sentLsn &&
      (each.phase === 'following' || (each.phase === 'joining' && each.id === state.donor)),
  );
  if (from === undefined) return follower;
  effects.push({ kind: 'relay', from: from.id, to: follower.id, begin: sentLsn });
  return { ...follower, relaying: true };
}

function fence(state: ProposerState, by: Term): ProposerDecision {
  return { state: { ...state, phase: 'fenced' }, effects: [{ kind: 'fenced', term: by }] };
}

function withMember(
  state: ProposerState,
  id: AcceptorId,
  change: Partial<MemberState>,
): ProposerState {
  assert(
    state.members.some((each) => each.id === id),
    'an answer comes from a member',
  );
  const members = state.members.map((each) => (each.id === id ? { ...each, ...change } : each));
  return { ...state, members };
}

function newMember(id: AcceptorId): MemberState {
  return {
    id,
    phase: 'contacting',
    term: termZero,
    vote: null,
    flushLsn: lsnZero,
    sentLsn: lsnZero,
    answeredLsn: lsnZero,
    toldLsn: lsnZero,
    relaying: false,
  };
}
