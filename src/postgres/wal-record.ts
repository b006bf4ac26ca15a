/**
 * WalRecord: one decoded WAL record, as a cursor that is filled again for every record.
 *
 * Nothing is copied: offsets point into `bytes`, which stay valid until the next record is decoded.
 * `XLogRecord` and its block headers are in src/include/access/xlogrecord.h.
 */
import { lsnZero, type Lsn } from '../base/lsn.ts';
import { struct, lsnField, padding, u32, u8 } from '../base/struct.ts';

/** `XLogRecord`. */
export const RecordHeader = struct(
  { totalSize: u32, xid: u32, previous: lsnField, info: u8, rmgr: u8, pad: padding(2), crc: u32 },
  { size: 24 },
);

/** Block references are numbered 0 to 32 (`XLR_MAX_BLOCK_ID`). */
export const blockIdMax = 32;

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
