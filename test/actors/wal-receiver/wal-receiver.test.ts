/**
 * The wal-receiver between a real acceptor and a timeline that only collects.
 */
import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type WalReceiverOptions } from '../../../src/actors/wal-receiver/protocol.ts';
import { type Lsn } from '../../../src/base/lsn.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { type DoubleBranches } from '../control-double.ts';
import { recordEnds, TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';
import { collected } from '../timeline-double.ts';

const { start } = walFixture(18);
const ends = recordEnds(walFixture(18));
const middle = ends[400]!;
const late = ends.at(-1)!;
/** Paths of the acceptors, as control knows them. */
const present: string[] = [];

test('wal-receiver: brings the timeline all committed WAL, in order', async () => {
  await withReceiver(async (acceptor) => {
    await acceptor.append(start, late);
    await acceptor.commit(late);

    await collectedUpTo(late);

    equal(Buffer.compare(content(), acceptor.bytes(start, late)), 0);
    ok(collected.chunks.length > 10);
  });
});

test('wal-receiver: gives the timeline one chunk at a time', async () => {
  await withReceiver(async (acceptor) => {
    await acceptor.append(start, late);
    await acceptor.commit(late);

    await collectedUpTo(late);

    equal(collected.inFlightMax, 1);
  });
});

test('wal-receiver: hears of a commit while it waits', async () => {
  await withReceiver(async (acceptor) => {
    await acceptor.append(start, middle);
    await acceptor.commit(middle);
    await collectedUpTo(middle);

    await acceptor.append(middle, late);
    await acceptor.commit(late);
    await collectedUpTo(late);

    equal(Buffer.compare(content(), acceptor.bytes(start, late)), 0);
  });
});

test('wal-receiver: commits that come quickly share a chunk', async () => {
  await withReceiver(async (acceptor) => {
    const few = ends.slice(0, 21);
    await acceptor.append(start, few[0]!);
    await acceptor.commit(few[0]!);
    await collectedUpTo(few[0]!);

    for (let next = 1; next < few.length; next += 1) {
      await acceptor.append(few[next - 1]!, few[next]!);
      await acceptor.commit(few[next]!);
      for (let turn = 0; turn < 20; turn += 1) await setImmediate(); // time for a reader in no pause
    }
    await collectedUpTo(few.at(-1)!);

    equal(Buffer.compare(content(), acceptor.bytes(start, few.at(-1)!)), 0);
    ok(collected.chunks.length < few.length / 2, `chunks: ${collected.chunks.length}`);
  });
});

test('wal-receiver: begins again where the timeline stands after a refusal', async () => {
  await withReceiver(async (acceptor) => {
    collected.refusals = 3;
    await acceptor.append(start, late);
    await acceptor.commit(late);

    await collectedUpTo(late);

    equal(Buffer.compare(content(), acceptor.bytes(start, late)), 0);
  });
});

test('wal-receiver: an acceptor that starts anew costs nothing', async () => {
  await withReceiver(async (acceptor) => {
    await acceptor.append(start, middle);
    await acceptor.commit(middle);
    await collectedUpTo(middle);

    await acceptor.restart();
    await acceptor.append(middle, late);
    await acceptor.commit(late);
    await collectedUpTo(late);

    equal(Buffer.compare(content(), acceptor.bytes(start, late)), 0);
  });
});

test('wal-receiver: when all acceptors have been replaced it reads from the new ones', async () => {
  await withReceiver(async (acceptor, host) => {
    await acceptor.append(start, middle);
    await acceptor.commit(middle);
    await collectedUpTo(middle);
    const heir = await new TestAcceptor(host, 'heir').start();
    await heir.create();
    await heir.elect(1);
    await heir.append(start, late);
    await heir.commit(late);

    present.splice(0, 1, heir.path);
    await acceptor.stop();
    await collectedUpTo(late);

    equal(Buffer.compare(content(), acceptor.bytes(start, late)), 0);
  });
});

test('wal-receiver: nor is it lost when its acceptors are silent, and no members any more', async () => {
  await withReceiver(
    async (acceptor, host) => {
      await acceptor.append(start, middle);
      await acceptor.commit(middle);
      await collectedUpTo(middle);
      const heir = await new TestAcceptor(host, 'heir').start();
      await heir.create();
      await heir.elect(1);
      await heir.append(start, late);
      await heir.commit(late);

      present.splice(0, 1, heir.path);
      await collectedUpTo(late);

      equal(Buffer.compare(content(), acceptor.bytes(start, late)), 0);
    },
    { wait_ms: 20 },
  );
});

async function withReceiver(
  body: (acceptor: TestAcceptor, host: QuorumHost) => Promise<void>,
  given: Partial<WalReceiverOptions> = {},
): Promise<void> {
  Object.assign(collected, { chunks: [], refusals: 0, inFlightMax: 0 });
  await withQuorum(async (host) => {
    const acceptor = await new TestAcceptor(host).start();
    await acceptor.create();
    await acceptor.elect(1);
    present.splice(0, present.length, acceptor.path);
    await spawnReceiver(host, given);
    await body(acceptor, host);
  });
}

async function spawnReceiver(
  { runtime }: QuorumHost,
  given: Partial<WalReceiverOptions>,
): Promise<void> {
  const identity = { systemId: '1', major: 18, segmentSize: fixtureSegmentSize };
  const ranges = [{ timeline: 't', acceptors: present, from: start, to: null }];
  const branches: DoubleBranches = { main: { ...identity, ranges } };
  await runtime.spawn({ behavior: 'control', name: 'host', options: branches, thread: null });
  await runtime.spawn({
    behavior: 'timeline',
    name: 't',
    options: { startLsn: start },
    thread: null,
  });
  const options: WalReceiverOptions = {
    acceptorPaths: [...present],
    timeline: 't',
    timelinePath: 'timeline/t',
    control: 'control/host',
    chunkBytesMax: 20_000,
    gather_ms: 1_000,
    reader: 'test',
    wait_ms: 5_000,
    answerTimeout_ms: 5_000,
    retry_ms: 5,
    ...given,
  };
  await runtime.spawn({ behavior: 'wal-receiver', name: 't', options, thread: null });
}

/** Resolves when the timeline has everything up to `end`. */
function collectedUpTo(end: Lsn): Promise<void> {
  return new Promise((resolve) => {
    function look(): void {
      const last = collected.chunks.at(-1);
      if (last !== undefined && last.begin + last.bytes.length >= end) resolve();
    }
    collected.onChunk = look;
    look();
  });
}

function content(): Buffer {
  return Buffer.concat(collected.chunks.map(({ bytes }) => bytes));
}
