/**
 * WalReader: finds the records in a stream of WAL bytes, whatever pieces the bytes come in
 * (src/backend/access/transam/xlogreader.c).
 *
 * Owns:    the bytes of a record that has not arrived whole, and where the stream stands.
 * Promise: a record it hands out is complete, padding included, and passed every check; `recordEnd`
 *          never passes `position`. What it holds is bounded by what it was given, not by what a
 *          length field claims.
 * Never:   looks into a record beyond its header: that is `decodeRecord`'s.
 *
 * Use: `push` some bytes, call `next` until it says no, `push` the next ones. Any failure is
 * `corrupt` and ends the reader: make a new one at `recordEnd` if the bytes can be had again.
 */
import { assert } from '../base/assert.ts';
import { crc32c } from '../base/crc32c.ts';
import { ensure } from '../base/failure.ts';
import { lsn, lsnZero, type Lsn } from '../base/lsn.ts';
import { copyBytes } from './redo/page-bytes.ts';
import { isResourceManager, resourceManagers } from './resource-managers.ts';
import { type SystemId } from './system-id.ts';
import {
  ensureWalPageHeader,
  isRecordPosition,
  isSegmentSize,
  walHeaderSize,
  WalLongPageHeader,
  walMagic,
  WalPageHeader,
  walPageFlags,
  walPageSize,
  type WalFormat,
} from './wal-page.ts';
import { RecordHeader, type WalRecord } from './wal-record.ts';

export interface WalReaderOptions extends WalFormat {
  /** The cluster the WAL must come from; any when absent. */
  readonly systemId?: SystemId;
  /** Start of the record before the first; when absent, the first record's `xl_prev` is believed. */
  readonly previous?: Lsn;
  /** The bytes were checked before: skip the records' CRC. */
  readonly trusted?: boolean;
  /** The start is a page's, and a record may go on there from the page before: skip it. */
  readonly seek?: boolean;
}

/**
 * Why `next` said no: it `needsBytes`, or WAL ends here in zeros where a page header
 * (`zeroPage`) or a record (`zeroRecord`) would be. The latter two are final.
 */
export type WalPause = 'needsBytes' | 'zeroPage' | 'zeroRecord';

/** `XLogRecordMaxSize`: Postgres writes no larger record. */
const recordSizeMax = 1_020 * 1_024 * 1_024;
const lengthSize = RecordHeader.totalSize.size;
/** `XLOG_SWITCH` of the xlog manager: the rest of the segment is unused. */
const switchInfo = 0x40;
const emptyBytes = new Uint8Array(0);
const emptyView = new DataView(new ArrayBuffer(0));

export class WalReader {
  /** Filled anew for every page header. */
  readonly #expected: WalFormat & { readonly systemId: SystemId | null; address: Lsn };
  readonly #trusted: boolean;
  #pause: WalPause = 'needsBytes';
  #recordEnd: Lsn;
  #lastRecordStart: Lsn;
  /** False until `#lastRecordStart` is known, so that `xl_prev` can be compared with it. */
  #chained: boolean;
  #seeking: boolean;

  /** The bytes pushed last; consumed up to `#offset`. `#chunkStart` is where they begin in WAL. */
  #chunk: Uint8Array = emptyBytes;
  #view: DataView = emptyView;
  #offset = 0;
  #chunkStart: Lsn;

  /** Bytes left on the current page; 0 when a page header comes next. */
  #pageLeft: number;
  #timelineId = 0;
  /** A page header that has not arrived whole. */
  readonly #header = new Uint8Array(WalLongPageHeader.size);
  readonly #headerView = new DataView(this.#header.buffer);
  #headerGot = 0;
  /** Bytes of the current page before the first record, when seeking. */
  #seekLeft = 0;
  /** Bytes left of a segment after a switch record, which waits in `#partial` meanwhile. */
  #switchLeft = 0;

  /** The record being collected: `#got` bytes of it; `#total` is 0 until its length is known. */
  #partial: Uint8Array = emptyBytes;
  #partialView: DataView = emptyView;
  #got = 0;
  #total = 0;
  #start: Lsn = lsnZero;

  /** `start` is the end of a record: the first byte pushed is the one at `start`. */
  constructor(start: Lsn, options: WalReaderOptions) {
    const { major, segmentSize, systemId, previous, trusted, seek } = options;
    assert(isSegmentSize(segmentSize), 'a segment size is a power of two');
    assert(isRecordPosition(start, segmentSize), 'reading begins where a record may end');
    walMagic(major);
    this.#expected = { major, segmentSize, systemId: systemId ?? null, address: start };
    this.#trusted = trusted ?? false;
    this.#chained = previous !== undefined;
    this.#lastRecordStart = previous ?? lsnZero;
    this.#recordEnd = start;
    this.#chunkStart = start;
    const offset = start % walPageSize;
    this.#pageLeft = offset === 0 ? 0 : walPageSize - offset;
    this.#seeking = (seek ?? false) && offset === 0;
  }

  /**
   * End of the last complete record: the first byte after it, rounded up to 8; after a switch record
   * the end of its segment. What Postgres calls `EndRecPtr`. When it is at the start of a page, the
   * next record begins after that page's header (`recordStartAfter`). At first, the start.
   */
  get recordEnd(): Lsn {
    return this.#recordEnd;
  }

  /** Where the last complete record starts: `xl_prev` of the next one. 0 when not known. */
  get lastRecordStart(): Lsn {
    return this.#lastRecordStart;
  }

  /** Where the next byte to be pushed lies. */
  get position(): Lsn {
    return lsn(this.#chunkStart + this.#chunk.length);
  }

  /** Why `next` last said no. */
  get atEnd(): WalPause {
    return this.#pause;
  }

  /**
   * Takes the next bytes of the stream: `next` must have said no before. Records handed out may
   * point into `bytes`. Fails with `wal_bytes_after_end` once WAL has ended in zeros.
   */
  push(bytes: Uint8Array): void {
    ensure(this.#pause === 'needsBytes', 'wal_bytes_after_end', { lsn: this.position });
    assert(this.#offset === this.#chunk.length, 'records are taken before more bytes are pushed');
    this.#chunkStart = this.position;
    this.#chunk = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = 0;
  }

  /**
   * Moves `record` to the next complete record and fills what its header says. Valid until the next
   * call of `next` or `push`. Says no when there is none: `atEnd` tells why.
   */
  next(record: WalRecord): boolean {
    while (this.#offset < this.#chunk.length && this.#pause === 'needsBytes') {
      if (this.#switchLeft > 0) {
        if (this.#skipSwitch()) return this.#deliverPartial(record);
      } else if (this.#pageLeft === 0) {
        this.#takePageHeader();
      } else if (this.#seekLeft > 0) {
        this.#seek();
      } else if (this.#got === 0 && this.#isWholeInPage()) {
        if (this.#takeWhole(record)) return true;
      } else if (this.#collect()) {
        if (this.#completePartial()) return this.#deliverPartial(record);
      }
    }
    return false;
  }

  /** Whether a whole record stands at the offset. */
  #isWholeInPage(): boolean {
    const left = this.#chunk.length - this.#offset;
    if (left < lengthSize) return false;
    const total = RecordHeader.totalSize.get(this.#view, this.#offset);
    if (total < RecordHeader.size || total > recordSizeMax) return false;
    const size = (total + 7) & ~7;
    return size <= this.#pageLeft && size <= left;
  }

  /** Hands out the record at the offset where it lies, unless it is a switch that must wait. */
  #takeWhole(record: WalRecord): boolean {
    const at = this.#offset;
    const start = (this.#chunkStart + at) as Lsn;
    const total = RecordHeader.totalSize.get(this.#view, at);
    const size = (total + 7) & ~7;
    this.#ensureHeader(this.#view, at, start);
    this.#ensureChecksum(this.#chunk, this.#view, at);
    this.#offset = at + size;
    this.#pageLeft -= size;
    if (isSwitch(this.#view, at) && !this.#passSwitch(start + size)) {
      this.#start = start;
      this.#keep(at, at + total);
      return false;
    }
    this.#fill(record, this.#chunk, this.#view, at);
    record.start = start;
    this.#advance(record);
    return true;
  }

  /** Copies what there is of the record being collected; true when it is whole. */
  #collect(): boolean {
    if (this.#got === 0) this.#start = (this.#chunkStart + this.#offset) as Lsn;
    const wanted = this.#total === 0 ? lengthSize : (this.#total + 7) & ~7;
    const left = this.#chunk.length - this.#offset;
    const size = Math.min(wanted - this.#got, left, this.#pageLeft);
    this.#keep(this.#offset, this.#offset + size);
    this.#offset += size;
    this.#pageLeft -= size;
    if (this.#total === 0) {
      if (this.#got === lengthSize) this.#learnTotal();
      return false;
    }
    const before = this.#got - size;
    const whole = this.#got === wanted;
    if (before < RecordHeader.size && this.#got >= RecordHeader.size)
      this.#ensureHeader(this.#partialView, 0, this.#start);
    return whole;
  }

  #learnTotal(): void {
    const total = RecordHeader.totalSize.get(this.#partialView, 0);
    if (total === 0) {
      this.#pause = 'zeroRecord';
      return;
    }
    ensureTotal(total, this.#start);
    this.#total = total;
  }

  /** Checks a collected record; false when it is a switch whose segment has not passed yet. */
  #completePartial(): boolean {
    this.#ensureChecksum(this.#partial, this.#partialView, 0);
    const end = this.#chunkStart + this.#offset;
    return !isSwitch(this.#partialView, 0) || this.#passSwitch(end);
  }

  #deliverPartial(record: WalRecord): boolean {
    this.#fill(record, this.#partial, this.#partialView, 0);
    record.start = this.#start;
    this.#got = 0;
    this.#total = 0;
    this.#advance(record);
    return true;
  }

  /** Skips to the end of the segment after a switch record that ends at `end`, if it is here. */
  #passSwitch(end: number): boolean {
    const { segmentSize } = this.#expected;
    const rest = Math.ceil(end / segmentSize) * segmentSize - end;
    this.#switchLeft = rest;
    return rest === 0 || (this.#offset < this.#chunk.length && this.#skipSwitch());
  }

  /** Passes over what there is of an unused rest of a segment; true when it is over. */
  #skipSwitch(): boolean {
    const size = Math.min(this.#switchLeft, this.#chunk.length - this.#offset);
    this.#offset += size;
    this.#switchLeft -= size;
    this.#pageLeft = 0;
    return this.#switchLeft === 0;
  }

  /** Passes over the rest of a record that began before the start. */
  #seek(): void {
    const size = Math.min(this.#seekLeft, this.#chunk.length - this.#offset, this.#pageLeft);
    this.#offset += size;
    this.#seekLeft -= size;
    this.#pageLeft -= size;
  }

  /** Consumes a page header, or the part of it that is here. */
  #takePageHeader(): void {
    const page = (this.#chunkStart + this.#offset - this.#headerGot) as Lsn;
    const size = walHeaderSize(page, this.#expected.segmentSize);
    const left = this.#chunk.length - this.#offset;
    if (this.#headerGot === 0 && left >= size) {
      this.#offset += size;
      this.#enterPage(this.#view, this.#offset - size, page);
      return;
    }
    const part = Math.min(size - this.#headerGot, left);
    this.#header.set(this.#chunk.subarray(this.#offset, this.#offset + part), this.#headerGot);
    this.#offset += part;
    this.#headerGot += part;
    if (this.#headerGot < size) return;
    this.#headerGot = 0;
    this.#enterPage(this.#headerView, 0, page);
  }

  /** Checks the header of the page at `page` and what it says about a continued record. */
  #enterPage(view: DataView, at: number, page: Lsn): void {
    if (isZeroHeader(view, at)) {
      this.#pause = 'zeroPage';
      return;
    }
    this.#expected.address = page;
    ensureWalPageHeader(view, at, this.#expected);
    const timelineId = WalPageHeader.timelineId.get(view, at);
    ensure(timelineId >= this.#timelineId, 'wal_page_timeline_mismatch', { lsn: page, timelineId });
    this.#timelineId = timelineId;
    this.#pageLeft = walPageSize - walHeaderSize(page, this.#expected.segmentSize);

    const info = WalPageHeader.info.get(view, at);
    const remaining = WalPageHeader.remaining.get(view, at);
    const continues = (info & walPageFlags.firstIsContrecord) !== 0;
    if ((info & walPageFlags.firstIsOverwriteContrecord) !== 0) this.#dropPartial();
    if (this.#seeking) this.#seekOver(continues, remaining);
    else this.#ensureContinued(page, continues, remaining);
  }

  /** A page that overwrites a continuation: the record it belonged to never was. */
  #dropPartial(): void {
    this.#got = 0;
    this.#total = 0;
  }

  #seekOver(continues: boolean, remaining: number): void {
    this.#seeking = continues && remaining > this.#pageLeft;
    this.#seekLeft = continues ? Math.min((remaining + 7) & ~7, this.#pageLeft) : 0;
  }

  #ensureContinued(page: Lsn, continues: boolean, remaining: number): void {
    if (this.#got === 0) {
      ensure(!continues, 'wal_contrecord_unexpected', { lsn: page, remaining });
      return;
    }
    const expected = this.#total - this.#got;
    ensure(continues, 'wal_contrecord_missing', { lsn: page, expected });
    ensure(remaining === expected, 'wal_contrecord_length_mismatch', {
      lsn: page,
      remaining,
      expected,
    });
  }

  #ensureHeader(view: DataView, at: number, start: Lsn): void {
    const total = RecordHeader.totalSize.get(view, at);
    const rmgr = RecordHeader.rmgr.get(view, at);
    const previous = RecordHeader.previous.get(view, at);
    const linked = this.#chained ? previous === this.#lastRecordStart : previous < start;
    ensureTotal(total, start);
    if (!isResourceManager(rmgr)) ensure(false, 'wal_record_manager_unknown', { lsn: start, rmgr });
    if (!linked) ensure(false, 'wal_record_previous_mismatch', { lsn: start, previous });
  }

  #ensureChecksum(bytes: Uint8Array, view: DataView, at: number): void {
    if (this.#trusted) return;
    const expected = RecordHeader.crc.get(view, at);
    const actual = recordChecksum(bytes, at, RecordHeader.totalSize.get(view, at));
    if (actual !== expected) {
      const start = this.#got === 0 ? lsn(this.#chunkStart + at) : this.#start;
      ensure(false, 'wal_record_checksum_mismatch', { lsn: start, expected, actual });
    }
  }

  /** Appends chunk bytes [begin, end) to the record being collected. */
  #keep(begin: number, end: number): void {
    const needed = this.#got + end - begin;
    if (needed > this.#partial.length) {
      const here = this.#got + this.#chunk.length - begin; // of this record or what follows it
      this.#grow(Math.max(needed, Math.min(this.#total, here)));
    }
    copyBytes(this.#partialView, this.#got, this.#view, begin, end - begin);
    this.#got = needed;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, 2 * this.#partial.length, 2 * walPageSize));
    grown.set(this.#partial.subarray(0, this.#got));
    this.#partial = grown;
    this.#partialView = new DataView(grown.buffer);
  }

  #fill(record: WalRecord, bytes: Uint8Array, view: DataView, at: number): void {
    record.bytes = bytes;
    record.view = view;
    record.offset = at;
    record.totalSize = RecordHeader.totalSize.get(view, at);
    record.xid = RecordHeader.xid.get(view, at);
    record.previous = RecordHeader.previous.get(view, at);
    record.info = RecordHeader.info.get(view, at);
    record.rmgr = RecordHeader.rmgr.get(view, at);
  }

  /** The record has been handed out: the stream stands behind it. */
  #advance(record: WalRecord): void {
    record.end = (this.#chunkStart + this.#offset) as Lsn;
    this.#recordEnd = record.end;
    this.#lastRecordStart = record.start;
    this.#chained = true;
    this.#seeking = false;
  }
}

/** `xl_crc`: of everything after the header, then of the header up to the checksum itself. */
export function recordChecksum(bytes: Uint8Array, at: number, total: number): number {
  const body = crc32c(bytes, at + RecordHeader.size, at + total);
  return crc32c(bytes, at, at + RecordHeader.crc.offset, body);
}

function ensureTotal(total: number, start: Lsn): void {
  if (total < RecordHeader.size || total > recordSizeMax)
    ensure(false, 'wal_record_length_invalid', { lsn: start, total });
}

function isSwitch(view: DataView, at: number): boolean {
  if (RecordHeader.rmgr.get(view, at) !== resourceManagers.xlog) return false;
  return (RecordHeader.info.get(view, at) & 0xf0) === switchInfo;
}

function isZeroHeader(view: DataView, at: number): boolean {
  for (let offset = 0; offset < WalPageHeader.size; offset += 4)
    if (view.getUint32(at + offset, true) !== 0) return false;
  return true;
}
