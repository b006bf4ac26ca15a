/**
 * Lives: what is done to a stock server so that between them every kind of record is written. Each life
 * has a cluster of its own, may start and end servers as it likes, and leaves a log that ends in a clean
 * shutdown.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, cpSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { segmentName, segmentNumber, walPageSize } from '../../src/postgres/wal-page.ts';
import { brinWorkload } from '../postgres/redo/brin-workload.ts';
import { btreeWorkload } from '../postgres/redo/btree-workload.ts';
import { ginWorkload } from '../postgres/redo/gin-workload.ts';
import {
  gistKilledTuples,
  gistUnloggedSplits,
  gistWorkload,
} from '../postgres/redo/gist-workload.ts';
import { hashWorkload } from '../postgres/redo/hash-workload.ts';
import { heapLogicalWorkload, heapWorkload } from '../postgres/redo/heap-workload.ts';
import {
  genericWorkload,
  imageWorkload,
  sequenceWorkload,
} from '../postgres/redo/other-workloads.ts';
import { spgistWorkload } from '../postgres/redo/spgist-workload.ts';
import { runWorkload as effectsWorkload } from '../postgres/ingest/workload.ts';
import { type Workload } from '../postgres/redo/oracle.ts';
import { segmentSize } from '../postgres/redo/oracle-log.ts';
import {
  startServer,
  type Cluster,
  type OracleServer,
  type RunningServer,
  type Settings,
} from '../postgres/redo/oracle-server.ts';
import { stockHome } from '../postgres/stock-home.ts';
import { listLog, type Listing } from './decoder-check.ts';
import { openBase } from './base-directory.ts';
import { hop } from './hop.ts';
import {
  applicationWorkload,
  extensionWorkload,
  freezeAll,
  lockStormWorkload,
  settingsWorkload,
  truncationWorkload,
  wraparoundWorkload,
} from './workloads.ts';

export interface Life {
  readonly name: string;
  /** Whether its base and log are all that recovery needs. */
  readonly recovers: boolean;
  /** Lives it; what pg_walinspect said of the log. */
  readonly live: (cluster: Cluster) => Promise<Listing>;
}

export const lives: readonly Life[] = [
  { name: 'redo', recovers: true, live: redoLife },
  { name: 'images', recovers: true, live: imagesLife },
  { name: 'crashes', recovers: true, live: crashesLife },
  { name: 'promotion', recovers: true, live: promotionLife },
  { name: 'wraparound', recovers: true, live: wraparoundLife },
  { name: 'minimal', recovers: false, live: minimalLife },
];

const redoSettings: Settings = {
  full_page_writes: 'off',
  wal_level: 'logical',
  track_commit_timestamp: 'on',
  max_wal_senders: '4',
};

const indexWorkloads = [hashWorkload, brinWorkload, gistWorkload, spgistWorkload];

/** One after the other on one server: pages come from records, not from images. */
const redoWorkloads: readonly Workload[] = [
  btreeWorkload,
  heapWorkload,
  heapLogicalWorkload,
  sequenceWorkload,
  genericWorkload,
  imageWorkload,
  ginWorkload,
  ...indexWorkloads,
  everyEffect,
  applicationWorkload,
  lockStormWorkload,
  truncationWorkload,
  extensionWorkload,
];

async function everyEffect(server: OracleServer): Promise<void> {
  await effectsWorkload(server);
}

async function redoLife(cluster: Cluster): Promise<Listing> {
  return phase(cluster, redoSettings, async (server) => {
    await runAll(server, redoWorkloads);
    return list(cluster, server);
  });
}

/** What is quick, for the test suite. */
export async function shortLife(cluster: Cluster): Promise<Listing> {
  return phase(cluster, redoSettings, async (server) => {
    await runAll(server, [applicationWorkload, lockStormWorkload, truncationWorkload]);
    return list(cluster, server);
  });
}

const imageSettings: Settings = {
  full_page_writes: 'on',
  wal_compression: 'pglz',
  wal_log_hints: 'on',
  wal_level: 'replica',
};

/** Full-page images, compressed and not, hints, and settings that change between starts. */
async function imagesLife(cluster: Cluster): Promise<Listing> {
  const workloads = [sequenceWorkload, genericWorkload, imageWorkload, applicationWorkload];
  await phase(cluster, imageSettings, async (server) => runAll(server, workloads));
  const changed = { ...imageSettings, wal_compression: 'off', max_connections: '120' };
  return phase(cluster, changed, async (server) => {
    await runAll(server, [settingsWorkload, heapWorkload, ...indexWorkloads]);
    return list(cluster, server);
  });
}

/**
 * What stock recovery cannot follow: with `wal_level = minimal` new relations are not logged until their
 * transaction ends, and a GiST page that lost killed tuples is not the one in the record.
 */
async function minimalLife(cluster: Cluster): Promise<Listing> {
  const minimal = { full_page_writes: 'off', wal_level: 'minimal', max_wal_senders: '0' };
  return phase(cluster, minimal, async (server) => {
    await runAll(server, [gistUnloggedSplits, gistKilledTuples, sequenceWorkload]);
    return list(cluster, server);
  });
}

/** Killed twice: with work that no checkpoint covers, and in the middle of a record. */
async function crashesLife(cluster: Cluster): Promise<Listing> {
  const crashing = await startServer(cluster, redoSettings);
  await runAll(crashing, [everyEffect, sequenceWorkload, gistWorkload]).finally(() =>
    crashing.crash(),
  );
  const torn = await startServer(cluster, redoSettings);
  const start = await writeLongRecord(torn).finally(() => torn.crash());
  tearLog(cluster, start);
  return phase(cluster, redoSettings, async (server) => {
    await runAll(server, [lockStormWorkload, truncationWorkload]);
    return list(cluster, server);
  });
}

/** A record of many pages, flushed. Returns a position within it. */
async function writeLongRecord(server: RunningServer): Promise<Lsn> {
  const client = await server.connect();
  await client.query('checkpoint');
  const [[position]] = (await client.query('select pg_current_wal_insert_lsn()')) as [[string]];
  await client.query(`select pg_logical_emit_message(true, 'long', repeat('x', 100000))`);
  return lsn(parseLsn(position) + 2 * walPageSize);
}

/** The log ends at the start of the page after the one with `at`, as if the rest was never written. */
function tearLog(cluster: Cluster, at: Lsn): void {
  const folder = join(cluster.data, 'pg_wal');
  const last = segmentName(segmentNumber(at, segmentSize), segmentSize);
  for (const name of readdirSync(folder))
    if (/^[0-9A-F]{24}$/.test(name) && name > last) rmSync(join(folder, name));
  const kept = Math.ceil((at % segmentSize) / walPageSize) * walPageSize;
  truncateSync(join(folder, last), kept);
  truncateSync(join(folder, last), segmentSize);
}

/** A standby becomes a primary, on a timeline of its own. */
async function promotionLife(cluster: Cluster): Promise<Listing> {
  const listing = await phase(cluster, redoSettings, async (server) => {
    await runAll(server, [sequenceWorkload, lockStormWorkload]);
    return list(cluster, server);
  });
  const signal = join(cluster.data, 'standby.signal');
  writeFileSync(signal, '');
  chownSync(signal, nobody, nobody);
  const starting = startServer(cluster, redoSettings);
  const promoting = promote(cluster);
  const server = await starting;
  try {
    await promoting;
    await runAll(server, [applicationWorkload]);
  } finally {
    await server.stop();
  }
  return listing;
}

const nobody = 65_534;
const promoteTries_max = 100;

async function promote({ major, data }: Cluster): Promise<void> {
  const drop = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
  const command = [join(stockHome(major), 'bin', 'pg_ctl'), '-D', data, 'promote', '--no-wait'];
  for (let tries = 0; tries < promoteTries_max; tries += 1) {
    if (spawnSync('setpriv', [...drop, ...command], { cwd: '/' }).status === 0) return;
    await sleep(100);
  }
  throw new Error('the standby was not promoted');
}

/** Where xids and multixact ids are taken, step by step; the last leaves few until they wrap. */
const hops = [1_400_000_000, 2_800_000_000, 2 ** 32 - 300];
const lastMember = 2 ** 32 - 400;

/** Counters that wrap around, and transaction logs that are cut. */
async function wraparoundLife(cluster: Cluster): Promise<Listing> {
  for (const next of hops) {
    await phase(cluster, { wal_consistency_checking: '' }, freezeAll);
    hop(cluster.data, next, next === hops.at(-1) ? lastMember : next);
  }
  cutLog(cluster);
  return phase(cluster, redoSettings, async (server) => {
    await runAll(server, [wraparoundWorkload]);
    return list(cluster, server);
  });
}

/** From here on is what will be replayed. */
function cutLog({ before, data }: Cluster): void {
  rmSync(before, { recursive: true });
  cpSync(data, before, { recursive: true });
}

/** Each in a database of its own, so that their names do not meet. */
async function runAll(server: OracleServer, workloads: readonly Workload[]): Promise<void> {
  const client = await server.connect();
  for (const workload of workloads) {
    const name = `of_${workload.name.toLowerCase()}`;
    const there = await client.query(`select 1 from pg_database where datname = '${name}'`);
    if (there.length === 0) await client.query(`create database ${name}`);
    const { major, root } = server;
    await workload({ major, root, connect: async (database = name) => server.connect(database) });
  }
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
