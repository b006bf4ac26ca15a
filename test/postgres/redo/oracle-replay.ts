/**
 * Replay: redoes the log of a cluster from its start pages, and compares every page after every
 * record with the image Postgres put into that record, under the resource manager's mask.
 *
 * Compared are blocks that redo changed: an image that replaces the page (`applyImage`) proves
 * nothing, and is only counted. After a mismatch replay goes on with Postgres's page. At the end, the
 * pages are compared with those the server left on disk.
 */
import { join } from 'node:path';
import { inspect } from 'node:util';
import { formatLsn, type Lsn } from '../../../src/base/lsn.ts';
import { FamilyTable, keyKinds, makeKey } from '../../../src/base/key.ts';
import { u32 } from '../../../src/base/struct.ts';
import { PageHeader, isNewPage, pageSize } from '../../../src/postgres/page.ts';
import { recordValueSize, writeRecordValue } from '../../../src/postgres/page-value.ts';
import { imageValueSize, restoreImage, writeImageValue } from '../../../src/postgres/wal-image.ts';
import { maskPage, maskUnlogged, type MaskedPage } from '../../../src/postgres/redo/mask-page.ts';
import { pageManager } from '../../../src/postgres/redo/page-manager.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { redoTables } from '../../../src/postgres/redo/redo-tables.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { WalRecord, decodeRecord, type RecordBlock } from '../../../src/postgres/wal-record.ts';
import { redoStart, segmentSize, segmentsFrom } from './oracle-log.ts';
import { describeDifference } from './page-difference.ts';
import { readPage, type PageAddress } from './relation-pages.ts';
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
  /** Pages compared with what the server left on disk. */
  readonly comparedAtEnd: number;
  /** The first differences, with bytes. */
  readonly differences: readonly string[];
}

/** One redo that left the page as Postgres did. Valid only while the observer runs. */
export interface RedoSample {
  /** As in `OracleReport.blocks`. */
  readonly name: string;
  readonly rmgr: number;
  readonly block: number;
  readonly end: Lsn;
  readonly value: Uint8Array;
  readonly before: Uint8Array;
  /** Postgres's page. */
  readonly after: Uint8Array;
}
export type RedoObserver = (sample: RedoSample) => void;

const differencesKept = 5;
const shutdownCheckpointInfo = 0;
const truncateInfo = 0x20;
const mainFork = 0;
/**
 * Blocks that Postgres does not always stamp: hints that need no stamp without checksums, and pages of
 * hash indexes that a standby is to lock.
 */
const unstamped = new Set([
  ...['Heap2 40 block 0', 'Heap2 40 block 1'],
  ...['Hash 70 block 0', 'Hash 80 block 0', 'Hash 80 block 1', 'Hash 90 block 0'],
]);

/** Replays the cluster's log. The server must have been shut down. */
export function replay(cluster: Cluster, observer: RedoObserver | null): OracleReport {
  return new Replay(cluster, observer).run();
}

/** A page we hold, and who changed it last. */
interface HeldPage {
  readonly address: PageAddress;
  readonly bytes: Uint8Array;
  rmgr: number;
}

class Replay {
  readonly #cluster: Cluster;
  readonly #families = new FamilyTable();
  readonly #pages = new Map<number, HeldPage>();
  readonly #rebuilder: PageRebuilder;
  readonly #blocks = new Map<string, BlockCount>();
  readonly #differences: string[] = [];
  readonly #value = new Uint8Array(1_024 * 1_024);
  readonly #valueView = new DataView(this.#value.buffer);
  readonly #wanted = new DataView(new ArrayBuffer(pageSize));
  readonly #before = new Uint8Array(pageSize);
  readonly #observer: RedoObserver | null;
  readonly #kinds = new Set<string>();
  #records = 0;
  #mismatched = 0;
  #comparedAtEnd = 0;

  constructor(cluster: Cluster, observer: RedoObserver | null) {
    this.#cluster = cluster;
    this.#observer = observer;
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
    for (const held of this.#pages.values()) this.#compareAtEnd(held);
    return this.#report();
  }

  #report(): OracleReport {
    let compared = 0;
    for (const count of this.#blocks.values()) compared += count.compared;
    return {
      blocks: new Map([...this.#blocks].sort(([a], [b]) => (a < b ? -1 : 1))),
      records: this.#records,
      kinds: this.#kinds,
      compared,
      mismatched: this.#mismatched,
      comparedAtEnd: this.#comparedAtEnd,
      differences: this.#differences,
    };
  }

  #take(record: WalRecord): void {
    this.#records += 1;
    this.#kinds.add(kindOf(record));
    if (record.rmgr === resourceManagers.storage && (record.info & 0xf0) === truncateInfo)
      this.#truncate(record);
    for (let id = 0; id < record.blockCount; id += 1)
      if (record.blocks[id]!.present) this.#takeBlock(record, id);
  }

  #takeBlock(record: WalRecord, id: number): void {
    const block = record.blocks[id]!;
    const table = redoTables[record.rmgr];
    const count = this.#count(record, id);
    const held = this.#page(block);
    if (table?.mask !== null || held.rmgr === 0) held.rmgr = record.rmgr;
    const image = block.hasImage && block.applyImage;
    if (image) count.imaged += 1;
    else if (table === undefined) count.unknown += 1;
    else if (!block.hasImage || table.mask === null) count.unchecked += 1;
    else count.compared += 1;

    if (!image && table === undefined) return;
    try {
      if (this.#observer !== null) this.#before.set(held.bytes);
      const size = this.#apply(record, id, held.bytes);
      const checked = !image && block.hasImage && table?.mask != null;
      if (checked && this.#compare(record, id, held)) this.#observe(record, id, size);
    } catch (error) {
      this.#mismatch(record, id, inspect(error));
    }
  }

  /** Makes the value that ingest would store, and applies it. Returns the value's size in bytes. */
  #apply(record: WalRecord, id: number, page: Uint8Array): number {
    const block = record.blocks[id]!;
    const image = block.hasImage && block.applyImage;
    const size = image ? imageValueSize(record, id) : recordValueSize(record, id);
    if (image) writeImageValue(record, id, this.#value, 0);
    else writeRecordValue(record, id, this.#valueView, 0);
    this.#rebuilder.resume(page);
    this.#rebuilder.apply(this.#valueView, 0, size, record.end);
    return size;
  }

  /** Compares the page with the record's image, whose LSN is from before the record. */
  #compare(record: WalRecord, id: number, held: HeldPage): boolean {
    restoreImage(record, id, this.#wanted, this.#cluster.major);
    const { rmgr, address, bytes } = held;
    const wanted = new Uint8Array(this.#wanted.buffer);
    const stamp = PageHeader.lsn.get(new DataView(bytes.buffer), 0);
    const difference = maskedDifference(wanted, bytes, {
      rmgr,
      fork: mainFork,
      block: address.block,
    });
    const stamped = stamp === record.end || unstamped.has(nameOf(record, id));
    if (difference === null && stamped) return true;
    this.#mismatch(record, id, `page LSN ${formatLsn(stamp)}\n${difference ?? 'not stamped'}`);
    bytes.set(wanted);
    PageHeader.lsn.set(new DataView(bytes.buffer), 0, record.end);
    return false;
  }

  /**
   * Compares with the file, where there still is one. The maps change without records, and sequences
   * are logged some values ahead of their page.
   */
  #compareAtEnd({ address, bytes, rmgr: last }: HeldPage): void {
    const table = redoTables[last];
    const isMain = address.fork === mainFork;
    if (!isMain || table === undefined || last === resourceManagers.sequence) return;
    const wanted = readPage(this.#cluster.data, address);
    if (wanted === null) return;
    this.#comparedAtEnd += 1;
    const { relation, fork, block } = address;
    const manager = table.mask === null ? pageManager(new DataView(wanted.buffer)) : last;
    const rmgr = manager ?? last;
    const [theirs, ours] = [wanted, bytes].map((page) => withoutUnlogged(page, rmgr));
    const difference = maskedDifference(theirs!, ours!, { rmgr, fork, block });
    if (difference === null) return;
    this.#differ(`at the end, ${table.name} relation ${relation} block ${block}: ${difference}`);
  }

  #observe(record: WalRecord, id: number, size: number): void {
    this.#observer?.({
      name: nameOf(record, id),
      rmgr: record.rmgr,
      block: record.blocks[id]!.block,
      end: record.end,
      value: this.#value.subarray(0, size),
      before: this.#before,
      after: new Uint8Array(this.#wanted.buffer),
    });
  }

  #mismatch(record: WalRecord, id: number, what: string): void {
    this.#count(record, id).mismatched += 1;
    const { relation, fork, block } = record.blocks[id]!;
    const where = `relation ${relation} fork ${fork} block ${block}`;
    this.#differ(`${nameOf(record, id)} at ${formatLsn(record.end)}, ${where}: ${what}`);
  }

  #differ(what: string): void {
    this.#mismatched += 1;
    if (this.#differences.length < differencesKept) this.#differences.push(what);
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

  #page(address: RecordBlock): HeldPage {
    const { tablespace, database, relation, fork, block } = address;
    const { relationBlock } = keyKinds;
    const family = this.#families.id(relationBlock, tablespace, database, relation, fork);
    const key = makeKey(family, block);
    let held = this.#pages.get(key);
    if (held === undefined) {
      const copy = { tablespace, database, relation, fork, block };
      const bytes = readPage(this.#cluster.before, copy) ?? new Uint8Array(pageSize);
      held = { address: copy, bytes, rmgr: 0 };
      this.#pages.set(key, held);
    }
    return held;
  }

  /** `XLOG_SMGR_TRUNCATE`: blocks that come back later come back as zeros. */
  #truncate(record: WalRecord): void {
    const at = record.mainOffset;
    const [blocks, tablespace, database, relation] = [0, 4, 8, 12].map((offset) =>
      u32.read(record.view, at + offset),
    );
    const { relationBlock } = keyKinds;
    const family = this.#families.id(relationBlock, tablespace!, database!, relation!, mainFork);
    for (const [key, held] of this.#pages)
      if (key >= makeKey(family, blocks!) && key < makeKey(family, 2 ** 32 - 1)) held.bytes.fill(0);
  }
}

/** A copy of the page without what a server keeps there beyond what it logs. */
function withoutUnlogged(page: Uint8Array, rmgr: number): Uint8Array {
  const copy = page.slice();
  const view = new DataView(copy.buffer);
  if (!isNewPage(view)) maskUnlogged(view, rmgr);
  return copy;
}

/** Null when the pages are equal under the mask. A page never initialised has nothing to mask. */
function maskedDifference(
  wanted: Uint8Array,
  actual: Uint8Array,
  where: MaskedPage,
): string | null {
  const masked = [wanted, actual].map((page) => {
    const copy = page.slice();
    const view = new DataView(copy.buffer);
    if (!isNewPage(view)) maskPage(view, where);
    return copy;
  });
  return describeDifference(masked[0]!, masked[1]!);
}

function nameOf(record: WalRecord, id: number): string {
  return `${kindOf(record)} block ${id}`;
}

function kindOf(record: WalRecord): string {
  const name = redoTables[record.rmgr]?.name ?? `manager ${record.rmgr}`;
  return `${name} ${(record.info & 0xf0).toString(16).padStart(2, '0')}`;
}
