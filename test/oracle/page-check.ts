/**
 * PageCheck: ingests records one by one and compares every page that has an image of what it must
 * look like afterwards, under the mask of the record's manager.
 *
 * Images that replace the page (`applyImage`) prove nothing and are only counted. After a difference
 * the page goes on as Postgres made it, so that one defect is counted where it is.
 */
import { inspect } from 'node:util';
import { keyKinds, makeKey, type Key } from '../../src/base/key.ts';
import { Failure } from '../../src/base/failure.ts';
import { formatLsn } from '../../src/base/lsn.ts';
import { u32 } from '../../src/base/struct.ts';
import { Ingest } from '../../src/postgres/ingest/ingest.ts';
import { type Major } from '../../src/postgres/major.ts';
import { isNewPage, PageHeader, pageSize } from '../../src/postgres/page.ts';
import { maskPage } from '../../src/postgres/redo/mask-page.ts';
import { redoTables } from '../../src/postgres/redo/redo-tables.ts';
import { relationForks } from '../../src/postgres/relation-path.ts';
import { recordName, resourceManagers as ids } from '../../src/postgres/resource-managers.ts';
import { restoreImage } from '../../src/postgres/wal-image.ts';
import { type WalRecord } from '../../src/postgres/wal-record.ts';
import { describeDifference } from '../postgres/redo/page-difference.ts';
import { type FoldedTip } from './folded-tip.ts';

/** What was seen of one kind of record: counts of records, and of their blocks. */
export interface KindCount {
  records: number;
  /** Blocks redone and compared. */
  compared: number;
  /** Of them, those that differed; also blocks whose redo failed. */
  mismatched: number;
  /** Replaced by an image, so there was nothing to redo. */
  imaged: number;
  /** Redone, but with no image to compare with. */
  unchecked: number;
  /** Records that ingest does not take, by design or because there is no redo. */
  refused: number;
}

export interface Difference {
  /** What the record is, where, and which of its blocks. */
  readonly record: string;
  readonly bytes: string;
}

/** Failures that say we do not do this, rather than that we did it wrong. */
const refusals = new Set(['resource_manager_unsupported', 'tablespace_unsupported']);
/**
 * Blocks that a record names and does not always stamp: hints that need no stamp without checksums, and
 * pages of hash indexes that a standby is to lock.
 */
const unstamped: Readonly<Record<string, readonly number[]>> = {
  'Heap2 VISIBLE': [0, 1],
  'Hash MOVE_PAGE_CONTENTS': [0],
  'Hash SQUEEZE_PAGE': [0, 1],
  'Hash DELETE': [0],
};
const createByLog = 0x10;
const differencesKept = 20;

export class PageCheck {
  readonly kinds = new Map<string, KindCount>();
  /** The first ones. */
  readonly differences: Difference[] = [];
  /** Why records were refused, and how often. */
  readonly refusals = new Map<string, number>();
  /** Databases whose pages were logged one by one to copy them. */
  readonly copiedDatabases = new Set<number>();
  readonly #major: Major;
  readonly #tip: FoldedTip;
  readonly #ingest: Ingest;
  readonly #wanted = new DataView(new ArrayBuffer(pageSize));

  constructor(major: Major, tip: FoldedTip) {
    this.#major = major;
    this.#tip = tip;
    this.#ingest = new Ingest(major, tip);
  }

  /** Takes a decoded record. */
  record(record: WalRecord): void {
    const count = this.#count(recordName(record.rmgr, record.info, this.#major));
    count.records += 1;
    if (record.rmgr === ids.database && (record.info & 0xf0) === createByLog)
      this.copiedDatabases.add(u32.read(record.view, record.mainOffset));
    const taken = this.#ingestRecord(record, count);
    for (let id = 0; id < record.blockCount; id += 1)
      if (record.blocks[id]!.present) this.#block(record, id, { count, taken });
  }

  /** False when it was refused or failed: then pages are taken from the images. */
  #ingestRecord(record: WalRecord, count: KindCount): boolean {
    try {
      this.#ingest.record(record);
      return true;
    } catch (error) {
      if (error instanceof Failure && refusals.has(error.code)) {
        count.refused += 1;
        this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1);
      } else {
        count.mismatched += 1;
        this.#differ(describeRecord(record, this.#major), inspect(error));
      }
      return false;
    }
  }

  #block(record: WalRecord, id: number, to: { count: KindCount; taken: boolean }): void {
    const block = record.blocks[id]!;
    const isChecked = block.hasImage && !block.applyImage;
    if (!to.taken) {
      if (block.hasImage) this.#adopt(record, id);
      return;
    }
    if (block.applyImage) to.count.imaged += 1;
    else if (!isChecked || redoTables[record.rmgr]?.mask == null) to.count.unchecked += 1;
    else this.#compare(record, id, to.count);
  }

  /** As `verifyBackupPageConsistency`: a page from after the record is not looked at. */
  #compare(record: WalRecord, id: number, count: KindCount): void {
    const page = this.#tip.hold(this.#key(record, id));
    const stamp = PageHeader.lsn.get(viewOf(page), 0);
    if (stamp > record.end) {
      count.unchecked += 1;
      return;
    }
    count.compared += 1;
    restoreImage(record, id, this.#wanted, this.#major);
    const { block, fork } = record.blocks[id]!;
    const wanted = new Uint8Array(this.#wanted.buffer);
    const difference = maskedDifference(wanted, page, { rmgr: record.rmgr, fork, block });
    const name = recordName(record.rmgr, record.info, this.#major);
    const stamped = stamp === record.end || (unstamped[name] ?? []).includes(id);
    if (difference === null && stamped) return;
    if (this.#lacksCopiedBits(record, id, page)) return;
    count.mismatched += 1;
    const what = difference ?? `the page is stamped ${formatLsn(stamp)}`;
    this.#differ(`${describeRecord(record, this.#major)}, block ${id}`, what);
    this.#adopt(record, id);
  }

  /**
   * CREATE DATABASE logs the maps it copies as if they were standard pages, whose bytes all lie in the
   * hole that the log leaves out: in such a database, whoever replays the log has fewer bits, never more.
   */
  #lacksCopiedBits(record: WalRecord, id: number, page: Uint8Array): boolean {
    const { fork, database } = record.blocks[id]!;
    if (fork !== relationForks.visibilityMap || !this.copiedDatabases.has(database)) return false;
    const wanted = new Uint8Array(this.#wanted.buffer);
    return page.every((byte, at) => at < PageHeader.size || (byte & ~wanted[at]!) === 0);
  }

  /** The page becomes the record's image of it. */
  #adopt(record: WalRecord, id: number): void {
    restoreImage(record, id, this.#wanted, this.#major);
    const page = this.#tip.hold(this.#key(record, id));
    page.set(new Uint8Array(this.#wanted.buffer));
    PageHeader.lsn.set(viewOf(page), 0, record.end);
  }

  #key(record: WalRecord, id: number): Key {
    const { tablespace, database, relation, fork, block } = record.blocks[id]!;
    const { relationBlock } = keyKinds;
    const { families } = this.#tip;
    return makeKey(families.id(relationBlock, tablespace, database, relation, fork), block);
  }

  #differ(record: string, bytes: string): void {
    if (this.differences.length < differencesKept) this.differences.push({ record, bytes });
  }

  #count(name: string): KindCount {
    let count = this.kinds.get(name);
    if (count === undefined) {
      count = { records: 0, compared: 0, mismatched: 0, imaged: 0, unchecked: 0, refused: 0 };
      this.kinds.set(name, count);
    }
    return count;
  }
}

/** What the record is, where it stands and what it touches. */
export function describeRecord(record: WalRecord, major: Major): string {
  const name = recordName(record.rmgr, record.info, major);
  const info = `info ${record.info.toString(16).padStart(2, '0')}`;
  const blocks = record.blocks.slice(0, record.blockCount).flatMap((block, id) => {
    const { present, tablespace, database, relation, fork } = block;
    if (!present) return [];
    return [`#${id} ${tablespace}/${database}/${relation} fork ${fork} block ${block.block}`];
  });
  const where = `${formatLsn(record.start)} to ${formatLsn(record.end)}`;
  return [`${name} (${info}) at ${where}, xid ${record.xid}`, ...blocks].join(', ');
}

/** Null when the pages are equal under the mask. A page never initialised has nothing to mask. */
export function maskedDifference(
  wanted: Uint8Array,
  actual: Uint8Array,
  where: { readonly rmgr: number; readonly fork: number; readonly block: number },
): string | null {
  const [theirs, ours] = [wanted, actual].map((page) => {
    const copy = page.slice();
    if (!isNewPage(viewOf(copy))) maskPage(viewOf(copy), where);
    return copy;
  });
  return describeDifference(theirs!, ours!);
}

function viewOf(page: Uint8Array): DataView {
  return new DataView(page.buffer, page.byteOffset, pageSize);
}
