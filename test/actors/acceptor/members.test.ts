/**
 * The acceptor as a member: which one it is, whether it has a say, how it joins and how it leaves.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lsn, parseLsn } from '../../../src/base/lsn.ts';
import { type Configuration } from '../../../src/consensus/membership.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { recordEnds, TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';

const { start } = walFixture(18);
const ends = recordEnds(walFixture(18));
const early = ends[9]!;
const middle = ends[400]!;
const late = ends.at(-1)!;
const second = lsn(start + fixtureSegmentSize);

test('acceptor: what another member left is refused at start', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    await acceptor.stop();

    const started = acceptor.start({ acceptor: 't.2' });

    await rejects(started, {
      code: 'acceptor_of_another_member',
      values: { own: 't', asked: 't.2', path: join(acceptor.directory, 'acceptor.control') },
    });
  });
});

test('acceptor: a member that has lost its disk votes no more, and gets no log again', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const log = await acceptor.describeLog();
    await acceptor.vote(7);
    await acceptor.stop();
    rmSync(acceptor.directory, { recursive: true });

    await acceptor.start({ newborn: false });

    const missing = { code: 'acceptor_missing', values: { acceptor: 't', timeline: 't' } };
    await rejects(acceptor.greet(acceptor.configuration), missing);
    await rejects(acceptor.vote(7), missing);
    await rejects(acceptor.append(start, early, { term: 7 }), missing);
    await rejects(acceptor.configure(acceptor.configuration), missing);
    await rejects(acceptor.create(), { code: 'acceptor_lost' });
    await rejects(acceptor.join(log), { code: 'acceptor_lost' });
    equal(existsSync(acceptor.directory), false);
  });
});

test('acceptor: a greeting meant for another member or timeline is refused, naming both', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const { configuration, identity } = acceptor;
    const newer = { ...configuration, generation: 2 };

    await rejects(acceptor.greet(newer, { to: 't.2' }), { code: 'acceptor_of_another_member' });
    for (const [what, other] of [
      ['timeline', 'u'],
      ['major', 17],
      ['systemId', '1'],
      ['segmentSize', 2 ** 24],
    ] as const) {
      const asked = { ...identity, [what]: other };
      await rejects(acceptor.greet(newer, { identity: asked }), {
        code: 'timeline_mismatch',
        values: { what, own: identity[what], asked: other },
      });
    }
    const elsewhere = { ...identity, startLsn: early };
    await rejects(acceptor.greet(newer, { identity: elsewhere }), { code: 'timeline_mismatch' });

    equal((await acceptor.describe()).configuration.generation, 1);
  });
});

test('setConfiguration: outlives a crash, and is answered with where the acceptor stands', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, 't', middle);
    const joint = { generation: 2, members: ['t', 'u', 'v'], newMembers: ['t', 'u', 'w.2'] };
    const appended = acceptor.append(middle, late); // not synced yet

    const answer = await acceptor.configure(joint, 5);
    await appended;
    await acceptor.restart();
    const { configuration, term: after } = await acceptor.describe();

    const log = { lastLogTerm: 1, flushLsn: late, commitLsn: middle, firstLsn: start };
    deepEqual(answer, { acceptor: 't', generation: 2, term: 5, ...log });
    deepEqual([configuration, after], [joint, 5]);
    await rejects(acceptor.configure(acceptor.configuration), { code: 'generation_stale' });
  });
});

test('acceptor: one that is no member any more has no say', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);

    await acceptor.configure({ generation: 1, members: ['t'], newMembers: null });
    await acceptor.configure(without(2));

    const outside = { code: 'generation_stale' };
    await rejects(acceptor.vote(9), outside);
    await rejects(acceptor.vote(9, 2), { code: 'acceptor_not_member' });
  });
});

test('removeWal: while the members change, everything is kept', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    await acceptor.configure({ generation: 2, members: ['t'], newMembers: ['t', 'u.2'] });

    const { keptLsn: kept } = await acceptor.remove(late);
    await acceptor.configure({ generation: 3, members: ['t', 'u.2'], newMembers: null });
    const { keptLsn: removed } = await acceptor.remove(late);

    deepEqual([kept, removed], [start, second]);
  });
});

test('joinTimeline: a member begins where another one keeps everything, and goes on from there', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const joiner = await new TestAcceptor(host, 'u.2').start();

    await joiner.join(await acceptor.describeLog());
    await joiner.join(await acceptor.describeLog());
    await joiner.elect(2);
    await joiner.append(start, late, { term: 2 });

    await joiner.restart({ newborn: false });
    const { flushLsn, history } = await joiner.describe();
    const terms = history.map((entry) => entry.term);
    deepEqual([flushLsn, terms], [late, [0, 1, 2]]);
    for (const name of readdirSync(join(acceptor.directory, 'wal')))
      ok(segment(joiner, name).equals(segment(acceptor, name)), name);
  });
});

test('joinTimeline: where the first segments are gone, it begins at the oldest record kept', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    await acceptor.remove(late);
    const joiner = await new TestAcceptor(host, 'u.2').start();

    const log = await acceptor.describeLog();
    await joiner.join(log);
    await joiner.elect(2);
    await joiner.append(log.beginLsn, late, { term: 2 });

    const oldest = acceptor.fixture.listing
      .map((line) => line.split('|').slice(0, 3).map(parseLsn))
      .find(([begin]) => begin! >= second)!;
    deepEqual([log.beginLsn, log.lastRecordStart], [second, oldest[2]]);
    await joiner.append(late, late, { term: 2, commitLsn: late });
    await joiner.restart({ newborn: false });
    const { firstLsn, startLsn, flushLsn } = await joiner.describe();
    deepEqual([firstLsn, startLsn, flushLsn], [second, start, late]);
    const [name] = readdirSync(join(acceptor.directory, 'wal'));
    ok(segment(joiner, name!).equals(segment(acceptor, name!)), 'the segment is whole');
    const { bytes } = await joiner.copy(second, 1_000);
    ok(Buffer.from(bytes).equals(joiner.bytes(second, lsn(second + 1_000))));
  });
});

test('joinTimeline: it has no say before it is greeted with a configuration', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const joiner = await new TestAcceptor(host, 'u.2').start();
    await joiner.join(await acceptor.describeLog());

    await rejects(joiner.vote(9), { code: 'generation_unknown' });
    await rejects(joiner.append(late, late), { code: 'generation_unknown' });
  });
});

test('leaveTimeline: the log is deleted, for good', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const waiting = acceptor.await(late, 'somebody');
    const refused = rejects(waiting, { code: 'acceptor_missing' });

    await rejects(acceptor.leave(acceptor.configuration), { code: 'acceptor_is_member' });
    await acceptor.leave(without(2));
    await refused;
    await acceptor.leave(without(2));

    await rejects(acceptor.vote(9), { code: 'acceptor_missing' });
    await rejects(acceptor.create(), { code: 'acceptor_lost' });
    deepEqual(filesOf(acceptor), ['wal']);
    await acceptor.restart({ newborn: false });
    equal((await acceptor.describe()).created, false);
  });
});

test('leaveTimeline: an older configuration than its own deletes nothing', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    await acceptor.configure({ generation: 5, members: ['t', 'u'], newMembers: null });

    await rejects(acceptor.leave(without(4)), { code: 'generation_stale' });

    equal((await acceptor.describe()).flushLsn, late);
  });
});

test('leaveTimeline: after a crash in the middle of it, another member can begin in its place', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const donor = await filled(host, 'd');
    await acceptor.stop();
    rmSync(join(acceptor.directory, 'acceptor.control'));

    await acceptor.start({ acceptor: 't.2' });
    await acceptor.join(await donor.describeLog(), 't.2');
    await acceptor.restart({ acceptor: 't.2', newborn: false });

    const { acceptor: id, flushLsn } = await acceptor.describe();
    deepEqual([id, flushLsn], ['t.2', start]);
  });
});

test('acceptor: a log copied to another member is not that member', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const other = new TestAcceptor(host, 'u');
    await acceptor.stop();
    cpSync(acceptor.directory, other.directory, { recursive: true });

    await rejects(other.start({ newborn: false }), { code: 'acceptor_of_another_member' });
  });
});

test('acceptor: who lives here begins no log for another member that was to live here', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host);
    const log = await acceptor.describeLog();

    await rejects(acceptor.join(log, 't.2'), { code: 'acceptor_of_another_member' });
  });
});

/** The fixture up to `end`, stored and committed. */
async function filled(host: QuorumHost, name = 't', end = late): Promise<TestAcceptor> {
  const acceptor = await new TestAcceptor(host, name).start();
  await acceptor.create();
  await acceptor.elect(1);
  await acceptor.append(start, end);
  await acceptor.commit(end, end);
  return acceptor;
}

function without(generation: number): Configuration {
  return { generation, members: ['u', 'v'], newMembers: null };
}

function segment({ directory }: TestAcceptor, name: string): Buffer {
  return readFileSync(join(directory, 'wal', name));
}

function filesOf({ directory }: TestAcceptor): readonly string[] {
  return readdirSync(directory).filter(
    (name) => name !== 'wal' || readdirSync(join(directory, name)).length === 0,
  );
}
