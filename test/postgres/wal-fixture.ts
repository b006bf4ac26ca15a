/**
 * WAL fixtures: two segments of 1 MiB of real WAL per major (test/golden/generate-wal.sh), and the
 * records Postgres's pg_walinspect finds in them.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { formatLsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { recordName } from '../../src/postgres/resource-managers.ts';
import { WalReader, type WalReaderOptions } from '../../src/postgres/wal-reader.ts';
import { decodeRecord, imageBitsOf, WalRecord } from '../../src/postgres/wal-record.ts';

export const fixtureSegmentSize = 2 ** 20;
export const fixtureMajors = [15, 16, 17, 18] as const;

export interface WalFixture {
  readonly major: number;
  /** Where the bytes begin: at the start of a segment. */
  readonly start: Lsn;
  readonly bytes: Uint8Array;
  /** `start|end|previous|xid|manager|operation|total|main|images|blocks`, a line per record. */
  readonly listing: readonly string[];
}

export function walFixture(major: number): WalFixture {
  const listing = golden(`wal-${major}.txt.gz`).toString().trimEnd().split('\n');
  const first = parseLsn(listing[0]!.split('|')[0]!);
  const start = (first - (first % fixtureSegmentSize)) as Lsn;
  return { major, start, bytes: new Uint8Array(golden(`wal-${major}.gz`)), listing };
}

function golden(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(`../golden/${name}`, import.meta.url)));
}

export function fixtureReader(
  fixture: WalFixture,
  options: Partial<WalReaderOptions> = {},
): WalReader {
  const format = { major: fixture.major, segmentSize: fixtureSegmentSize };
  return new WalReader(fixture.start, { ...format, ...options });
}

/** Reads all of `bytes` in pieces of `step` bytes and decodes every record. */
export function readRecords(
  reader: WalReader,
  major: number,
  { bytes, step }: { readonly bytes: Uint8Array; readonly step: number },
  visit: (record: WalRecord) => void,
): void {
  const record = new WalRecord();
  for (let at = 0; at < bytes.length; at += step) {
    // A copy of just these bytes: nothing may be read beyond them.
    reader.push(bytes.slice(at, at + step));
    while (reader.next(record)) {
      decodeRecord(record, major);
      visit(record);
    }
    if (reader.atEnd !== 'needsBytes') return;
  }
}

/** The record as a line of the listing. */
export function describeRecord(record: WalRecord): string {
  const [manager, ...operation] = recordName(record.rmgr, record.info, record.major).split(' ');
  let images = 0;
  const blocks = [];
  for (let id = 0; id < record.blockCount; id += 1) {
    if (!record.blocks[id]!.present) continue;
    images += record.blocks[id]!.imageSize;
    blocks.push(describeBlock(record, id));
  }
  const positions = [record.start, record.end, record.previous].map(formatLsn);
  const sizes = [record.totalSize, record.mainSize, images];
  return [...positions, record.xid, manager, operation.join(' '), ...sizes, blocks.join(' ')].join(
    '|',
  );
}

function describeBlock(record: WalRecord, id: number): string {
  const block = record.blocks[id]!;
  const fork = ['main', 'fsm', 'vm', 'init'][block.fork]!;
  const relation = `${block.tablespace}/${block.database}/${block.relation}`;
  const base = `blkref #${id}: rel ${relation} fork ${fork} blk ${block.block}`;
  if (!block.hasImage) return base;
  const use = block.applyImage ? 'FPW' : 'FPW for WAL verification';
  const hole = `hole: offset: ${block.holeOffset}, length: ${block.holeSize}`;
  const bits = imageBitsOf(record.major);
  if ((block.imageInfo & bits.compressed) === 0) return `${base} (${use}); ${hole}`;
  const method = (['pglz', 'lz4', 'zstd'] as const).find(
    (name) => (block.imageInfo & bits[name]) !== 0,
  );
  const saved = 8_192 - block.holeSize - block.imageSize;
  return `${base} (${use}); ${hole}, compression saved: ${saved}, method: ${method!}`;
}
