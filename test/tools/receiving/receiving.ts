/**
 * Receiving: stock pg_receivewal, what it has received, and what it should have. The packages of Postgres
 * that npm brings have no clients, so this one is Debian's, of postgresql-client-15, which .ci/run installs.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatLsn, lsn, parseLsn, type Lsn } from '../../../src/base/lsn.ts';
import {
  parseSegmentName,
  segmentName,
  segmentNumber,
  walPageSize,
} from '../../../src/postgres/wal-page.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { WalRecord } from '../../../src/postgres/wal-record.ts';
import { connectTo, type TestHost } from '../../e2e/host.ts';

const program = '/usr/lib/postgresql/15/bin/pg_receivewal';
/** It follows servers of its own major and older ones. */
export const receivableMajor = 15;
export const segmentSize = 2 ** 24;

interface ListedBranch {
  readonly name: string;
  readonly timeline: string;
}

/** Bytes of WAL, and where they begin. */
interface Wal {
  readonly begin: Lsn;
  readonly bytes: Buffer;
}

export function folder(test: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'stemma-receivewal-'));
  test.after(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

export function receive(
  host: TestHost,
  branch: string,
  into: string,
  how: readonly string[],
): ChildProcess {
  const [address, port] = host.replication.split(':');
  const connection = `host=${address!} port=${port!} user=postgres options='-c stemma.branch=${branch}'`;
  const args = ['--dbname', connection, '--directory', into, '--no-loop', ...how];
  return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
}

/** Receives until it has everything up to `end`. */
export async function receiveUpTo(
  host: TestHost,
  branch: string,
  into: string,
  end: Lsn,
): Promise<void> {
  const all = ['--slot', 'of_any_name', '--endpos', formatLsn(end)];
  const child = receive(host, branch, into, all);
  const said: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => said.push(line));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0, said.join('\n'));
}

/** Waits until what was received is not only zeros from the page on in which `end` lies. */
export async function receivedUpTo(into: string, end: Lsn): Promise<void> {
  const name = segmentName(segmentNumber(lsn(end - 1), segmentSize), segmentSize);
  const offset = (end - 1) % segmentSize;
  const page = offset - (offset % walPageSize);
  for (;;) {
    const file = [name, `${name}.partial`].map((each) => join(into, each)).find(existsSync);
    const bytes = file === undefined ? Buffer.alloc(0) : readFileSync(file);
    if (bytes.subarray(page, offset + 1).some((byte) => byte !== 0)) return;
    await sleep(20);
  }
}

/** Waits until it has said of `count` segments that they are whole. */
export async function finished(child: ChildProcess, count: number): Promise<void> {
  let seen = 0;
  for await (const line of createInterface({ input: child.stderr! }))
    if (line.includes('finished segment') && (seen += 1) === count) return;
}

/** Writes WAL until that many further segments have begun. */
export async function fill(connectionString: string, segments: number): Promise<void> {
  const client = await connectTo(connectionString);
  const target = (await positionOf(connectionString)) + segments * segmentSize;
  await client.query('create table if not exists filler (body text)');
  while ((await positionOf(connectionString)) < target)
    await client.query(
      `insert into filler select repeat(md5(n::text), 30) from generate_series(1, 4000) n`,
    );
  await client.end();
}

export async function positionOf(connectionString: string): Promise<Lsn> {
  const client = await connectTo(connectionString);
  const { rows } = await client.query('select pg_current_wal_flush_lsn()::text');
  await client.end();
  return parseLsn(rows[0]![0]!);
}

export function wholeSegments(path: string): string[] {
  return readdirSync(path).filter((name) => parseSegmentName(name, segmentSize) !== null);
}

/** All that was received, the unfinished segment included. */
export function read(path: string): Wal {
  const names = readdirSync(path).sort();
  const { segment } = parseSegmentName(names[0]!.slice(0, 24), segmentSize)!;
  const bytes = Buffer.concat(names.map((name) => readFileSync(join(path, name))));
  return { begin: lsn(segment * segmentSize), bytes };
}

/** What the Postgres of a branch has in its own `pg_wal`. */
export async function endpointWal(host: TestHost, branch: string): Promise<Wal> {
  const branches = await host.json<ListedBranch[]>('branch', 'list');
  const { timeline } = branches.find(({ name }) => name === branch)!;
  const path = join(host.directory, 'computes', timeline, 'data', 'pg_wal');
  const names = wholeSegments(path).sort();
  const { segment } = parseSegmentName(names[0]!, segmentSize)!;
  const bytes = Buffer.concat(names.map((name) => readFileSync(join(path, name))));
  return { begin: lsn(segment * segmentSize), bytes };
}

export function sameBytes(one: Wal, other: Wal, from: Lsn, to: Lsn): boolean {
  const [a, b] = [one, other].map(({ begin, bytes }) => bytes.subarray(from - begin, to - begin));
  assert.equal(a!.length, to - from);
  return a!.equals(b!);
}

/** Every record from the first page that is none of zeros follows on the one before, up to `end`. */
export function checkRecords({ begin, bytes }: Wal, end: Lsn): void {
  let page = walPageSize; // behind the header of the first segment
  while (bytes.readUInt16LE(page) === 0) page += walPageSize;
  const reader = new WalReader(lsn(begin + page), {
    major: receivableMajor,
    segmentSize,
    seek: true,
  });
  const record = new WalRecord();
  let records = 0;
  reader.push(bytes.subarray(page, end - begin));
  while (reader.next(record)) records += 1;
  assert.equal(reader.recordEnd, end);
  assert.ok(records > 10_000, `${records} records`);
}
