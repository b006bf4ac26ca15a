/**
 * Derived maps beside the real thing: a server is killed, and its free-space map removed. What its own
 * recovery makes of the map is what is derived from the same log; where it leaves a page's room as it
 * was before, we have what is on the page.
 */
import { deepEqual, ok } from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { keyKinds, makeKey, type KeyFamily } from '../../../src/base/key.ts';
import { families } from '../../../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../../../src/actors/timeline/store.ts';
import { Ingest } from '../../../src/postgres/ingest/ingest.ts';
import { type Major } from '../../../src/postgres/major.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { freeSpaceMapBlock, heapPageCategory } from '../../../src/postgres/redo/free-space-map.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { decodeRecord, WalRecord } from '../../../src/postgres/wal-record.ts';
import { importDirectory } from '../../postgres/ingest/data-directory.ts';
import { readWal } from '../../postgres/ingest/recovery.ts';
import {
  makeCluster,
  removeCluster,
  startServer,
  type Cluster,
  type Settings,
} from '../../postgres/redo/oracle-server.ts';
import { readMap, slotsOf } from './heaps.ts';
import { root } from './timelines.ts';

const settings: Settings = { wal_consistency_checking: '', full_page_writes: 'off' };
const bottomBlock = freeSpaceMapBlock(0);

/** Room that VACUUM finds, that inserts use, and that a second VACUUM finds beside it. */
const workload = [
  `create table t (n int, body text)`,
  `insert into t select n, repeat('x', 200 + n % 300) from generate_series(1, 9000) n`,
  `delete from t where n % 3 <> 0`,
  `vacuum t`,
  `insert into t select n, repeat('y', 300) from generate_series(10001, 11000) n`,
  `delete from t where n between 4000 and 6000`,
  `vacuum t`,
  `update t set body = body || 'z' where n % 50 = 0`,
  `create table flushed ()`,
];

/** Runs the workload and has the server recover without a map; where the table's files are. */
async function recover(cluster: Cluster): Promise<{ relation: number; path: string }> {
  const server = await startServer(cluster, settings);
  const client = await server.connect();
  for (const sql of workload) await client.query(sql);
  const [[relation, path]] = (await client.query(
    `select pg_relation_filenode('t'), pg_relation_filepath('t')`,
  )) as unknown as [[string, string]];
  await server.crash();
  rmSync(join(cluster.data, `${path}_fsm`), { force: true });
  await (await startServer(cluster, settings)).stop();
  return { relation: Number(relation), path: join(cluster.data, path) };
}

function ingest(store: TimelineStore, { before, data, major }: Cluster): void {
  const tip = {
    key: (family: KeyFamily, block: number) => makeKey(families.idOf(family), block),
    put: store.put.bind(store),
  };
  const start = importDirectory(before, major as Major, tip);
  const ingested = new Ingest(major as Major, store);
  const reader = new WalReader(start, { major, segmentSize: 2 ** 24 });
  const record = new WalRecord();
  reader.push(readWal(data, start));
  while (reader.next(record)) {
    decodeRecord(record, major);
    ingested.record(record);
    store.ingestedLsn = reader.recordEnd;
  }
}

/** The categories of all blocks of a heap on disk. */
function roomIn(path: string): number[] {
  const file = readFileSync(path);
  return Array.from({ length: file.length / pageSize }, (_, block) =>
    heapPageCategory(new DataView(file.buffer, file.byteOffset + block * pageSize, pageSize)),
  );
}

async function compare(t: TestContext, major: Major): Promise<void> {
  const cluster = makeCluster(major);
  t.after(() => {
    removeCluster(cluster);
  });
  const { relation, path } = await recover(cluster);
  const { store } = root(t, major);
  ingest(store, cluster);
  const place = { tablespace: 1_663, database: 5, relation };
  const family: KeyFamily = { kind: keyKinds.relationBlock, ...place, fork: 1 };

  const ours = slotsOf(readMap(store, bottomBlock, { family }));
  const theirs = slotsOf(
    new Uint8Array(readFileSync(`${path}_fsm`).subarray(bottomBlock * pageSize)).slice(0, pageSize),
  );
  const room = roomIn(path);

  deepEqual(
    room.map((_, block) => ours[block] ?? 0),
    room,
  );
  // Of an update recovery records nothing if it is HOT, or leaves the page a fifth free.
  const others = room.filter((category, block) => category !== (theirs[block] ?? 0));
  ok(room.length > 400 && others.length < 50, `${others.length} of ${room.length} differ`);
}

for (const major of [15, 18] as const)
  test(`derived maps: they are what Postgres ${major} keeps up in recovery, or truer`, (t) =>
    compare(t, major));
