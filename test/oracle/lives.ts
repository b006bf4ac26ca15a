/**
 * Lives: what is done to a stock server so that between them every kind of record is written. Each life
 * has a cluster of its own, may start and end servers as it likes, and leaves a log that ends in a clean
 * shutdown.
 */
import { btreeWorkload } from '../postgres/redo/btree-workload.ts';
import { heapLogicalWorkload, heapWorkload } from '../postgres/redo/heap-workload.ts';
import {
  genericWorkload,
  imageWorkload,
  sequenceWorkload,
} from '../postgres/redo/other-workloads.ts';
import { runWorkload as effectsWorkload } from '../postgres/ingest/workload.ts';
import { type Workload } from '../postgres/redo/oracle.ts';
import {
  startServer,
  type Cluster,
  type OracleServer,
  type RunningServer,
  type Settings,
} from '../postgres/redo/oracle-server.ts';
import { listLog, type Listing } from './decoder-check.ts';
import { openBase } from './base-directory.ts';

export interface Life {
  readonly name: string;
  /** Lives it; what pg_walinspect said of the log. */
  readonly live: (cluster: Cluster) => Promise<Listing>;
}

const redoSettings: Settings = {
  full_page_writes: 'off',
  wal_level: 'logical',
  track_commit_timestamp: 'on',
  max_wal_senders: '4',
};

/** One after the other on one server: pages come from records, not from images. */
const redoWorkloads: readonly Workload[] = [
  btreeWorkload,
  heapWorkload,
  heapLogicalWorkload,
  sequenceWorkload,
  genericWorkload,
  imageWorkload,
  everyEffect,
];

export const lives: readonly Life[] = [{ name: 'redo', live: redoLife }];

async function everyEffect(server: OracleServer): Promise<void> {
  await effectsWorkload(server);
}

async function redoLife(cluster: Cluster): Promise<Listing> {
  return phase(cluster, redoSettings, async (server) => {
    for (const workload of redoWorkloads) await workload(server);
    return list(cluster, server);
  });
}

async function list(cluster: Cluster, server: RunningServer): Promise<Listing> {
  return listLog(server, openBase(cluster.before).start);
}

/** A server from its start to its clean end. */
async function phase<T>(
  cluster: Cluster,
  settings: Settings,
  work: (server: RunningServer) => Promise<T>,
): Promise<T> {
  const server = await startServer(cluster, settings);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}
