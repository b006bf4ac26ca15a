/**
 * The archiver between a real acceptor and a store that fails, lies, forgets, is full or slow.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { type ArchiverMessage } from '../../../src/actors/archiver/protocol.ts';
import { partialKey } from '../../../src/actors/archiver/archive-names.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { fixtureSegmentSize } from '../../postgres/wal-fixture.ts';
import { withQuorum, type QuorumHost, type TestAcceptor } from '../quorum-host.ts';
import { archivedAtOnce, store } from '../quorum-registry.ts';
import { collected } from '../timeline-double.ts';
import {
  append,
  archiverIs,
  describeArchiver,
  ends,
  firstKey,
  late,
  second,
  secondKey,
  spawnArchiver,
  start,
  until,
  withArchiver,
  written,
} from './archivers.ts';

const limits = { timeout: 30_000 };
const middle = ends[400]!;

test(
  'archiver: a whole segment is stored byte for byte, and leaves the acceptor',
  limits,
  async () => {
    await withArchiver(late, async (acceptor, host) => {
      await archiverIs(host, ({ resting }) => resting);

      same(store.objects.get(firstKey), acceptor.bytes(start, second));
      equal((await acceptor.describe()).keptLsn, second);
      equal((await acceptor.describe()).firstLsn, start);
    });
  },
);

test('archiver: few hold a segment in memory at a time, the others wait', limits, async () => {
  await withQuorum(async (host) => {
    const { promise: opened, resolve: open } = Promise.withResolvers<undefined>();
    store.gate = opened;
    const names = ['t', 'u', 'v', 'w'];
    for (const name of names) {
      const acceptor = await written(host, name, late);
      await spawnArchiver(host, acceptor, { timeline: name });
    }
    try {
      await until(() => copying(host) >= archivedAtOnce);
      for (let times = 0; times < 20; times += 1) await describeArchiver(host, 'w');
      equal(copying(host), archivedAtOnce);
    } finally {
      open(undefined);
    }

    for (const name of names) await archiverIs(host, ({ resting }) => resting, name);
    for (const name of names)
      equal(store.objects.has(firstKey.replace('/t/', `/${name}/`)), true, name);
  });
});

test('archiver: what left the acceptor is still read from it', limits, async () => {
  await withArchiver(late, async (acceptor, host) => {
    await archiverIs(host, ({ resting }) => resting);

    let at = start;
    while (at < late) {
      const { bytes, begin } = await acceptor.read(at, 300_000);
      same(bytes, acceptor.bytes(begin, lsn(begin + bytes.length)));
      at = lsn(begin + bytes.length);
    }
    const { bytes } = await acceptor.copy(lsn(second - 5_000), 9_000);
    same(bytes, acceptor.bytes(lsn(second - 5_000), lsn(second + 4_000)));
  });
});

test(
  'archiver: while the store is away nothing is removed, and readers are told',
  limits,
  async () => {
    await withArchiver(late, async (acceptor, host) => {
      await archiverIs(host, ({ resting }) => resting);
      store.fault = 'away';

      await rejects(acceptor.read(start), { code: 'archive_unavailable' });
      await rejects(acceptor.copy(start, 100), { code: 'archive_unavailable' });
      store.fault = null;
      same((await acceptor.copy(start, 100)).bytes, acceptor.bytes(start, lsn(start + 100)));
    });
  },
);

test('archiver: what the store has no more is refused as removed', limits, async () => {
  await withArchiver(late, async (acceptor, host) => {
    await archiverIs(host, ({ resting }) => resting);
    store.objects.clear();

    await rejects(acceptor.read(start), { code: 'wal_removed' });
    await rejects(acceptor.copy(start, 100), { code: 'wal_removed' });
  });
});

test('archiver: WAL that has rotted on the acceptor’s disk is not stored', limits, async () => {
  await withQuorum(async (host) => {
    const acceptor = await written(host, 't', late);
    const file = openSync(join(acceptor.directory, 'wal', basename(firstKey)), 'r+');
    const rotten = ends[100]! - (second - fixtureSegmentSize) - 9;
    writeSync(file, Buffer.from([0xa5, 0x5a, 0xa5]), 0, 3, rotten);
    closeSync(file);
    await spawnArchiver(host, acceptor);

    const { trouble } = await archiverIs(host, (now) => now.trouble !== null);

    match(trouble!, /^wal /);
    equal(store.objects.size, 0);
    equal((await acceptor.describe()).keptLsn, start);
  });
});

for (const fault of ['away', 'full', 'forgets'] as const)
  test(
    `archiver: with a store that is or does ${fault} it waits, and goes on after`,
    limits,
    async () => {
      store.reset();
      await withQuorum(async (host) => {
        store.fault = fault;
        const acceptor = await written(host, 't', late);
        await spawnArchiver(host, acceptor);
        await archiverIs(host, ({ trouble }) => trouble !== null);
        const failed = store.calls.length;
        await until(() => store.calls.length > failed + 3);
        const { keptLsn } = await acceptor.describe();
        const before = await describeArchiver(host);

        store.fault = null;

        const after = await archiverIs(host, ({ resting }) => resting);
        deepEqual([keptLsn, before.archivedLsn, before.halted], [start, start, null]);
        deepEqual([after.archivedLsn, after.trouble], [second, null]);
        same(store.objects.get(firstKey), acceptor.bytes(start, second));
        equal((await acceptor.describe()).keptLsn, second);
      });
    },
  );

test(
  'archiver: a store that keeps other bytes halts it, and nothing is removed',
  limits,
  async () => {
    await withQuorum(async (host) => {
      store.fault = 'lies';
      const acceptor = await written(host, 't', late);
      await spawnArchiver(host, acceptor);

      const { halted, archivedLsn } = await archiverIs(host, (now) => now.halted !== null);

      match(halted!, /archive differs/);
      equal(archivedLsn, start);
      equal((await acceptor.describe()).keptLsn, start);
      ok(host.logged.some(({ level, text }) => level === 'error' && text.includes('no more')));
      const calls = store.calls.length;
      await append(acceptor, late, late);
      await describeArchiver(host);
      equal(store.calls.length, calls);
    });
  },
);

test('archiver: an object that differs is not written over', limits, async () => {
  await withQuorum(async (host) => {
    const acceptor = await written(host, 't', late);
    const others = acceptor.bytes(start, lsn(second - 8));
    store.objects.set(firstKey, others);
    await spawnArchiver(host, acceptor);

    await archiverIs(host, (now) => now.halted !== null);

    equal(store.objects.get(firstKey), others);
    equal((await acceptor.describe()).keptLsn, start);
  });
});

test(
  'archiver: an object that is there already is compared, and not stored again',
  limits,
  async () => {
    await withQuorum(async (host) => {
      const acceptor = await written(host, 't', late);
      store.objects.set(firstKey, acceptor.bytes(start, second));
      await spawnArchiver(host, acceptor);

      await archiverIs(host, ({ resting }) => resting);

      equal(store.count(`put ${firstKey}`), store.count(`put ${firstKey}.`));
      equal((await acceptor.describe()).keptLsn, second);
    });
  },
);

test('archiver: while the store is slow commits go on and WAL stays', limits, async () => {
  await withQuorum(async (host) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    store.gate = promise;
    const acceptor = await written(host, 't', second);
    await spawnArchiver(host, acceptor);
    await until(() => store.count(`get ${firstKey}`) > 0);

    await append(acceptor, second, late);
    const { keptLsn, commitLsn } = await acceptor.describe();
    resolve(undefined);

    deepEqual([keptLsn, commitLsn], [start, late]);
    await archiverIs(host, ({ resting }) => resting);
    equal((await acceptor.describe()).keptLsn, second);
  });
});

test(
  'archiver: one that dies between storing and removing is followed by one that does',
  limits,
  async () => {
    await withArchiver(
      late,
      async (acceptor, host) => {
        await spawnCopy(host);
        collected.durableLsn = start;
        await archiverIs(host, ({ archivedLsn }) => archivedLsn === second);
        const { keptLsn } = await acceptor.describe();
        collected.durableLsn = late;

        host.runtime.faults.killActor('archiver/t');

        await archiverIs(host, ({ resting }) => resting);
        equal(keptLsn, start);
        equal((await acceptor.describe()).keptLsn, second);
        equal(store.count(`put ${firstKey}`), 1);
      },
      { copies: ['timeline/t'], idle_ms: 50 },
    );
  },
);

test(
  'archiver: the window is held by a copy of the pages that has not written them out',
  limits,
  async () => {
    await withArchiver(
      late,
      async (acceptor, host) => {
        await spawnCopy(host);
        collected.durableLsn = lsn(second - 8);
        await archiverIs(host, ({ resting }) => resting);
        const held = await acceptor.describe();
        collected.durableLsn = second;
        await wake(acceptor);
        await archiverIs(host, ({ resting }) => resting);

        deepEqual([held.keptLsn, (await acceptor.describe()).keptLsn], [start, second]);
      },
      { copies: ['timeline/t'] },
    );
  },
);

test(
  'archiver: a copy that is away holds the window, until it is one no more',
  limits,
  async () => {
    await withArchiver(
      late,
      async (acceptor, host) => {
        await archiverIs(host, ({ resting }) => resting);
        const held = await acceptor.describe();
        tellArchiver(host, { kind: 'copiesChanged', copies: [] });
        await wake(acceptor);
        await archiverIs(host, ({ resting }) => resting);

        deepEqual([held.keptLsn, (await acceptor.describe()).keptLsn], [start, second]);
      },
      { copies: ['timeline/away'] },
    );
  },
);

test('archiver: so much stays as is to be kept', limits, async () => {
  await withArchiver(
    late,
    async (acceptor, host) => {
      await archiverIs(host, ({ resting }) => resting);

      equal((await acceptor.describe()).keptLsn, start);
      ok(store.objects.has(firstKey));
    },
    { keep_bytes: late - second + 1 },
  );
});

test(
  'archiver: of an idle timeline the last segment is stored in part, then longer, then whole',
  limits,
  async () => {
    await withArchiver(middle, async (acceptor, host) => {
      await archiverIs(host, ({ resting }) => resting);
      const first = [...store.objects.keys()];
      same(store.objects.get(first[0]!), acceptor.bytes(start, middle));
      await append(acceptor, middle, ends[500]!);
      await archiverIs(host, ({ resting, partialLsn }) => resting && partialLsn === ends[500]);
      const longer = [...store.objects.keys()];
      await append(acceptor, ends[500]!, late);
      await archiverIs(host, ({ resting, archivedLsn }) => resting && archivedLsn === second);
      const whole = [...store.objects.keys()].sort();

      deepEqual(first, [partialKey(firstKey, middle)]);
      deepEqual(longer, [partialKey(firstKey, ends[500]!)]);
      deepEqual(whole, [firstKey, partialKey(secondKey, late)]);
    });
  },
);

test('archiver: of a branch that never wrote there is nothing', limits, async () => {
  await withArchiver(start, async (_acceptor, host) => {
    await archiverIs(host, ({ resting }) => resting);

    equal(store.objects.size, 0);
  });
});

function same(found: Uint8Array | undefined, expected: Uint8Array): void {
  equal(Buffer.compare(found!, expected), 0);
}

/** The archiver hears of it before this returns. */
async function wake(acceptor: TestAcceptor): Promise<void> {
  await acceptor.commit(late);
}

function tellArchiver({ runtime }: QuorumHost, message: ArchiverMessage): void {
  runtime.tell(runtime.ref<ArchiverMessage>('archiver/t'), message);
}

async function spawnCopy({ runtime }: QuorumHost): Promise<void> {
  const options = { startLsn: start };
  await runtime.spawn({ behavior: 'timeline', name: 't', options, thread: null });
}

/** How many archivers have begun to read a segment. */
function copying({ asks }: QuorumHost): number {
  return new Set(asks.filter((ask) => ask.startsWith('copyWal to '))).size;
}
