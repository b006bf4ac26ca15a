/**
 * CommittedPosition: how far a branch's log is committed, so that nothing is missing that was acknowledged
 * before this was asked.
 *
 * The proposer that runs knows. When none can be asked, acceptors may have been told of less than was
 * acknowledged: what a majority has on disk is at least all of it. Usually they are told in a moment; if
 * not, and the proposer is gone, another one is elected to commit what there is. One that may live is never
 * elected against: that would end its Postgres.
 */
import { Failure } from '../../base/failure.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { hasQuorum, type Configuration } from '../../consensus/membership.ts';
import { type AcceptorDescription } from '../acceptor/protocol.ts';

type Member = Pick<AcceptorDescription, 'acceptor' | 'flushLsn' | 'commitLsn'>;

export interface CommitSources {
  /** `silent`: one may run that does not know, or does not say; `gone`: none does. */
  readonly proposed: () => Promise<Lsn | 'silent' | 'gone'>;
  /** Of the members that answer. */
  readonly members: () => Promise<readonly Member[]>;
  /** Whether a member hears within a moment that it is committed up to there. */
  readonly hears: (at: Lsn) => Promise<boolean>;
  /** Elects a proposer: the end of the log, which is then committed. */
  readonly elect: () => Promise<Lsn>;
}

const tries_max = 5;

/** Without a majority, what is known. Fails with `quorum_unreachable` when nobody answers, or tells. */
export async function committedPosition(
  configuration: Configuration,
  sources: CommitSources,
): Promise<Lsn> {
  let lost: Failure | null = null;
  for (let tries = 0; tries < tries_max; tries += 1) {
    const proposed = await sources.proposed();
    if (typeof proposed === 'number') return proposed;
    const members = await sources.members();
    if (members.length === 0) break;
    const told = lsn(Math.max(...members.map(({ commitLsn }) => commitLsn)));
    const stored = lsn(Math.max(...members.map(({ flushLsn }) => flushLsn)));
    const some = hasQuorum(configuration, (id) => members.some(({ acceptor }) => acceptor === id));
    if (!some || stored <= told) return told;
    if (await sources.hears(stored)) return stored;
    if (proposed === 'silent') continue;
    try {
      return await sources.elect();
    } catch (failure) {
      if (!(failure instanceof Failure) || failure.kind === 'corrupt') throw failure;
      lost = failure; // to one that runs now, and knows
    }
  }
  throw new Failure('quorum_unreachable', { why: lost?.message ?? 'nobody tells' }, lost);
}
