/** How far a branch's log is committed, as far as anybody can tell. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import {
  committedPosition,
  type CommitSources,
} from '../../../src/actors/control/committed-position.ts';
import { Failure } from '../../../src/base/failure.ts';
import { lsn } from '../../../src/base/lsn.ts';

const three = { generation: 1, members: ['a', 'b', 'c'], newMembers: null };

function member(
  acceptor: string,
  flush: number,
  commit: number,
): Awaited<ReturnType<CommitSources['members']>>[number] {
  return { acceptor, flushLsn: lsn(flush), commitLsn: lsn(commit) };
}

/** Nothing is known but what `more` says; notes what was asked. */
function sourcesWith(more: Partial<CommitSources>): { asked: string[]; sources: CommitSources } {
  const asked: string[] = [];
  const all: CommitSources = {
    proposed: () => Promise.resolve('gone'),
    members: () => Promise.resolve([]),
    hears: () => Promise.resolve(false),
    elect: () => Promise.reject(new Failure('quorum_unreachable', {})),
    ...more,
  };
  function noting<K extends keyof CommitSources>(name: K): CommitSources[K] {
    return ((...values: Parameters<CommitSources[K]>) => {
      asked.push([name, ...values].join(' '));
      return (all[name] as (...given: typeof values) => unknown)(...values);
    }) as CommitSources[K];
  }
  const [proposed, members, hears, elect] = [
    noting('proposed'),
    noting('members'),
    noting('hears'),
    noting('elect'),
  ];
  return { asked, sources: { proposed, members, hears, elect } };
}

test('committed position: a proposer that runs knows it', async () => {
  const { asked, sources } = sourcesWith({ proposed: () => Promise.resolve(lsn(70)) });
  equal(await committedPosition(three, sources), 70);
  deepEqual(asked, ['proposed']);
});

test('committed position: what a majority has and knows to be committed is all there is', async () => {
  const members = [member('a', 60, 60), member('c', 50, 40)];
  const { asked, sources } = sourcesWith({ members: () => Promise.resolve(members) });
  equal(await committedPosition(three, sources), 60);
  deepEqual(asked, ['proposed', 'members']);
});

test('committed position: what a majority has beyond that is waited for', async () => {
  const members = [member('a', 60, 60), member('c', 80, 40)];
  const { asked, sources } = sourcesWith({
    members: () => Promise.resolve(members),
    hears: () => Promise.resolve(true),
  });
  equal(await committedPosition(three, sources), 80);
  deepEqual(asked, ['proposed', 'members', 'hears 80']);
});

test('committed position: when nobody hears of it, an election commits it', async () => {
  const members = [member('b', 80, 60), member('c', 60, 60)];
  const { sources } = sourcesWith({
    members: () => Promise.resolve(members),
    elect: () => Promise.resolve(lsn(80)),
  });
  equal(await committedPosition(three, sources), 80);
});

test('committed position: nobody is elected against a proposer that may live', async () => {
  const { asked, sources } = sourcesWith({
    proposed: () => Promise.resolve('silent'),
    members: () => Promise.resolve([member('b', 80, 60), member('c', 60, 60)]),
    elect: () => Promise.resolve(lsn(80)),
  });
  await rejects(committedPosition(three, sources), { code: 'quorum_unreachable' });
  equal(asked.includes('elect'), false);
});

test('committed position: who loses the election asks the one that won', async () => {
  let won: number | null = null;
  const { sources } = sourcesWith({
    proposed: () => Promise.resolve(won === null ? 'gone' : lsn(won)),
    members: () => Promise.resolve([member('b', 80, 60), member('c', 60, 60)]),
    elect: () => {
      won = 90;
      return Promise.reject(new Failure('election_lost', {}));
    },
  });
  equal(await committedPosition(three, sources), 90);
});

test('committed position: without a majority it is what is known', async () => {
  const members = [member('b', 80, 60)];
  const { asked, sources } = sourcesWith({ members: () => Promise.resolve(members) });
  equal(await committedPosition(three, sources), 60);
  deepEqual(asked, ['proposed', 'members']);
});

test('committed position: it fails when nobody answers, and when nobody can be elected', async () => {
  await rejects(committedPosition(three, sourcesWith({}).sources), { code: 'quorum_unreachable' });
  const members = [member('b', 80, 60), member('c', 60, 60)];
  const { asked, sources } = sourcesWith({ members: () => Promise.resolve(members) });
  await rejects(committedPosition(three, sources), { code: 'quorum_unreachable' });
  equal(asked.filter((each) => each === 'elect').length, 5);
});
