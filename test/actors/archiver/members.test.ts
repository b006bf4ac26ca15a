/**
 * Archivers of several members, and members that need WAL which all others have removed.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type ProposerDescription } from '../../../src/actors/proposer/protocol.ts';
import { type ElectResult } from '../../../src/actors/proposer/protocol.ts';
import { lsnZero, type Lsn } from '../../../src/base/lsn.ts';
import { askProposer, electing, spawnProposer } from '../proposer/cluster.ts';
import { TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';
import { store } from '../quorum-registry.ts';
import {
  archiverIs,
  ends,
  firstKey,
  late,
  second,
  spawnArchiver,
  start,
  until,
} from './archivers.ts';

const limits = { timeout: 60_000 };
const members = ['a', 'b', 'c'] as const;
const middle = ends[400]!;
const early = ends[40]!;

test(
  'archivers: the lowest of the members that know of a commit stores it, all compare it',
  limits,
  async () => {
    await withMembers(async (host, [a, b]) => {
      await commit(host, [...members], late);
      await spawnArchiver(host, b);
      await archiverIs(host, () => store.count(`get ${firstKey}`) > 2, 'b');
      const puts = store.count('put');

      await spawnArchiver(host, a);
      for (const name of ['a', 'b']) await archiverIs(host, ({ resting }) => resting, name);

      deepEqual([puts, store.count(`put ${firstKey}`) - store.count(`put ${firstKey}.`)], [0, 1]);
      const kept = await Promise.all([a, b].map(async (each) => (await each.describe()).keptLsn));
      deepEqual(kept, [second, second]);
    });
  },
);

test(
  'archivers: whose turn it is and does not come is not waited for for ever',
  limits,
  async () => {
    await withMembers(async (host, [, b]) => {
      await commit(host, [...members], late);

      await spawnArchiver(host, b);

      await archiverIs(host, ({ resting }) => resting, 'b'); // though a answers, and has no archiver
      ok(store.objects.has(firstKey));
    });
  },
);

test('archivers: one that finds other bytes than its own halts alone', limits, async () => {
  await withMembers(async (host, [a, b]) => {
    await commit(host, [...members], late);
    await spawnArchiver(host, a);
    await archiverIs(host, ({ resting }) => resting, 'a');
    store.objects.get(firstKey)![77]! ^= 1;

    await spawnArchiver(host, b);

    await archiverIs(host, ({ halted }) => halted !== null, 'b');
    equal((await b.describe()).keptLsn, start);
    equal((await archiverIs(host, () => true, 'a')).halted, null);
  });
});

test(
  'proposer: a member that was away while the window moved catches up from the archive',
  limits,
  async () => {
    await withMembers(async (host, [a, b, c]) => {
      await commit(host, [...members], early);
      await c.stop();
      await commit(host, ['a', 'b'], late);
      for (const each of [a, b]) await spawnArchiver(host, each);
      for (const name of ['a', 'b']) await archiverIs(host, ({ resting }) => resting, name);
      deepEqual([(await a.describe()).keptLsn, (await b.describe()).keptLsn], [second, second]);

      await c.start({ newborn: false, archiver: 'archiver/c' });
      await reaches(c, late);

      const { bytes } = await c.copy(start, late - start);
      equal(Buffer.compare(bytes, c.bytes(start, late)), 0);
    });
  },
);

test(
  'proposer: who needs the archive waits while it is away, and nobody else does',
  limits,
  async () => {
    await withMembers(async (host, [a, b, c]) => {
      await commit(host, [...members], early);
      await c.stop();
      await commit(host, ['a', 'b'], ends.at(-9)!);
      for (const each of [a, b]) await spawnArchiver(host, each);
      for (const name of ['a', 'b']) await archiverIs(host, ({ resting }) => resting, name);
      store.fault = 'away';
      await c.start({ newborn: false, archiver: 'archiver/c' });
      await until(() => lost(host, 'c').some((failure) => failure.includes('archive')));

      await commit(host, ['a', 'b'], late);
      const { members: seen } = await describe(host);
      store.fault = null;

      await reaches(c, late);
      deepEqual(
        seen.filter(({ id }) => id !== 'c').map(({ id, phase }) => `${id} ${phase}`),
        ['a following', 'b following'],
      );
      deepEqual([...lost(host, 'a'), ...lost(host, 'b')], []);
    });
  },
);

test('joiner: what it does not copy is read from the archive by way of it', limits, async () => {
  await withMembers(async (host, [a]) => {
    await commit(host, [...members], late);
    await spawnArchiver(host, a);
    await archiverIs(host, ({ resting }) => resting, 'a');
    const joiner = await new TestAcceptor(host, 'd.2').start({ archiver: 'archiver/a' });

    await joiner.join(await a.describeLog());

    const { keptLsn, firstLsn } = await joiner.describe();
    deepEqual([keptLsn, firstLsn], [second, start]);
    const { bytes } = await joiner.copy(start, middle - start);
    equal(Buffer.compare(bytes, a.bytes(start, middle)), 0);
  });
});

type Three = readonly [TestAcceptor, TestAcceptor, TestAcceptor];

/** Three acceptors and a proposer that was elected by them. */
async function withMembers(body: (host: QuorumHost, three: Three) => Promise<void>): Promise<void> {
  await withQuorum(async (host) => {
    const acceptors: TestAcceptor[] = [];
    for (const id of members) {
      const acceptor = await new TestAcceptor(host, id).start({ archiver: `archiver/${id}` });
      await acceptor.create();
      acceptors.push(acceptor);
    }
    await spawnProposer(host);
    const elected = (await askProposer(host, electing(members, 9_000))) as ElectResult;
    equal(elected.endOfLog, start);
    await body(host, acceptors as unknown as Three);
  });
}

/** Appends the fixture up to `end`, and waits until those members know that it is committed. */
async function commit(host: QuorumHost, ids: readonly string[], end: Lsn): Promise<void> {
  const acceptors = ids.map((id) => new TestAcceptor(host, id));
  const { receivedLsn: begin } = await describe(host);
  const bytes = acceptors[0]!.bytes(begin, end);
  await askProposer(host, { kind: 'appendRecord', begin, bytes });
  for (const acceptor of acceptors) await reaches(acceptor, end);
}

async function reaches(acceptor: TestAcceptor, end: Lsn): Promise<void> {
  let commitLsn = lsnZero;
  while (commitLsn < end) ({ commitLsn } = await acceptor.describe());
}

function describe(host: QuorumHost): Promise<ProposerDescription> {
  return askProposer(host, { kind: 'describeProposer' }) as Promise<ProposerDescription>;
}

/** Why the proposer said that it had lost a member, each time. */
function lost({ logged }: QuorumHost, id: string): readonly string[] {
  return logged
    .filter(({ text, values }) => text === 'an acceptor is lost' && values['acceptor'] === id)
    .map(({ values }) => String(values['failure']));
}
