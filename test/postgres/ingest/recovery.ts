/**
 * What ingest makes of a server's life, beside what the same server has on disk after its own crash
 * recovery.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Lsn } from '../../../src/base/lsn.ts';
import { decodeCheckpoint, type Checkpoint } from '../../../src/postgres/checkpoint.ts';
import { Ingest } from '../../../src/postgres/ingest/ingest.ts';
import { keyKinds } from '../../../src/base/key.ts';
import { type Major } from '../../../src/postgres/major.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { WalRecord, decodeRecord } from '../../../src/postgres/wal-record.ts';
import { startServer, type Cluster, type Settings } from '../redo/oracle-server.ts';
import { importDirectory } from './data-directory.ts';
import { MemoryTip } from './memory-tip.ts';
import { runWorkload, type Done } from './workload.ts';

const segmentSize = 16 * 1_024 * 1_024;

export interface Ingested {
  readonly cluster: Cluster;
  readonly tip: MemoryTip;
  /** The stored checkpoint just before each shutdown checkpoint, beside that checkpoint. */
  readonly checkpoints: readonly CheckpointPair[];
}

export type Recovered = Ingested & Done;

export interface CheckpointPair {
  readonly ours: Checkpoint;
  readonly theirs: Checkpoint;
  /** As ingest tracks it, where `ours` has an upper bound. */
  readonly nextXid: number;
}

const settings: Settings = {
  wal_consistency_checking: '',
  track_commit_timestamp: 'on',
  full_page_writes: 'off',
  shared_buffers: '16MB',
  max_wal_senders: '4',
};

/**
 * Workload, crash, recovery, a clean stop, and one more start without commit timestamps; then all of
 * its WAL ingested. Whoever calls removes the cluster.
 */
export async function crashAndIngest(cluster: Cluster): Promise<Recovered> {
  const crashing = await startServer(cluster, settings);
  const done = await runWorkload(crashing).finally(() => crashing.crash());
  await startAndStop(cluster, settings);
  return { ...ingestCluster(cluster), ...done };
}

export async function startAndStop(cluster: Cluster, changed: Settings): Promise<void> {
  const server = await startServer(cluster, { ...settings, ...changed });
  await server.stop();
}

/**
 * Ingests the cluster's WAL on top of what initdb made. Every so many records a new ingest takes
 * over, as after a restart, with nothing but the tip.
 */
export function ingestCluster(cluster: Cluster, restartEvery = Infinity): Ingested {
  const major = cluster.major as Major;
  const tip = new MemoryTip(major);
  const start = importDirectory(cluster.before, major, tip);
  let ingest = new Ingest(major, tip);
  let records = 0;
  const record = new WalRecord();
  const checkpoints: CheckpointPair[] = [];
  const reader = new WalReader(start, { major, segmentSize });
  reader.push(readWal(cluster.data, start));
  while (reader.next(record)) {
    decodeRecord(record, major);
    const isShutdown = record.rmgr === 0 && record.info === 0;
    if (isShutdown && record.start > start) {
      const theirs = decodeCheckpoint(record.view, record.mainOffset, major);
      checkpoints.push({ ours: storedCheckpoint(tip, major), theirs, nextXid: ingest.nextXid });
    }
    ingest.record(record);
    records += 1;
    if (records % restartEvery === 0) ingest = new Ingest(major, tip);
  }
  return { cluster, tip, checkpoints };
}

export function storedCheckpoint(tip: MemoryTip, major: Major): Checkpoint {
  const family = { kind: keyKinds.checkpoint, tablespace: 0, database: 0, relation: 0, fork: 0 };
  const bytes = tip.value(family)!;
  return decodeCheckpoint(new DataView(bytes.buffer, bytes.byteOffset), 0, major);
}

/** All of the log from `start` on. */
export function readWal(dataDirectory: string, start: Lsn): Uint8Array {
  const directory = join(dataDirectory, 'pg_wal');
  const names = readdirSync(directory).filter((name) => /^[0-9A-F]{24}$/.test(name));
  const segments = names.sort().map((name) => readFileSync(join(directory, name)));
  const first = Math.floor(start / segmentSize) * segmentSize;
  return new Uint8Array(Buffer.concat(segments).subarray(start - first));
}
