/**
 * WalRecord: one decoded WAL record, as a cursor that is filled again for every record.
 *
 * Nothing is copied: offsets point into `bytes`, which stay valid until the next record is decoded.
 * `XLogRecord` and its block headers are in src/include/access/xlogrecord.h. A record found by the
 * WalReader has its header fields; `decodeRecord` fills in the rest.
 */
import { Failure, type FailureValues } from '../base/failure.ts';
import { lsnZero, type Lsn } from '../base/lsn.ts';
import { struct, lsnField, padding, u16, u32, u8 } from '../base/struct.ts';
import { ensureMajor, type Major } from './major.ts';
import { pageSize } from './page.ts';

/** `XLogRecord`. */
export const RecordHeader = struct(
  { totalSize: u32, xid: u32, previous: lsnField, info: u8, rmgr: u8, pad: padding(2), crc: u32 },
  { size: 24 },
);

/** `XLogRecordBlockHeader`; the structs that may follow it are not aligned either. */
export const BlockHeader = struct({ id: u8, forkFlags: u8, dataSize: u16 }, { size: 4 });
/** `XLogRecordBlockImageHeader`. */
export const BlockImageHeader = struct({ imageSize: u16, holeOffset: u16, info: u8 }, { size: 5 });
/** `XLogRecordBlockCompressHeader`: for a compressed image with a hole. */
export const BlockCompressHeader = struct({ holeSize: u16 }, { size: 2 });
/** `RelFileLocator`. */
export const RelationLocator = struct(
  { tablespace: u32, database: u32, relation: u32 },
  { size: 12 },
);

/** Block references are numbered 0 to 32 (`XLR_MAX_BLOCK_ID`). */
const blockIdMax = 32;

/** One block reference of a record. `present` is false for numbers the record does not use. */
export interface RecordBlock {
  present: boolean;
  tablespace: number;
  database: number;
  relation: number;
  fork: number;
  block: number;
  /** `BKPBLOCK_WILL_INIT`: redo makes the page from nothing. */
  willInit: boolean;
  hasImage: boolean;
  /** `BKPIMAGE_APPLY`: the image replaces the page; without it it is only there to be checked. */
  applyImage: boolean;
  /** `bimg_info`, whose compression bits differ between majors: read it through wal-image.ts. */
  imageInfo: number;
  /** Bytes of the stored image, at `imageOffset` in the record's `bytes`. */
  imageOffset: number;
  imageSize: number;
  holeOffset: number;
  holeSize: number;
  /** Block data, at `dataOffset` in the record's `bytes`; size 0 when there is none. */
  dataOffset: number;
  dataSize: number;
}

/** A decoded record. Offsets are into `bytes`, which `view` also shows. Sizes in bytes. */
export class WalRecord {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the record's header starts in WAL. */
  start: Lsn = lsnZero;
  /** The end position every page touched is stamped with: aligned to 8 (`EndRecPtr`). */
  end: Lsn = lsnZero;
  previous: Lsn = lsnZero;
  /** Offset of the `XLogRecord` header in `bytes`. */
  offset = 0;
  totalSize = 0;
  /** The Postgres major that wrote it, once it is decoded. */
  major = 0;
  xid = 0;
  /** `xl_info`: the resource manager's bits are the high four. */
  info = 0;
  rmgr = 0;
  mainOffset = 0;
  mainSize = 0;
  origin = 0;
  toplevelXid = 0;
  /** One more than the highest block number present. */
  blockCount = 0;
  readonly blocks: readonly RecordBlock[] = Array.from({ length: blockIdMax + 1 }, absentBlock);
}

function absentBlock(): RecordBlock {
  return {
    present: false,
    tablespace: 0,
    database: 0,
    relation: 0,
    fork: 0,
    block: 0,
    willInit: false,
    hasImage: false,
    applyImage: false,
    imageInfo: 0,
    imageOffset: 0,
    imageSize: 0,
    holeOffset: 0,
    holeSize: 0,
    dataOffset: 0,
    dataSize: 0,
  };
}

/** Flags in `fork_flags`, whose low four bits are the fork. */
const blockFlags = { hasImage: 0x10, hasData: 0x20, willInit: 0x40, sameRelation: 0x80 } as const;
const forkMask = 0x0f;
/** Forks are main, fsm, vm, init. */
const forkMax = 3;
/** Numbers that stand where a block's would: `XLR_BLOCK_ID_DATA_SHORT` and so on. */
const headerIds = { mainShort: 255, mainLong: 254, origin: 253, toplevelXid: 252 } as const;

/** What the bits of `bimg_info` mean in one major. */
export interface ImageBits {
  readonly hasHole: number;
  readonly apply: number;
  readonly pglz: number;
  readonly lz4: number;
  readonly zstd: number;
  /** Any of the compression methods. */
  readonly compressed: number;
}

const imageBits15 = {
  hasHole: 0x01,
  apply: 0x02,
  pglz: 0x04,
  lz4: 0x08,
  zstd: 0x10,
  compressed: 0x1c,
} as const;
const imageBits: Readonly<Record<Major, ImageBits>> = {
  15: imageBits15,
  16: imageBits15,
  17: imageBits15,
  18: imageBits15,
};

export function imageBitsOf(major: number): ImageBits {
  return imageBits[ensureMajor(major)];
}

/**
 * `DecodeXLogRecord`: fills in blocks and main data of a record whose header the WalReader filled.
 * Fails (`corrupt`) with `wal_block_invalid` or `wal_record_body_invalid` unless every length and
 * flag agrees with the record's size.
 */
export function decodeRecord(record: WalRecord, major: number): void {
  const bits = imageBitsOf(major);
  resetBody(record);
  record.major = major;
  const end = record.offset + record.totalSize;
  let at = record.offset + RecordHeader.size;
  let dataSize = 0;
  while (end - at > dataSize) {
    const id = record.bytes[at]!;
    if (id <= blockIdMax) {
      at = decodeBlock(record, at, end, bits);
      const block = record.blocks[id]!;
      dataSize += block.dataSize + block.imageSize;
    } else {
      at = decodeOther(record, at, end);
      dataSize += record.mainSize;
      if (id >= headerIds.mainLong) break;
    }
  }
  if (end - at !== dataSize) failBody(record, { left: end - at, dataSize });
  placeData(record, at);
}

/** Forgets the record decoded before. */
function resetBody(record: WalRecord): void {
  for (let id = 0; id < record.blockCount; id += 1) record.blocks[id]!.present = false;
  record.blockCount = 0;
  record.mainSize = 0;
  record.origin = 0;
  record.toplevelXid = 0;
}

/** Decodes the header at `at` of something that is no block; returns where the next begins. */
function decodeOther(record: WalRecord, at: number, end: number): number {
  const { view } = record;
  const id = view.getUint8(at);
  const size = otherHeaderSize(id);
  if (size === 0 || at + size > end) failBody(record, { id });
  if (id === headerIds.mainShort) record.mainSize = u8.read(view, at + 1);
  else if (id === headerIds.mainLong) record.mainSize = u32.read(view, at + 1);
  else if (id === headerIds.origin) record.origin = u16.read(view, at + 1);
  else record.toplevelXid = u32.read(view, at + 1);
  return at + size;
}

/** 0 for an unknown id. */
function otherHeaderSize(id: number): number {
  if (id === headerIds.mainShort) return 2;
  if (id === headerIds.origin) return 3;
  return id === headerIds.mainLong || id === headerIds.toplevelXid ? 5 : 0;
}

/** Decodes the block header at `at`; returns where the next header begins. */
function decodeBlock(record: WalRecord, at: number, end: number, bits: ImageBits): number {
  const { view } = record;
  if (at + BlockHeader.size > end) failBody(record, { left: end - at });
  const id = BlockHeader.id.get(view, at);
  const flags = BlockHeader.forkFlags.get(view, at);
  const block = record.blocks[id]!;
  if (id < record.blockCount) failBlock(record, id, { blockCount: record.blockCount });
  block.fork = flags & forkMask;
  block.willInit = (flags & blockFlags.willInit) !== 0;
  block.hasImage = (flags & blockFlags.hasImage) !== 0;
  block.dataSize = BlockHeader.dataSize.get(view, at);
  const hasData = (flags & blockFlags.hasData) !== 0;
  if (hasData !== (block.dataSize !== 0)) failBlock(record, id, { dataSize: block.dataSize });
  if (block.fork > forkMax) failBlock(record, id, { fork: block.fork });

  let next = at + BlockHeader.size;
  if (block.hasImage) next = decodeImage(record, next, end, bits);
  else forgetImage(block);
  const named = (flags & blockFlags.sameRelation) === 0;
  const left = end - next;
  if (left < (named ? RelationLocator.size : 0) + u32.size) failBody(record, { left });
  if (named) next = decodeLocator(block, view, next);
  else copyLocator(record, id);
  block.block = u32.read(view, next);
  block.present = true;
  record.blockCount = id + 1;
  return next + u32.size;
}

function decodeLocator(block: RecordBlock, view: DataView, at: number): number {
  block.tablespace = RelationLocator.tablespace.get(view, at);
  block.database = RelationLocator.database.get(view, at);
  block.relation = RelationLocator.relation.get(view, at);
  return at + RelationLocator.size;
}

/** `BKPBLOCK_SAME_REL`: the relation of the block before, which is the last one present. */
function copyLocator(record: WalRecord, id: number): void {
  if (record.blockCount === 0) failBlock(record, id, { sameRelation: true });
  const from = record.blocks[record.blockCount - 1]!;
  const block = record.blocks[id]!;
  block.tablespace = from.tablespace;
  block.database = from.database;
  block.relation = from.relation;
}

/** Decodes the image header at `at` of the block whose header ends there. */
function decodeImage(record: WalRecord, at: number, end: number, bits: ImageBits): number {
  const { view } = record;
  const id = BlockHeader.id.get(view, at - BlockHeader.size);
  const block = record.blocks[id]!;
  if (at + BlockImageHeader.size > end) failBody(record, { left: end - at });
  block.imageSize = BlockImageHeader.imageSize.get(view, at);
  block.holeOffset = BlockImageHeader.holeOffset.get(view, at);
  block.imageInfo = BlockImageHeader.info.get(view, at);
  block.applyImage = (block.imageInfo & bits.apply) !== 0;
  let next = at + BlockImageHeader.size;
  block.holeSize = 0;
  if ((block.imageInfo & bits.compressed) === 0) block.holeSize = pageSize - block.imageSize;
  else if ((block.imageInfo & bits.hasHole) !== 0) {
    if (next + BlockCompressHeader.size > end) failBody(record, { left: end - next });
    block.holeSize = BlockCompressHeader.holeSize.get(view, next);
    next += BlockCompressHeader.size;
  }
  if (!isImageSane(block, bits)) failBlock(record, id, { imageInfo: block.imageInfo });
  return next;
}

/** The hole's flag, offset and size agree, it lies within the page, and compression gained. */
function isImageSane(block: RecordBlock, bits: ImageBits): boolean {
  const { imageInfo, imageSize, holeOffset, holeSize } = block;
  const compressed = (imageInfo & bits.compressed) !== 0;
  if (compressed && imageSize >= pageSize) return false;
  if ((imageInfo & bits.hasHole) === 0) return holeOffset === 0 && holeSize === 0;
  return holeOffset > 0 && holeSize > 0 && holeOffset + holeSize <= pageSize && imageSize > 0;
}

function forgetImage(block: RecordBlock): void {
  block.applyImage = false;
  block.imageInfo = 0;
  block.imageSize = 0;
  block.holeOffset = 0;
  block.holeSize = 0;
}

/** After the headers come, block by block, image and data; then the main data. */
function placeData(record: WalRecord, begin: number): void {
  let at = begin;
  for (let id = 0; id < record.blockCount; id += 1) {
    const block = record.blocks[id]!;
    if (!block.present) continue;
    block.imageOffset = at;
    at += block.imageSize;
    block.dataOffset = at;
    at += block.dataSize;
  }
  record.mainOffset = at;
}

function failBlock(record: WalRecord, id: number, values: FailureValues): never {
  throw new Failure('wal_block_invalid', { lsn: record.start, block: id, ...values });
}

function failBody(record: WalRecord, values: FailureValues): never {
  throw new Failure('wal_record_body_invalid', { lsn: record.start, ...values });
}
