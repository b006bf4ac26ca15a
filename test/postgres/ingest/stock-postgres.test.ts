/**
 * Ingest beside the real thing: a stock Postgres runs a workload and is killed. What ingest makes of
 * its WAL is what it has on disk after its own crash recovery.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { keyKinds, type KeyKind } from '../../../src/base/key.ts';
import { type Checkpoint } from '../../../src/postgres/checkpoint.ts';
import { originProgress } from '../../../src/postgres/ingest/replication-origin.ts';
import { slruKinds } from '../../../src/postgres/ingest/slru-store.ts';
import { type Major } from '../../../src/postgres/major.ts';
import { makeCluster, removeCluster, type Cluster } from '../redo/oracle-server.ts';
import {
  pageContentDifferences,
  relationSizeDifferences,
  slruDifferences,
  valueDifferences,
  visibilityDifferences,
} from './compare.ts';
import { importDirectory, readOrigins } from './data-directory.ts';
import { MemoryTip } from './memory-tip.ts';
import { crashAndIngest, ingestCluster, startAndStop, type Recovered } from './recovery.ts';

const importedKinds = [
  keyKinds.database,
  keyKinds.relationMap,
  keyKinds.slruSize,
  keyKinds.checkpoint,
  keyKinds.twoPhase,
  keyKinds.auxFile,
] as const;

const majors: readonly Major[] = [15, 18];

for (const major of majors) {
  describe(`ingest beside Postgres ${String(major)}`, () => {
    let cluster: Cluster;
    let recovered: Recovered;
    before(async () => {
      cluster = makeCluster(major);
      recovered = await crashAndIngest(cluster);
    });
    after(() => {
      removeCluster(cluster);
    });

    test('sizes: the same relations exist, as long as on disk', () => {
      deepEqual(relationSizeDifferences(recovered.tip, cluster.data, major), []);
    });

    test('pages: heap and B-tree pages are those on disk, under their masks', () => {
      const { tip, sequence } = recovered;

      deepEqual(pageContentDifferences(tip, cluster.data, major, sequence), []);
    });

    test('slru: every page of every SLRU is the one on disk', () => {
      deepEqual(slruDifferences(recovered.tip, cluster.data, major), []);
    });

    test('visibility map: every bit is the one on disk', () => {
      const { tip, byLog } = recovered;

      deepEqual(visibilityDifferences(tip, cluster.data, major, byLog), []);
    });

    test('databases: the same exist', () => {
      deepEqual(valueDifferences(recovered.tip, cluster.data, major, keyKinds.database), []);
    });

    test('relation maps: every one is the file on disk', () => {
      deepEqual(valueDifferences(recovered.tip, cluster.data, major, keyKinds.relationMap), []);
    });

    test('prepared transactions: the one left has the file on disk', () => {
      deepEqual(valueDifferences(recovered.tip, cluster.data, major, keyKinds.twoPhase), []);
      equal(recovered.tip.live(keyKinds.twoPhase).length, 1);
    });

    test('replication origins: their progress is the one on disk', () => {
      const ours = recovered.tip
        .live(keyKinds.auxFile)
        .map(({ family }) => [family.relation, originProgress(recovered.tip.value(family)!)]);

      deepEqual(new Map(ours as [number, number][]), readOrigins(cluster.data));
    });

    test('import: the directory it left is imported as what ingest made of its WAL', () => {
      const imported = new MemoryTip(major);
      importDirectory(cluster.data, major, imported);

      for (const kind of importedKinds) {
        deepEqual(contents(imported, kind), contents(recovered.tip, kind));
      }
    });

    test('restarts: an ingest that takes over every 777 records makes the same', () => {
      const { tip } = ingestCluster(cluster, 777);

      deepEqual(relationSizeDifferences(tip, cluster.data, major), []);
      deepEqual(slruDifferences(tip, cluster.data, major), []);
      deepEqual(visibilityDifferences(tip, cluster.data, major, recovered.byLog), []);
    });

    test('checkpoint: counters are what crash recovery finds', () => {
      const { ours, theirs, nextXid } = recovered.checkpoints[0]!;

      equal(nextXid, theirs.nextXid);
      deepEqual(counters(ours), counters(theirs));
    });

    test('checkpoint: the stored next xid is less than 1024 ahead, and so is the newest commit', () => {
      const { ours, theirs } = recovered.checkpoints[0]!;

      ok(ours.nextXid >= theirs.nextXid && ours.nextXid < theirs.nextXid + 1_024);
      equal(ours.newestCommitTsXid, ours.nextXid - 1);
    });

    test('checkpoint: after a shutdown checkpoint every counter is exact', () => {
      const { ours, theirs } = recovered.checkpoints[1]!;

      equal(ours.nextXid, theirs.nextXid);
      equal(ours.newestCommitTsXid, theirs.newestCommitTsXid);
    });
  });
}

test('commit timestamps: turned off, their segments are gone', async () => {
  const cluster = makeCluster(18);
  try {
    await startAndStop(cluster, { track_commit_timestamp: 'on' });
    await startAndStop(cluster, { track_commit_timestamp: 'off' });

    const { tip, checkpoints } = ingestCluster(cluster);

    const kept = checkpoints.map(({ theirs }) => theirs.oldestCommitTsXid !== 0);
    deepEqual(kept, [true, false]);
    deepEqual(checkpoints.at(-1)!.ours.oldestCommitTsXid, 0);
    deepEqual([...tip.liveKeys(keyKinds.slruSize, slruKinds.commitTimestamps, 0)], []);
  } finally {
    removeCluster(cluster);
  }
});

/** Every value of a kind that is not empty, by its key. */
function contents(tip: MemoryTip, kind: KeyKind): ReadonlyMap<string, Uint8Array> {
  const live = tip.live(kind);
  return new Map(
    live.map(({ family, block }) => [
      JSON.stringify([family, block]),
      new Uint8Array(tip.value(family, block)!),
    ]),
  );
}

/** All that does not depend on when the checkpoint was made, or is an upper bound in ours. */
function counters(checkpoint: Checkpoint): Partial<Checkpoint> {
  const { nextOid, nextMulti, nextMultiOffset, oldestXid, oldestXidDatabase } = checkpoint;
  const { oldestMulti, oldestMultiDatabase, oldestCommitTsXid, walLevel } = checkpoint;
  return {
    ...{ nextOid, nextMulti, nextMultiOffset, oldestXid, oldestXidDatabase },
    ...{ oldestMulti, oldestMultiDatabase, oldestCommitTsXid, walLevel },
    fullPageWrites: checkpoint.fullPageWrites,
    timelineId: checkpoint.timelineId,
  };
}
