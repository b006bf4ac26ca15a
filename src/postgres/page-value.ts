/**
 * PageValue: what a timeline stores as one version of a page, and how a page is rebuilt from it.
 *
 * A value is one byte of tag, then:
 *
 * ```
 * image     1 | pad 7 | 8192 bytes                                      a whole page
 * walImage  2 | major | bimg_info | pad | u16 hole offset | u16 hole size | image bytes
 * record    3 | rmgr | info | block id | u32 xid | u8 block count | u8 flags | u16 data size |
 *             u32 main size | u32 block number × block count | block data | main data
 * delta     4 | delta kind | …               ours: slru.ts, visibility-map.ts, gist-page.ts
 * ```
 *
 * `record` is a WAL record reduced to what one of its blocks needs: that block's data, the main data
 * and the numbers of all its blocks. An image and a record whose block is initialised by redo need
 * no older version: the layer index marks them so.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { lsnZero, type Lsn } from '../base/lsn.ts';
import { struct, u16, u32, u8 } from '../base/struct.ts';
import { copyBytes } from './redo/page-bytes.ts';
import { type WalRecord } from './wal-record.ts';

export const valueTags = { image: 1, walImage: 2, record: 3, delta: 4 } as const;

export const RecordValue = struct(
  {
    tag: u8,
    rmgr: u8,
    info: u8,
    blockId: u8,
    xid: u32,
    blockCount: u8,
    flags: u8,
    dataSize: u16,
    mainSize: u32,
  },
  { size: 16 },
);

/** `RecordValue.flags`: redo makes the block from nothing (`BKPBLOCK_WILL_INIT`). */
export const recordFlags = { willInit: 1 } as const;

const blockNumberSize = 4;
/** `InvalidBlockNumber`: stands for a block number the record does not use. */
const noBlock = 0xffff_ffff;

/**
 * What redo sees: one record, from the side of one block. A cursor, moved by `moveTo`; offsets are
 * into `view`. Multi-block records call the same function once per block; `blockId` says which.
 */
export class BlockRecord {
  view: DataView = new DataView(new ArrayBuffer(0));
  /** End LSN of the record: what the page is stamped with. */
  end: Lsn = lsnZero;
  /** The Postgres major that wrote the record. */
  major = 0;
  rmgr = 0;
  info = 0;
  xid = 0;
  blockId = 0;
  blockCount = 0;
  /** Redo makes the block from nothing: what the page held before does not matter. */
  willInit = false;
  data = 0;
  dataSize = 0;
  main = 0;
  mainSize = 0;
  #blockNumbers = 0;

  /** Points at the `record` value that starts at `at` in `view`. */
  moveTo(view: DataView, at: number, end: Lsn): void {
    assert(RecordValue.tag.get(view, at) === valueTags.record, 'only records are redone');
    this.view = view;
    this.end = end;
    this.rmgr = RecordValue.rmgr.get(view, at);
    this.info = RecordValue.info.get(view, at);
    this.xid = RecordValue.xid.get(view, at);
    this.blockId = RecordValue.blockId.get(view, at);
    this.blockCount = RecordValue.blockCount.get(view, at);
    this.willInit = (RecordValue.flags.get(view, at) & recordFlags.willInit) !== 0;
    this.dataSize = RecordValue.dataSize.get(view, at);
    this.mainSize = RecordValue.mainSize.get(view, at);
    this.#blockNumbers = at + RecordValue.size;
    this.data = this.#blockNumbers + this.blockCount * blockNumberSize;
    this.main = this.data + this.dataSize;
  }

  hasBlock(id: number): boolean {
    return id < this.blockCount && this.#numberAt(id) !== noBlock;
  }

  /**
   * Block number of the record's block `id`; its own block is `blockNumber(record.blockId)`. Fails
   * with `redo_record_malformed` when the record lacks a block that its kind must have.
   */
  blockNumber(id: number): number {
    ensure(this.hasBlock(id), 'redo_record_malformed', { blockId: id });
    return this.#numberAt(id);
  }

  #numberAt(id: number): number {
    return this.view.getUint32(this.#blockNumbers + id * blockNumberSize, true);
  }
}

/** One redo function: applies `record` to `page` and stamps the page with `record.end`, last. */
export type Redo = (page: DataView, record: BlockRecord) => void;

/** Size in bytes of the `record` value of block `id`. */
export function recordValueSize(record: WalRecord, id: number): number {
  const block = record.blocks[id]!;
  return RecordValue.size + record.blockCount * blockNumberSize + block.dataSize + record.mainSize;
}

/** Writes the `record` value of block `id` at `at` in `view`: `recordValueSize` bytes. */
export function writeRecordValue(record: WalRecord, id: number, view: DataView, at: number): void {
  const block = record.blocks[id]!;
  RecordValue.tag.set(view, at, valueTags.record);
  RecordValue.rmgr.set(view, at, record.rmgr);
  RecordValue.info.set(view, at, record.info);
  RecordValue.blockId.set(view, at, id);
  RecordValue.xid.set(view, at, record.xid);
  RecordValue.blockCount.set(view, at, record.blockCount);
  RecordValue.flags.set(view, at, block.willInit ? recordFlags.willInit : 0);
  RecordValue.dataSize.set(view, at, block.dataSize);
  RecordValue.mainSize.set(view, at, record.mainSize);
  let cursor = at + RecordValue.size;
  for (let other = 0; other < record.blockCount; other += 1) {
    const { present, block: number } = record.blocks[other]!;
    view.setUint32(cursor, present ? number : noBlock, true);
    cursor += blockNumberSize;
  }
  copyBytes(view, cursor, record.view, block.dataOffset, block.dataSize);
  copyBytes(view, cursor + block.dataSize, record.view, record.mainOffset, record.mainSize);
}
