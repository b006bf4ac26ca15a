/**
 * WalWriter: WAL records of our own making, as Postgres would have written them.
 *
 * A record is a run of bytes that page headers interrupt. It begins at `recordStartAfter` the end of
 * the one before, and may cross any number of page boundaries, its own 24-byte header included (only
 * the first 8 bytes are sure to share a page), and segment boundaries too: a page it goes on in says
 * so (`firstIsContrecord`) and how many bytes are left, a segment's first page has the long header.
 */
import { assert } from '../base/assert.ts';
import { lsn, type Lsn } from '../base/lsn.ts';
import { type SystemId } from './system-id.ts';
import { recordChecksum } from './wal-reader.ts';
import { RecordHeader } from './wal-record.ts';
import {
  isRecordPosition,
  recordEndAfter,
  recordStartAfter,
  segmentNumber,
  segmentStart,
  walHeaderSize,
  WalLongPageHeader,
  walMagic,
  WalPageHeader,
  walPageFlags,
  walPageSize,
  walPageStart,
  type WalFormat,
} from './wal-page.ts';

/** What the page headers of one log say. */
export interface WalIdentity extends WalFormat {
  readonly systemId: SystemId;
  readonly timelineId: number;
}

/** What a record's header says. */
export interface NewRecordHeader {
  readonly rmgr: number;
  readonly info: number;
  readonly xid: number;
  /** Where the record before it starts: `xl_prev`. */
  readonly previous: Lsn;
}

/** A record without block references. */
export interface NewRecord extends NewRecordHeader {
  readonly main: Uint8Array;
}

/** WAL bytes from `begin` to `end`, in which a record starts at `start`. */
export interface WalBytes {
  readonly begin: Lsn;
  readonly start: Lsn;
  /** `EndRecPtr`: aligned to 8. */
  readonly end: Lsn;
  readonly bytes: Uint8Array;
}

const mainShortId = 255;
const mainLongId = 254;
const mainShortMax = 255;

/** The record's own bytes, checksum included, without any page header. */
function encodeRecord(record: NewRecord): Uint8Array {
  const { main } = record;
  assert(main.length > 0, 'a record without blocks has main data');
  const short = main.length <= mainShortMax;
  const mainAt = RecordHeader.size + (short ? 2 : 5);
  const bytes = new Uint8Array(mainAt + main.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(RecordHeader.size, short ? mainShortId : mainLongId);
  if (short) view.setUint8(RecordHeader.size + 1, main.length);
  else view.setUint32(RecordHeader.size + 1, main.length, true);
  bytes.set(main, mainAt);
  sealRecord(bytes, record);
  return bytes;
}

/** Writes the header of the record whose other bytes are in place, checksum last. */
export function sealRecord(bytes: Uint8Array, header: NewRecordHeader): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  RecordHeader.totalSize.set(view, 0, bytes.length);
  RecordHeader.xid.set(view, 0, header.xid);
  RecordHeader.previous.set(view, 0, header.previous);
  RecordHeader.info.set(view, 0, header.info);
  RecordHeader.rmgr.set(view, 0, header.rmgr);
  RecordHeader.crc.set(view, 0, recordChecksum(bytes, 0, bytes.length));
}

/**
 * The record as WAL that follows on `begin`, the end of the record before: with the page headers that
 * fall within, up to its end, padding included.
 */
export function placeRecord(identity: WalIdentity, begin: Lsn, record: NewRecord): WalBytes {
  return placeEncoded(identity, begin, encodeRecord(record));
}

/** As `placeRecord`, of a record's own bytes. */
export function placeEncoded(identity: WalIdentity, begin: Lsn, encoded: Uint8Array): WalBytes {
  const { segmentSize } = identity;
  assert(isRecordPosition(begin, segmentSize), 'a record follows on the end of another');
  const start = recordStartAfter(begin, segmentSize);
  const end = recordEndAfter(start, encoded.length, segmentSize);
  const bytes = new Uint8Array(end - begin);
  let written = 0;
  let at: Lsn = begin;
  while (written < encoded.length) {
    if (at % walPageSize === 0) {
      writePageHeader(identity, bytes, {
        page: at,
        begin,
        left: written && encoded.length - written,
      });
      at = lsn(at + walHeaderSize(at, segmentSize));
    }
    const size = Math.min(encoded.length - written, walPageSize - (at % walPageSize));
    bytes.set(encoded.subarray(written, written + size), at - begin);
    written += size;
    at = lsn(at + size);
  }
  return { begin, start, end, bytes };
}

/** A whole segment file. */
export interface WalSegment {
  readonly segment: number;
  readonly bytes: Uint8Array;
}

/**
 * The segment files a stock Postgres can start from at the record in `wal`: headers where Postgres
 * looks for them (at the segment's start and on the record's page), the record at its place, zeros
 * elsewhere. Two files when the record crosses into the next segment, else one.
 */
export function firstSegments(identity: WalIdentity, wal: WalBytes): readonly WalSegment[] {
  const { segmentSize } = identity;
  const first = segmentNumber(wal.start, segmentSize);
  const last = segmentNumber(lsn(wal.end - 1), segmentSize);
  const base = segmentStart(first, segmentSize);
  const bytes = new Uint8Array((last - first + 1) * segmentSize);
  writePageHeader(identity, bytes, { page: base, begin: base, left: 0 });
  writePageHeader(identity, bytes, { page: walPageStart(wal.start), begin: base, left: 0 });
  bytes.set(wal.bytes, wal.begin - base);
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    segment: first + index,
    bytes: bytes.subarray(index * segmentSize, (index + 1) * segmentSize),
  }));
}

/** The header that the segment beginning at `page` begins with, as no record goes on there. */
export function segmentHeader(identity: WalIdentity, page: Lsn): Uint8Array {
  assert(page % identity.segmentSize === 0, 'a segment begins there');
  const bytes = new Uint8Array(WalLongPageHeader.size);
  writePageHeader(identity, bytes, { page, begin: page, left: 0 });
  return bytes;
}

/** A page header to be written: `begin` is where the bytes begin, `left` of a record go on. */
interface PageHeaderPlace {
  readonly page: Lsn;
  readonly begin: Lsn;
  readonly left: number;
}

function writePageHeader(identity: WalIdentity, bytes: Uint8Array, place: PageHeaderPlace): void {
  const { page, begin, left } = place;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = page - begin;
  const isLong = page % identity.segmentSize === 0;
  const { firstIsContrecord, longHeader } = walPageFlags;
  WalPageHeader.magic.set(view, at, walMagic(identity.major));
  WalPageHeader.info.set(view, at, (left > 0 ? firstIsContrecord : 0) | (isLong ? longHeader : 0));
  WalPageHeader.timelineId.set(view, at, identity.timelineId);
  WalPageHeader.address.set(view, at, page);
  WalPageHeader.remaining.set(view, at, left);
  if (!isLong) return;
  WalLongPageHeader.systemId.set(view, at, identity.systemId);
  WalLongPageHeader.segmentSize.set(view, at, identity.segmentSize);
  WalLongPageHeader.blockSize.set(view, at, walPageSize);
}
