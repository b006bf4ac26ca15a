/**
 * Replication: what a leading proposer sends to whom, and what a majority has.
 *
 * A member that lacks WAL of the window is sent it; what it lacks below comes from another that has it,
 * in whole records.
 */
import { lsn, lsnZero, maxLsn, minLsn, type Lsn } from '../base/lsn.ts';
import { quorumLsn } from './membership.ts';
import {
  member,
  type MemberState,
  type ProposerDecision,
  type ProposerEffect,
  type ProposerState,
} from './proposer-state.ts';

/** Bytes of one append, at most; and how far an acceptor's answers may lag behind what was sent. */
const appendBytesMax = 1_048_576;
export const inFlightBytesMax = 8 * appendBytesMax;

/** What a majority has may have moved: says so, and sends on. */
export function advance(state: ProposerState): ProposerDecision {
  const { configuration, termStart } = state;
  // Raft's figure 8: a log that has not reached our term's start may still be cut by another.
  const majority = quorumLsn(configuration, (id) => {
    const { phase, flushLsn } = member(state, id);
    return phase === 'following' && flushLsn >= termStart ? flushLsn : lsnZero;
  });
  // A majority of other members may have less than what was committed with the former ones.
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

/** Bytes sent out that no majority has answered for. */
export function unansweredBytes(state: ProposerState): number {
  const answered = quorumLsn(state.configuration, (id) => {
    const { phase, answeredLsn } = member(state, id);
    return phase === 'following' ? maxLsn(answeredLsn, state.windowLsn) : state.windowLsn;
  });
  return Math.max(0, state.endLsn - answered);
}

/** Sends every follower what it lacks, as far as its answers allow; tells it of commits. */
export function feed(state: ProposerState, effects: ProposerEffect[]): ProposerDecision {
  const members = state.members.map((each) =>
    each.phase === 'following' && !each.relaying ? feedMember(state, each, effects) : each,
  );
  return { state: { ...state, members }, effects };
}

function slowest(state: ProposerState): Lsn {
  const reached = state.members.map(({ phase, flushLsn }) =>
    phase === 'following' ? flushLsn : lsnZero,
  );
  return lsn(Math.min(...reached));
}

function feedMember(
  state: ProposerState,
  follower: MemberState,
  effects: ProposerEffect[],
): MemberState {
  const { id: to, contact, answeredLsn } = follower;
  if (follower.sentLsn < state.windowLsn) return relay(state, follower, effects);
  let { sentLsn, toldLsn } = follower;
  while (sentLsn < state.endLsn && sentLsn - answeredLsn < inFlightBytesMax) {
    const end = minLsn(lsn(sentLsn + appendBytesMax), state.endLsn);
    effects.push({ kind: 'append', to, contact, begin: sentLsn, end });
    sentLsn = end;
    toldLsn = state.commitLsn;
  }
  if (toldLsn < state.commitLsn) {
    effects.push({ kind: 'append', to, contact, begin: sentLsn, end: sentLsn });
    toldLsn = state.commitLsn;
  }
  return { ...follower, sentLsn, toldLsn };
}

/** Others hand on whole records: what was sent of one is sent again, once nothing is on its way. */
function relay(
  state: ProposerState,
  follower: MemberState,
  effects: ProposerEffect[],
): MemberState {
  const { id: to, contact, recordLsn: begin, sentLsn, answeredLsn } = follower;
  if (begin < sentLsn && answeredLsn < sentLsn) return follower;
  if (begin - answeredLsn >= inFlightBytesMax) return follower;
  const from = state.members.find((each) => hasWal(state, each, begin));
  if (from === undefined) return follower;
  effects.push({ kind: 'relay', begin, from: from.id, fromContact: from.contact, to, contact });
  return { ...follower, sentLsn: begin, relaying: true };
}

/** Whether a member has WAL of our log from `begin` on. */
function hasWal({ donor }: ProposerState, each: MemberState, begin: Lsn): boolean {
  const { id, phase, flushLsn, vote } = each;
  const ours = phase === 'following' || (phase === 'joining' && id === donor);
  return ours && flushLsn > begin && vote !== null && vote.firstLsn <= begin;
}
