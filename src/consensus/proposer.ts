/**
 * The proposer's decisions: win a term, bring every acceptor's log to its own, and say what a
 * majority has. Messages and events in, a new state and effects in order out.
 *
 * The log itself is the shell's: it holds the bytes of `[windowLsn, endLsn)`. What an acceptor lacks
 * below that is relayed from another that has it. A reign writes every position of its log once: when
 * the shell cannot say what comes next, the reign is over.
 *
 * The members may change meanwhile: the reign goes on with the new ones, who are all contacted anew, so
 * that nobody counts who does not follow the new configuration.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { formatLsn, lsn, lsnZero, maxLsn, type Lsn } from '../base/lsn.ts';
import { allMembers, hasQuorum, type AcceptorId, type Configuration } from './membership.ts';
import { type AppendResult, type GreetingResult, type VoteResult } from './messages.ts';
import {
  contactAnew,
  inContact,
  isPresent,
  member,
  newMember,
  withMember,
  type ProposerDecision,
  type ProposerEffect,
  type ProposerState,
  type Relay,
} from './proposer-state.ts';
import { advance, feed } from './replication.ts';
import {
  assertHistory,
  compareLogs,
  cutHistory,
  highestCommonPoint,
  term,
  termZero,
  type Term,
} from './term.ts';

/** Begins an election: greets everybody. `contacts` is the number of the last contact there was. */
export function campaign(configuration: Configuration, contacts: number): ProposerDecision {
  const ids = allMembers(configuration);
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
    members: ids.map(newMember),
    contacts,
  };
  return contactAnew(state, ids);
}

export function stepGreeted(
  state: ProposerState,
  contact: number,
  result: GreetingResult,
): ProposerDecision {
  const { acceptor } = result;
  if (state.phase === 'fenced' || !inContact(state, acceptor, contact, 'contacting'))
    return nothing(state);
  if (result.configuration.generation > state.configuration.generation)
    return stepReconfigure(state, result.configuration);
  if (state.phase !== 'greeting' && result.term > state.term) return fence(state, result.term);
  const next = withMember(state, acceptor, { phase: 'greeted', term: result.term });
  if (state.phase !== 'greeting') return { state: next, effects: [requestVote(next, acceptor)] };
  if (!hasQuorum(next.configuration, (id) => member(next, id).phase === 'greeted'))
    return nothing(next);
  const greeted = next.members.filter(({ phase }) => phase === 'greeted');
  const highest = Math.max(...greeted.map((each) => each.term));
  return {
    state: { ...next, phase: 'voting', term: term(highest + 1) },
    effects: greeted.map(({ id }) => requestVote(next, id)),
  };
}

export function stepVoted(
  state: ProposerState,
  contact: number,
  result: VoteResult,
): ProposerDecision {
  const { acceptor } = result;
  if (state.phase === 'fenced' || !inContact(state, acceptor, contact, 'greeted'))
    return nothing(state);
  assert(state.phase !== 'greeting', 'nobody votes before a term is chosen');
  if (result.term > state.term) return fence(state, result.term);
  const voter = { term: result.term, vote: result, flushLsn: result.flushLsn };
  if (state.phase === 'leading') return install(withMember(state, acceptor, voter), [acceptor]);
  if (!result.voteGiven) return fence(state, result.term);
  const next = withMember(state, acceptor, { ...voter, phase: 'voted' });
  if (!hasQuorum(next.configuration, (id) => member(next, id).phase === 'voted'))
    return nothing(next);
  return lead(next);
}

/** An acceptor took our history over: its log is now a prefix of ours. */
export function stepInstalled(
  state: ProposerState,
  contact: number,
  result: AppendResult,
): ProposerDecision {
  if (state.phase !== 'leading' || !inContact(state, result.acceptor, contact, 'joining'))
    return nothing(state);
  if (result.term > state.term) return fence(state, result.term);
  assert(result.term === state.term, 'whoever answers a term has reached it');
  const at = result.flushLsn;
  return advance(
    withMember(state, result.acceptor, {
      phase: 'following',
      flushLsn: at,
      sentLsn: at,
      answeredLsn: at,
      recordLsn: at,
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

/** What an acceptor answered to an append, which ended at `end`; 0 when it had no bytes. */
export interface Appended {
  readonly contact: number;
  readonly result: AppendResult;
  readonly end: Lsn;
}

export function stepAppended(state: ProposerState, appended: Appended): ProposerDecision {
  const { contact, result, end } = appended;
  const before = inContact(state, result.acceptor, contact, 'following');
  if (state.phase !== 'leading' || before === null) return nothing(state);
  if (result.term > state.term) return fence(state, result.term);
  assert(result.term === state.term, 'whoever answers a term has reached it');
  // Answers may overtake each other; within a term a follower forgets nothing.
  const flushLsn = maxLsn(before.flushLsn, result.flushLsn);
  const answeredLsn = maxLsn(before.answeredLsn, end);
  // More than this contact sent is possible: an append of an earlier one came late.
  const sent = before.relaying
    ? {}
    : {
        sentLsn: maxLsn(before.sentLsn, flushLsn),
        recordLsn: maxLsn(before.recordLsn, flushLsn),
      };
  return advance(withMember(state, result.acceptor, { flushLsn, answeredLsn, ...sent }));
}

/**
 * Whole records for `to`, up to `end`, came from another acceptor: the shell appends them itself. null
 * when they are not waited for any more.
 */
export function stepRelayed(state: ProposerState, relay: Relay, end: Lsn): ProposerState | null {
  assert(end > relay.begin, 'what was handed on is not nothing');
  const follower = inContact(state, relay.to, relay.contact, 'following');
  if (state.phase !== 'leading' || follower === null) return null;
  if (!follower.relaying || follower.sentLsn !== relay.begin) return null;
  return withMember(state, relay.to, { relaying: false, sentLsn: end, recordLsn: end });
}

/** `from` did not hand on what `to` lacks: somebody else may. */
export function stepRelayFailed(state: ProposerState, relay: Relay): ProposerDecision {
  let next = state;
  if (isPresent(state, relay.to, relay.contact))
    next = withMember(next, relay.to, { relaying: false });
  return stepLost(next, relay.from, relay.fromContact);
}

/** An acceptor did not answer, or refused: nothing is expected of it until it is contacted anew. */
export function stepLost(state: ProposerState, id: AcceptorId, contact: number): ProposerDecision {
  const lost = isPresent(state, id, contact)
    ? withMember(state, id, { phase: 'lost', relaying: false })
    : state;
  return state.phase === 'leading' ? feed(lost, []) : nothing(lost);
}

/** Contacts an acceptor anew, unless that was done since `contact`. */
export function stepReconnect(
  state: ProposerState,
  id: AcceptorId,
  contact: number,
): ProposerDecision {
  if (state.phase === 'fenced' || !isPresent(state, id, contact)) return nothing(state);
  return contactAnew(state, [id]);
}

/**
 * The members are others now. A leader keeps its term, its log and what it has committed, and goes on
 * when a majority of the new configuration follows; an election begins anew.
 */
export function stepReconfigure(
  state: ProposerState,
  configuration: Configuration,
): ProposerDecision {
  const older = configuration.generation <= state.configuration.generation;
  if (state.phase === 'fenced' || older) return nothing(state);
  if (state.phase !== 'leading') return campaign(configuration, state.contacts);
  const ids = allMembers(configuration);
  const members = ids.map((id) => state.members.find((each) => each.id === id) ?? newMember(id));
  return contactAnew({ ...state, configuration, members }, ids);
}

/** Whether a majority follows, so that the commit position is the end of what it has. */
export function canStream(state: ProposerState): boolean {
  if (state.phase !== 'leading' || !state.settled) return false;
  return hasQuorum(state.configuration, (id) => member(state, id).phase === 'following');
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
  const commitLsn = lsn(Math.max(...votes.map((vote) => vote.commitLsn)));
  ensure(commitLsn <= start, 'log_diverged', {
    acceptor: best.acceptor,
    start: formatLsn(start),
    commit: formatLsn(commitLsn),
  });
  const next: ProposerState = {
    ...state,
    phase: 'leading',
    termStart: start,
    history,
    lastRecordStart: best.lastRecordStart,
    donor: best.acceptor,
    windowLsn: start,
    endLsn: start,
    commitLsn,
    truncateLsn: lsn(Math.max(...votes.map(({ truncateLsn }) => truncateLsn))),
  };
  return install(
    next,
    votes.map(({ acceptor }) => acceptor),
  );
}

function install(state: ProposerState, ids: readonly AcceptorId[]): ProposerDecision {
  let next = state;
  const effects: ProposerEffect[] = [];
  for (const id of ids) {
    const { vote, contact } = member(state, id);
    assert(vote !== null, 'whoever is to follow has said where its log ends');
    const start = highestCommonPoint(state.history, vote);
    ensure(start !== null, 'log_diverged', { acceptor: id });
    next = withMember(next, id, { phase: 'joining' });
    effects.push({ kind: 'install', to: id, contact, start });
  }
  return { state: next, effects };
}

function requestVote(state: ProposerState, id: AcceptorId): ProposerEffect {
  return { kind: 'requestVote', to: id, contact: member(state, id).contact };
}

function fence(state: ProposerState, by: Term): ProposerDecision {
  return { state: { ...state, phase: 'fenced' }, effects: [{ kind: 'fenced', term: by }] };
}

function nothing(state: ProposerState): ProposerDecision {
  return { state, effects: [] };
}
