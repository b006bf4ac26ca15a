/**
 * Load: transactions of pgbench against a server: by pgbench where it is installed, else by clients
 * of our own, which need nothing but Node and cost more of the machine.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type PostgresClient } from '../src/io/postgres-client.ts';
import { type Place } from './place.ts';
import { connect, sql, type Server } from './server.ts';

export type Script = 'select' | 'tpcb' | 'commit';

export interface Load {
  readonly script: Script;
  readonly clients: number;
  readonly seconds: number;
  readonly scale: number;
}

export interface Measured {
  readonly perSecond: number;
  /** Mean time of a transaction. */
  readonly latency_ms: number;
}

const rowsPerScale = 100_000;
const pgbench = ['/usr/lib/postgresql/15/bin/pgbench', '/usr/bin/pgbench'].find(existsSync) ?? null;

/** Who makes a load that lasts `seconds`, for the settings of a report. pgbench knows whole ones. */
export function driverFor(seconds: number): string {
  return usesPgbench(seconds) ? 'pgbench -M prepared' : 'simple queries from Node';
}

function usesPgbench(seconds: number): boolean {
  return pgbench !== null && seconds >= 1;
}

/** pgbench's tables, and one for single-row commits. */
export async function prepareLoad(server: Server, scale: number): Promise<void> {
  const rows = scale * rowsPerScale;
  await sql(
    server,
    'create table commits (id bigserial primary key, text text not null)',
    'create table pgbench_branches (bid int not null, bbalance int, filler char(88))',
    'create table pgbench_tellers (tid int not null, bid int, tbalance int, filler char(84))',
    'create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84))',
    'create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))',
    `insert into pgbench_branches select i, 0 from generate_series(1, ${scale}) i`,
    `insert into pgbench_tellers select i, (i - 1) / 10 + 1, 0 from generate_series(1, ${scale * 10}) i`,
    `insert into pgbench_accounts select i, (i - 1) / ${rowsPerScale} + 1, 0, ''
     from generate_series(1, ${rows}) i`,
    'alter table pgbench_branches add primary key (bid)',
    'alter table pgbench_tellers add primary key (tid)',
    'alter table pgbench_accounts add primary key (aid)',
    'vacuum analyze',
    'checkpoint',
  );
}

/** Reads all of pgbench's accounts and their index, so that what fits in memory is there. */
export async function warm(server: Server): Promise<void> {
  await sql(
    server,
    'set max_parallel_workers_per_gather = 0',
    'select sum(abalance) from pgbench_accounts',
    'set enable_seqscan = off',
    'set enable_bitmapscan = off',
    'select count(*) from (select aid from pgbench_accounts order by aid) one',
  );
}

export function runLoad(place: Place, server: Server, load: Load): Promise<Measured> {
  return usesPgbench(load.seconds) ? runPgbench(place, server, load) : runClients(server, load);
}

const scripts: Readonly<Record<Script, readonly string[]>> = {
  select: ['-S'],
  tpcb: ['-b', 'tpcb-like'],
  commit: ['-f', 'commit.sql'],
};

async function runPgbench(
  place: Place,
  { host, port, database }: Server,
  { script, clients, seconds, scale }: Load,
): Promise<Measured> {
  writeFileSync(join(place.folder, 'commit.sql'), `${commitStatement};\n`);
  const where = ['-h', host, '-p', `${port}`, '-U', 'postgres'];
  const how = ['-n', '-M', 'prepared', '-c', `${clients}`, '-T', `${seconds}`, ...scripts[script]];
  const scaled = script === 'commit' ? ['-s', `${scale}`] : [];
  const args = [...where, ...how, ...scaled, database];
  const { stdout } = await promisify(execFile)(pgbench!, args, { cwd: place.folder });
  const found = /^tps = ([\d.]+)/m.exec(stdout);
  if (found === null) throw new Error(`pgbench said: ${stdout}`);
  const perSecond = Number(found[1]);
  return { perSecond, latency_ms: (clients * 1_000) / perSecond };
}

async function runClients(server: Server, load: Load): Promise<Measured> {
  const clients = await Promise.all(Array.from({ length: load.clients }, () => connect(server)));
  try {
    const began_ms = performance.now();
    const end_ms = began_ms + load.seconds * 1_000;
    const counts = await Promise.all(clients.map((client) => runUntil(client, load, end_ms)));
    const took_ms = performance.now() - began_ms;
    const count = counts.reduce((sum, one) => sum + one, 0);
    const perSecond = (count * 1_000) / took_ms;
    return { perSecond, latency_ms: (load.clients * 1_000) / perSecond };
  } finally {
    for (const client of clients) await client.end();
  }
}

async function runUntil(client: PostgresClient, load: Load, end_ms: number): Promise<number> {
  let count = 0;
  do {
    for (const statement of statements(load)) await client.query(statement);
    count += 1;
  } while (performance.now() < end_ms);
  return count;
}

const commitStatement = `insert into commits (text) values ('one row, committed by itself')`;

/** As pgbench's built-in scripts. */
function statements({ script, scale }: Load): readonly string[] {
  const aid = random(scale * rowsPerScale);
  if (script === 'commit') return [commitStatement];
  if (script === 'select') return [`select abalance from pgbench_accounts where aid = ${aid}`];
  const tid = random(scale * 10);
  const bid = random(scale);
  const delta = random(10_001) - 5_001;
  return [
    'begin',
    `update pgbench_accounts set abalance = abalance + ${delta} where aid = ${aid}`,
    `select abalance from pgbench_accounts where aid = ${aid}`,
    `update pgbench_tellers set tbalance = tbalance + ${delta} where tid = ${tid}`,
    `update pgbench_branches set bbalance = bbalance + ${delta} where bid = ${bid}`,
    `insert into pgbench_history values (${tid}, ${bid}, ${aid}, ${delta}, current_timestamp)`,
    'end',
  ];
}

function random(max: number): number {
  return 1 + Math.floor(Math.random() * max);
}

/** Whether `program` can be run here. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}
