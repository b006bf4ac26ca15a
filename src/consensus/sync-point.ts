/**
 * SyncPoint: what the members of a new configuration must have reached before it stands alone.
 *
 * Once a majority of the old members follows the joint configuration, the old ones alone commit nothing
 * more and elect nobody. Whatever they did before is at or below the furthest log among that majority,
 * in a term at or below the highest.
 */
import { type Lsn } from '../base/lsn.ts';
import { hasMajority, type AcceptorId } from './membership.ts';
import { type ConfigureResult } from './messages.ts';
import { term, type Term } from './term.ts';

export interface SyncPoint {
  readonly term: Term;
  readonly lastLogTerm: Term;
  readonly flushLsn: Lsn;
}

type Standings = readonly ConfigureResult[];

/** null until a majority of the old members has answered. */
export function syncPoint(members: readonly AcceptorId[], standings: Standings): SyncPoint | null {
  const old = standings.filter(({ acceptor }) => members.includes(acceptor));
  if (!hasMajority(members, (id) => standingOf(old, id) !== null)) return null;
  const { lastLogTerm, flushLsn } = old.reduce((a, b) => (comparePositions(b, a) > 0 ? b : a));
  return { term: term(Math.max(...old.map((each) => each.term))), lastLogTerm, flushLsn };
}

/** Whether a majority of the new members, and every one of `joiners`, has reached it. */
export function isReached(
  sync: SyncPoint,
  target: readonly AcceptorId[],
  {
    joiners,
    standings,
  }: { readonly joiners: readonly AcceptorId[]; readonly standings: Standings },
): boolean {
  const reached = standings
    .filter((each) => each.term >= sync.term && comparePositions(each, sync) >= 0)
    .map(({ acceptor }) => acceptor);
  const joined = joiners.every((id) => reached.includes(id));
  return joined && hasMajority(target, (id) => reached.includes(id));
}

/** Whether a joiner's next WAL is kept by none of the old members that have answered. */
export function isOutOfReach(
  members: readonly AcceptorId[],
  {
    joiners,
    standings,
  }: { readonly joiners: readonly AcceptorId[]; readonly standings: Standings },
): boolean {
  const donors = standings.filter(({ acceptor }) => members.includes(acceptor));
  return joiners.some((id) => {
    const found = standingOf(standings, id);
    return found !== null && donors.every(({ firstLsn }) => firstLsn > found.flushLsn);
  });
}

function standingOf(standings: Standings, id: AcceptorId): ConfigureResult | null {
  return standings.find(({ acceptor }) => acceptor === id) ?? null;
}

function comparePositions(
  a: Pick<SyncPoint, 'lastLogTerm' | 'flushLsn'>,
  b: Pick<SyncPoint, 'lastLogTerm' | 'flushLsn'>,
): number {
  return a.lastLogTerm !== b.lastLogTerm ? a.lastLogTerm - b.lastLogTerm : a.flushLsn - b.flushLsn;
}
