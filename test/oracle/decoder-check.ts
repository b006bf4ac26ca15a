/**
 * DecoderCheck: what our decoder says of a log beside what Postgres's own programs say of it, record by
 * record: pg_walinspect, an extension, in every major; pg_waldump where the machine has it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { formatLsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { type Major } from '../../src/postgres/major.ts';
import { pageSize } from '../../src/postgres/page.ts';
import { recordName } from '../../src/postgres/resource-managers.ts';
import { restoreImage } from '../../src/postgres/wal-image.ts';
import { type WalRecord } from '../../src/postgres/wal-record.ts';
import { type SqlClient } from '../postgres/redo/oracle-client.ts';
import { type OracleServer } from '../postgres/redo/oracle-server.ts';
import { describeRecord } from '../postgres/wal-fixture.ts';
import { readWal, type WalSource } from './wal-files.ts';

export interface DecoderReport {
  /** Lines compared, by the program that wrote them; a reason where there is none. */
  readonly programs: Readonly<Record<string, number | string>>;
  readonly differing: number;
  /** The first ones. */
  readonly differences: readonly string[];
}

/** What pg_walinspect said: files of lines, to be compared once the server is down. */
export interface Listing {
  /** Where WAL was read up to, exclusively. */
  readonly end: Lsn;
  readonly recordsFile: string;
  /** Null before major 16, which cannot list blocks. */
  readonly blocksFile: string | null;
}

const blocksFrom: Major = 16;
const differencesKept = 10;
const waldumpHome = '/usr/lib/postgresql';
const waldumpOutput_bytes = 2 ** 30;

/** Has the server list its own log from `start` on. */
export async function listLog(server: OracleServer, start: Lsn): Promise<Listing> {
  const client = await server.connect();
  await client.query('create extension if not exists pg_walinspect');
  const [[position]] = (await client.query('select pg_current_wal_insert_lsn()')) as [[string]];
  await client.query('checkpoint');
  const end = parseLsn(position);
  const range = `'${formatLsn(start)}', '${position}'`;
  const recordsFile = join(server.root, 'records.txt');
  await copyOut(client, recordsFile, recordsQuery(range, position));
  if (server.major < blocksFrom) return { end, recordsFile, blocksFile: null };
  const blocksFile = join(server.root, 'blocks.txt');
  await copyOut(client, blocksFile, blocksQuery(range, position));
  return { end, recordsFile, blocksFile };
}

async function copyOut(client: SqlClient, file: string, query: string): Promise<void> {
  await client.query(`copy (${query}) to '${file}'`);
}

function recordsQuery(range: string, end: string): string {
  return `select concat_ws('|', start_lsn, end_lsn, prev_lsn, xid::text, resource_manager, record_type,
      record_length, main_data_length, fpi_length, coalesce(block_ref, ''))
    from pg_get_wal_records_info(${range}) where start_lsn < '${end}' order by start_lsn`;
}

function blocksQuery(range: string, end: string): string {
  return `select concat_ws('|', start_lsn, block_id, reltablespace, reldatabase, relfilenode,
      relforknumber, relblocknumber, coalesce(block_data_length, 0), coalesce(block_fpi_length, 0),
      coalesce(array_to_string(block_fpi_info, ','), ''), coalesce(md5(block_data), ''),
      coalesce(md5(block_fpi_data), ''))
    from pg_get_wal_block_info(${range}) where start_lsn < '${end}' order by start_lsn, block_id`;
}

/** Compares what was listed with what we decode of the same log. */
export function checkDecoder(source: WalSource, listing: Listing): DecoderReport {
  const records: string[] = [];
  const blocks: string[] = [];
  const dumped: string[] = [];
  const { major } = source;
  const hasDump = existsSync(waldumpPath(major));
  readWal(source, (record) => {
    if (record.start >= listing.end) return;
    records.push(describeRecord(record));
    if (listing.blocksFile !== null) blocks.push(...describeBlocks(record));
    if (hasDump) dumped.push(describeAsDumped(record));
  });
  const comparison = new LineComparison();
  comparison.compare('pg_walinspect records', records, linesOf(listing.recordsFile).map(unspaced));
  if (listing.blocksFile === null) comparison.absent('pg_walinspect blocks', 'begin with 16');
  else comparison.compare('pg_walinspect blocks', blocks, linesOf(listing.blocksFile));
  if (hasDump) comparison.compare('pg_waldump', dumped, dump(source, listing.end));
  else comparison.absent('pg_waldump', `not installed for ${major}`);
  return comparison.report();
}

class LineComparison {
  readonly #programs: Record<string, number | string> = {};
  readonly #differences: string[] = [];
  #differing = 0;

  compare(program: string, ours: readonly string[], theirs: readonly string[]): void {
    this.#programs[program] = theirs.length;
    for (let at = 0; at < Math.max(ours.length, theirs.length); at += 1) {
      if (ours[at] === theirs[at]) continue;
      this.#differing += 1;
      if (this.#differences.length >= differencesKept) continue;
      const pair = [`theirs ${theirs[at] ?? '(none)'}`, `ours   ${ours[at] ?? '(none)'}`];
      this.#differences.push([program, ...pair].join('\n'));
    }
  }

  absent(program: string, why: string): void {
    this.#programs[program] = why;
  }

  report(): DecoderReport {
    const [programs, differing, differences] = [this.#programs, this.#differing, this.#differences];
    return { programs, differing, differences };
  }
}

function linesOf(file: string): readonly string[] {
  return readFileSync(file, 'utf8').trimEnd().split('\n');
}

/** Before a record's first block comes a space, unless it is number 0. */
function unspaced(line: string): string {
  return line.replace('| blkref', '|blkref');
}

const page = new DataView(new ArrayBuffer(pageSize));

function describeBlocks(record: WalRecord): string[] {
  return record.blocks.slice(0, record.blockCount).flatMap((block, id) => {
    if (!block.present) return [];
    const { tablespace, database, relation, fork, hasImage } = block;
    const data = record.bytes.subarray(block.dataOffset, block.dataOffset + block.dataSize);
    if (hasImage) restoreImage(record, id, page, record.major);
    const place = [tablespace, database, relation, fork, block.block];
    const sizes = [block.dataSize, hasImage ? block.imageSize : 0];
    const flags = hasImage ? imageFlags(block.imageInfo) : '';
    const sums = [data.length > 0 ? md5(data) : '', hasImage ? md5(page) : ''];
    return [[formatLsn(record.start), id, ...place, ...sizes, flags, ...sums].join('|')];
  });
}

/** As pg_walinspect names the bits of `bimg_info`. */
function imageFlags(info: number): string {
  const names = ['HAS_HOLE', 'APPLY', 'COMPRESS_PGLZ', 'COMPRESS_LZ4', 'COMPRESS_ZSTD'];
  return names.filter((_, bit) => (info & (1 << bit)) !== 0).join(',');
}

function md5(bytes: Uint8Array | DataView): string {
  return createHash('md5').update(bytes).digest('hex');
}

function waldumpPath(major: Major): string {
  return join(waldumpHome, String(major), 'bin', 'pg_waldump');
}

/** `manager length/total xid lsn previous operation blocks`, without what it says of the content. */
function dump({ major, directory, start }: WalSource, end: Lsn): string[] {
  const args = ['-p', directory, '-s', formatLsn(start), '-e', formatLsn(end)];
  const run = spawnSync(waldumpPath(major), args, {
    encoding: 'utf8',
    maxBuffer: waldumpOutput_bytes,
  });
  if (run.status !== 0) throw new Error(`pg_waldump: ${run.stderr}`);
  return run.stdout.trimEnd().split('\n').map(parseDumped);
}

const dumpedLine = new RegExp(
  [
    String.raw`^rmgr: (\S+) +len \(rec/tot\): +(\d+)/ *(\d+), tx: +(\d+), `,
    String.raw`lsn: (\S+), prev (\S+), desc: ([A-Z_]+(?:\+INIT)?|Generic|UNKNOWN \([0-9a-f]+\))`,
  ].join(''),
);

function parseDumped(line: string): string {
  const found = dumpedLine.exec(line);
  if (found === null) return line;
  const [, manager, length, total, xid, at, previous, operation] = found;
  const blocks = [...line.matchAll(/blkref #\d+: rel [^,\n]*/g)].map(([text]) => text.trim());
  const name = manager === 'Generic' ? 'Generic' : operation;
  const places = [unpadded(at!), unpadded(previous!)];
  return [manager, length, total, xid, ...places, name, ...blocks].join('|');
}

/** pg_waldump pads the low half of a position. */
function unpadded(position: string): string {
  return formatLsn(parseLsn(position));
}

function describeAsDumped(record: WalRecord): string {
  const [manager, ...operation] = recordName(record.rmgr, record.info, record.major).split(' ');
  let images = 0;
  const blocks = record.blocks.slice(0, record.blockCount).flatMap((block, id) => {
    if (!block.present) return [];
    if (block.hasImage) images += block.imageSize;
    const { tablespace, database, relation, fork, hasImage, applyImage } = block;
    const forkName = fork === 0 ? '' : ` fork ${['main', 'fsm', 'vm', 'init'][fork]!}`;
    const use = applyImage ? ' FPW' : ' FPW for WAL verification';
    const place = `rel ${tablespace}/${database}/${relation}${forkName} blk ${block.block}`;
    return [`blkref #${id}: ${place}${hasImage ? use : ''}`];
  });
  const lengths = [record.totalSize - images, record.totalSize];
  const places = [formatLsn(record.start), formatLsn(record.previous)];
  return [manager, ...lengths, record.xid, ...places, operation.join(' '), ...blocks].join('|');
}
