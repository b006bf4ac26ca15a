/**
 * Replay: redoes the log of a cluster from its start pages, and compares every page after every
 * record with the image Postgres put into that record, under the resource manager's mask.
 *
 * Compared are blocks that redo changed: an image that replaces the page (`applyImage`) proves
 * nothing, and is only counted. After a mismatch replay goes on with Postgres's page.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatLsn, lsn, type Lsn } from '../../../src/base/lsn.ts';
import { FamilyTable, keyKinds, makeKey } from '../../../src/base/key.ts';
import { u32, u64 } from '../../../src/base/struct.ts';
import { PageHeader, isNewPage, pageSize } from '../../../src/postgres/page.ts';
import { recordValueSize, writeRecordValue } from '../../../src/postgres/page-value.ts';
import { imageValueSize, restoreImage, writeImageValue } from '../../../src/postgres/wal-image.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { redoTables } from '../../../src/postgres/redo/redo-tables.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { WalRecord, decodeRecord, type RecordBlock } from '../../../src/postgres/wal-record.ts';
import { describeDifference } from './page-difference.ts';
import { readStartPage } from './start-pages.ts';
import { type Cluster } from './oracle-server.ts';

/** What was seen of one block of one kind of record. */
export interface BlockCount {
  /** Redone and compared. */
  compared: number;
  mismatched: number;
  /** Replaced by an image, so there was nothing to redo. */
  imaged: number;
  /** Redone, but with no image to compare with. */
  unchecked: number;
  /** The manager has no redo. */
  unknown: number;
}

export interface OracleReport {
  /** By `<manager> <op code in hex> block <id>`. */
  readonly blocks: ReadonlyMap<string, BlockCount>;
  readonly records: number;
  /** `<manager> <op code in hex>` of every record, also of those that touch no block. */
  readonly kinds: ReadonlySet<string>;
  readonly compared: number;
  readonly mismatched: number;
  /** The first differences, with bytes. */
  readonly differences: readonly string[];
}

const differencesKept = 5;
const segmentSize = 16 * 1_024 * 1_024;
/** `checkPointCopy.redo` in pg_control, the same in majors 15 to 18. */
const controlFileRedoAt = 40;
const shutdownCheckpointInfo = 0;
const truncateInfo = 0x20;

/** Replays the cluster's log. The server must have been shut down. */
export function replay(cluster: Cluster): OracleReport {
  return new Replay(cluster).run();
}

class Replay {
  readonly #cluster: Cluster;
  readonly #families = new FamilyTable();
  readonly #pages = new Map<number, Uint8Array>();
  readonly #rebuilder: PageRebuilder;
  readonly #blocks = new Map<string, BlockCount>();
  readonly #differences: string[] = [];
  readonly #value = new Uint8Array(1_024 * 1_024);
  readonly #valueView = new DataView(this.#value.buffer);
  readonly #wanted = new DataView(new ArrayBuffer(pageSize));
  readonly #kinds = new Set<string>();
  #records = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#rebuilder = new PageRebuilder(cluster.major);
  }

  run(): OracleReport {
    const { data, before, major } = this.#cluster;
    const start = redoStart(before);
    const reader = new WalReader(start, { major, segmentSize });
    const record = new WalRecord();
    let last = '';
    for (const segment of segmentsFrom(join(data, 'pg_wal'), start)) {
      reader.push(segment);
      while (reader.next(record)) {
        decodeRecord(record, major);
        this.#take(record);
        last = `${record.rmgr} ${record.info}`;
      }
      if (reader.atEnd !== 'needsBytes') break;
    }
    const end = formatLsn(reader.recordEnd);
    const whole = last === `0 ${shutdownCheckpointInfo}`;
    if (!whole) throw new Error(`the log ends at ${end}, not with a shutdown: ${reader.atEnd}`);
    return this.#report();
  }

  #report(): OracleReport {
    let compared = 0;
    let mismatched = 0;
    for (const count of this.#blocks.values()) {
      compared += count.compared;
      mismatched += count.mismatched;
    }
    const blocks = new Map([...this.#blocks].sort(([a], [b]) => (a < b ? -1 : 1)));
    const differences = this.#differences;
    const kinds = this.#kinds;
    return { blocks, records: this.#records, kinds, compared, mismatched, differences };
  }

  #take(record: WalRecord): void {
    this.#records += 1;
    this.#kinds.add(kindOf(record));
    if (record.rmgr === 2 && (record.info & 0xf0) === truncateInfo) this.#truncate(record);
    for (let id = 0; id < record.blockCount; id += 1)
      if (record.blocks[id]!.present) this.#takeBlock(record, id);
  }

  #takeBlock(record: WalRecord, id: number): void {
    const block = record.blocks[id]!;
    const table = redoTables[record.rmgr];
    const count = this.#count(record, id);
    const page = this.#page(block);
    if (block.hasImage && block.applyImage) {
      count.imaged += 1;
      this.#apply(record, id, page);
    } else if (table === undefined) count.unknown += 1;
    else {
      this.#apply(record, id, page);
      if (block.hasImage && table.mask !== null) this.#compare(record, id, page);
      else count.unchecked += 1;
    }
  }

  /** Makes the value that ingest would store, and applies it. */
  #apply(record: WalRecord, id: number, page: Uint8Array): void {
    const block = record.blocks[id]!;
    const image = block.hasImage && block.applyImage;
    const size = image ? imageValueSize(record, id) : recordValueSize(record, id);
    if (image) writeImageValue(record, id, this.#value, 0);
    else writeRecordValue(record, id, this.#value, 0);
    this.#rebuilder.resume(page);
    try {
      this.#rebuilder.apply(this.#valueView, 0, size, record.end);
    } catch (error) {
      this.#mismatch(
        record,
        id,
        error instanceof Error ? String(error.stack) + String(error.cause) : '',
      );
    }
  }

  #compare(record: WalRecord, id: number, page: Uint8Array): void {
    const block = record.blocks[id]!;
    restoreImage(record, id, this.#wanted, this.#cluster.major);
    const wanted = new Uint8Array(this.#wanted.buffer.slice(0));
    const actual = page.slice();
    const mask = redoTables[record.rmgr]!.mask!;
    this.#count(record, id).compared += 1;
    const wantedView = new DataView(wanted.buffer);
    const stamped = PageHeader.lsn.get(new DataView(actual.buffer), 0);
    maskUnlessNew(mask, wantedView, block.block);
    maskUnlessNew(mask, new DataView(actual.buffer), block.block);
    const difference = describeDifference(wanted, actual);
    if (difference === null) return;
    this.#mismatch(record, id, `page LSN ${formatLsn(stamped)}\n${difference}`);
    page.set(new Uint8Array(this.#wanted.buffer));
    PageHeader.lsn.set(new DataView(page.buffer), 0, record.end);
  }

  #mismatch(record: WalRecord, id: number, what: string): void {
    this.#count(record, id).mismatched += 1;
    if (this.#differences.length >= differencesKept) return;
    const { relation, fork, block } = record.blocks[id]!;
    const where = `relation ${relation} fork ${fork} block ${block}`;
    this.#differences.push(`${nameOf(record, id)} at ${formatLsn(record.end)}, ${where}: ${what}`);
  }

  #count(record: WalRecord, id: number): BlockCount {
    const name = nameOf(record, id);
    let count = this.#blocks.get(name);
    if (count === undefined) {
      count = { compared: 0, mismatched: 0, imaged: 0, unchecked: 0, unknown: 0 };
      this.#blocks.set(name, count);
    }
    return count;
  }

  #page(address: RecordBlock): Uint8Array {
    const { tablespace, database, relation, fork, block } = address;
    const { relationBlock } = keyKinds;
    const family = this.#families.id(relationBlock, tablespace, database, relation, fork);
    const key = makeKey(family, block);
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = readStartPage(this.#cluster.before, address);
      this.#pages.set(key, page);
    }
    return page;
  }

  /** `XLOG_SMGR_TRUNCATE`: blocks that come back later come back as zeros. */
  #truncate(record: WalRecord): void {
    const at = record.mainOffset;
    const [blocks, tablespace, database, relation] = [0, 4, 8, 12].map((offset) =>
      u32.read(record.view, at + offset),
    );
    const { relationBlock } = keyKinds;
    const family = this.#families.id(relationBlock, tablespace!, database!, relation!, 0);
    for (const [key, page] of this.#pages)
      if (key >= makeKey(family, blocks!) && key < makeKey(family, 2 ** 32 - 1)) page.fill(0);
  }
}

/** A page that was never initialised has nothing to mask, and no valid header. */
function maskUnlessNew(
  mask: (page: DataView, block: number) => void,
  page: DataView,
  block: number,
): void {
  if (!isNewPage(page)) mask(page, block);
}

function nameOf(record: WalRecord, id: number): string {
  return `${kindOf(record)} block ${id}`;
}

function kindOf(record: WalRecord): string {
  const name = redoTables[record.rmgr]?.name ?? `manager ${record.rmgr}`;
  return `${name} ${(record.info & 0xf0).toString(16).padStart(2, '0')}`;
}

function redoStart(dataDirectory: string): Lsn {
  const control = readFileSync(join(dataDirectory, 'global', 'pg_control'));
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  return lsn(u64.read(view, controlFileRedoAt));
}

/** The bytes of the log from `start` on, segment by segment. */
function* segmentsFrom(directory: string, start: Lsn): Generator<Uint8Array> {
  const names = readdirSync(directory).filter((name) => /^[0-9A-F]{24}$/.test(name));
  const first = Math.floor(start / segmentSize);
  for (const name of names.sort()) {
    const perFile = 2 ** 32 / segmentSize;
    const number = parseInt(name.slice(8, 16), 16) * perFile + parseInt(name.slice(16), 16);
    if (number < first) continue;
    const bytes = readFileSync(join(directory, name));
    yield number === first ? bytes.subarray(start % segmentSize) : bytes;
  }
}
