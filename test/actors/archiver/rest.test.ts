/**
 * Archivers and acceptors at rest cost nothing, and miss nothing.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type QuorumHost } from '../quorum-host.ts';
import { store } from '../quorum-registry.ts';
import { append, archiverIs, ends, firstKey, late, second, withArchiver } from './archivers.ts';

const limits = { timeout: 30_000 };
const middle = ends[400]!;

test('rest: an idle timeline has no open file, no timer and no ask under way', limits, async () => {
  await withArchiver(middle, async (acceptor, host) => {
    ok(filesOpenBelow(host.directory).length > 0);

    await archiverIs(host, ({ resting }) => resting);

    await acceptor.describe();
    while ((await timersOf(host)) > 0) await sleep(1); // the acceptor's position, 20 ms after its sync
    const calls = store.calls.length;
    await sleep(100);
    deepEqual(filesOpenBelow(host.directory), []);
    deepEqual(await busy(host), { timers: 0, pendingAsks: 0 });
    equal(store.calls.length, calls);
  });
});

test('rest: it ends with the next append, and what came then is archived', limits, async () => {
  await withArchiver(middle, async (acceptor, host) => {
    await archiverIs(host, ({ resting }) => resting);

    await append(acceptor, middle, late);

    await archiverIs(host, ({ resting, archivedLsn }) => resting && archivedLsn === second);
    ok(store.objects.has(firstKey));
  });
});

test('rest: a read below the window leaves no memory and no timer behind', limits, async () => {
  await withArchiver(late, async (acceptor, host) => {
    await archiverIs(host, ({ resting }) => resting);

    await acceptor.copy(acceptor.fixture.start, 1_000);
    const reads = store.count(`get ${firstKey}`);
    await acceptor.copy(acceptor.fixture.start, 1_000);

    equal(store.count(`get ${firstKey}`), reads, 'the segment is remembered');
    while ((await timersOf(host)) > 0) await sleep(10);
    await acceptor.copy(acceptor.fixture.start, 1_000);
    ok(store.count(`get ${firstKey}`) > reads, 'and forgotten');
  });
});

async function timersOf(host: QuorumHost): Promise<number> {
  return (await busy(host)).timers;
}

/** Of the runtime, which has the acceptor and its archiver only. */
async function busy({ runtime }: QuorumHost): Promise<{ timers: number; pendingAsks: number }> {
  const [main] = await runtime.stats();
  const { timers, pendingAsks } = main!;
  return { timers, pendingAsks };
}

function filesOpenBelow(folder: string): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    const path = targetOf(descriptor);
    return path.startsWith(folder) ? [path] : [];
  });
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return ''; // the one the listing itself was read through
  }
}
