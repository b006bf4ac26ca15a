/**
 * WalPage: how WAL is cut into pages and segments (src/include/access/xlog_internal.h).
 *
 * Every 8 KiB page begins with a header of 24 bytes; the first page of a segment file with one of
 * 40. Records lie in the bytes between, which Postgres calls usable. Header checks are here; what a
 * continuation must agree with is the reader's (wal-reader.ts).
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { lsn, type Lsn } from '../base/lsn.ts';
import { lsnField, padding, struct, u16, u32 } from '../base/struct.ts';
import { ensureMajor, type Major } from './major.ts';
import { systemIdField, type SystemId } from './system-id.ts';

/** `XLOG_BLCKSZ`. */
export const walPageSize = 8_192;
/** Our history never forks within Postgres, so its timeline is always the first. */
export const walTimelineId = 1;

/** `XLogPageHeaderData`, padded to `SizeOfXLogShortPHD`. */
export const WalPageHeader = struct(
  { magic: u16, info: u16, timelineId: u32, address: lsnField, remaining: u32, pad: padding(4) },
  { size: 24 },
);

/** `XLogLongPageHeaderData`. */
export const WalLongPageHeader = struct(
  {
    magic: u16,
    info: u16,
    timelineId: u32,
    address: lsnField,
    remaining: u32,
    pad: padding(4),
    systemId: systemIdField,
    segmentSize: u32,
    blockSize: u32,
  },
  { size: 40 },
);

/** `xlp_info`. */
export const walPageFlags = {
  firstIsContrecord: 0x0001,
  longHeader: 0x0002,
  backupBlocksRemovable: 0x0004,
  firstIsOverwriteContrecord: 0x0008,
} as const;
const walPageFlagsAll = 0x000f;

/** `XLOG_PAGE_MAGIC`. */
const magics: Readonly<Record<Major, number>> = { 15: 0xd110, 16: 0xd113, 17: 0xd116, 18: 0xd118 };

/** What all WAL of one cluster has in common. Sizes in bytes. */
export interface WalFormat {
  /** The Postgres major: 15, 16, 17 or 18. */
  readonly major: number;
  /** A power of two from 1 MiB to 1 GiB. */
  readonly segmentSize: number;
}

export function walMagic(major: number): number {
  return magics[ensureMajor(major)];
}

/** `IsValidWalSegSize`. */
export function isSegmentSize(size: number): boolean {
  const powerOfTwo = (size & (size - 1)) === 0;
  return powerOfTwo && size >= 2 ** 20 && size <= 2 ** 30;
}

export function segmentNumber(at: Lsn, segmentSize: number): number {
  return Math.floor(at / segmentSize);
}

/** Bytes from the start of the segment. */
export function segmentOffset(at: Lsn, segmentSize: number): number {
  return at % segmentSize;
}

export function segmentStart(segment: number, segmentSize: number): Lsn {
  return lsn(segment * segmentSize);
}

/** `XLogFileName`: 24 hex digits. */
export function segmentName(segment: number, segmentSize: number, timelineId = 1): string {
  const perLogId = 2 ** 32 / segmentSize;
  const parts = [timelineId, Math.floor(segment / perLogId), segment % perLogId];
  return parts.map((part) => part.toString(16).toUpperCase().padStart(8, '0')).join('');
}

/** The segment a file name stands for, or null when it is no segment's name. */
export function parseSegmentName(
  name: string,
  segmentSize: number,
): { readonly timelineId: number; readonly segment: number } | null {
  if (!/^[0-9A-F]{24}$/.test(name)) return null;
  const [timelineId, high, low] = [0, 8, 16].map((at) => parseInt(name.slice(at, at + 8), 16));
  const perLogId = 2 ** 32 / segmentSize;
  if (low! >= perLogId) return null;
  return { timelineId: timelineId!, segment: high! * perLogId + low! };
}

/** Start of the page that holds the byte at `at`. */
export function walPageStart(at: Lsn): Lsn {
  return lsn(at - (at % walPageSize));
}

/** Size in bytes of the header of the page that starts at `page`. */
export function walHeaderSize(page: Lsn, segmentSize: number): number {
  return page % segmentSize === 0 ? WalLongPageHeader.size : WalPageHeader.size;
}

/**
 * Where a record begins that follows a record ending at `end`: the same position, but past the page
 * header when `end` is at the start of a page.
 */
export function recordStartAfter(end: Lsn, segmentSize: number): Lsn {
  return end % walPageSize === 0 ? lsn(end + walHeaderSize(end, segmentSize)) : end;
}

/** Where the record ends that the one at `start` follows: `start`, or the page it is the first of. */
export function recordEndBefore(start: Lsn, segmentSize: number): Lsn {
  const page = walPageStart(start);
  return recordStartAfter(page, segmentSize) === start ? page : start;
}

/** Whether a record may end, or begin, at `at`: aligned to 8 and not within a page header. */
export function isRecordPosition(at: Lsn, segmentSize: number): boolean {
  const offset = at % walPageSize;
  if (at % 8 !== 0) return false;
  return offset === 0 || offset >= walHeaderSize(walPageStart(at), segmentSize);
}

/** `XLogRecPtrToBytePos`: usable bytes before `at`. */
export function usableBytesBefore(at: Lsn, segmentSize: number): number {
  const inSegment = at % segmentSize;
  const offset = at % walPageSize;
  const pages = (inSegment - offset) / walPageSize;
  const header = pages === 0 ? WalLongPageHeader.size : WalPageHeader.size;
  const inPage = Math.max(0, offset - header);
  const before = pages === 0 ? 0 : pages * usablePerPage - longHeaderExtra;
  return Math.floor(at / segmentSize) * usablePerSegment(segmentSize) + before + inPage;
}

/**
 * `XLogBytePosToRecPtr`: where the record byte with `count` usable bytes before it lies. Never
 * within a page header nor at a page's start.
 */
export function recordPosition(count: number, segmentSize: number): Lsn {
  const perSegment = usablePerSegment(segmentSize);
  const segment = Math.floor(count / perSegment);
  const left = (count % perSegment) + longHeaderExtra;
  const page = Math.floor(left / usablePerPage);
  const header = WalPageHeader.size;
  return lsn(segment * segmentSize + page * walPageSize + header + (left % usablePerPage));
}

/** The end of a record of `size` bytes that starts at `start`: aligned to 8, as `EndRecPtr` is. */
export function recordEndAfter(start: Lsn, size: number, segmentSize: number): Lsn {
  assert(size > 0, 'a record has bytes');
  const last = usableBytesBefore(start, segmentSize) + size - 1;
  return lsn(Math.ceil((recordPosition(last, segmentSize) + 1) / 8) * 8);
}

const usablePerPage = walPageSize - WalPageHeader.size;
const longHeaderExtra = WalLongPageHeader.size - WalPageHeader.size;

function usablePerSegment(segmentSize: number): number {
  return (segmentSize / walPageSize) * usablePerPage - longHeaderExtra;
}

/** What a page header is checked against. */
export interface ExpectedPage extends WalFormat {
  /** Where the page starts. */
  readonly address: Lsn;
  /** Null when any cluster's WAL will do. */
  readonly systemId: SystemId | null;
}

/**
 * Fails (`corrupt`) unless the header at `at` in `view` is that of the expected page: magic, flags,
 * address and, in a segment's first page, cluster and sizes. The header must be there in full.
 */
export function ensureWalPageHeader(view: DataView, at: number, expected: ExpectedPage): void {
  const { address, major, segmentSize } = expected;
  const magic = WalPageHeader.magic.get(view, at);
  const info = WalPageHeader.info.get(view, at);
  const found = WalPageHeader.address.get(view, at);
  const isLong = address % segmentSize === 0;
  const wellFlagged =
    (info & ~walPageFlagsAll) === 0 && ((info & walPageFlags.longHeader) !== 0) === isLong;
  ensure(magic === walMagic(major), 'wal_page_magic_mismatch', { lsn: address, magic, major });
  ensure(wellFlagged, 'wal_page_flags_invalid', { lsn: address, info });
  ensure(found === address, 'wal_page_address_mismatch', { lsn: address, found });
  if (isLong) ensureLongHeader(view, at, expected);
}

function ensureLongHeader(view: DataView, at: number, expected: ExpectedPage): void {
  const segmentSize = WalLongPageHeader.segmentSize.get(view, at);
  const blockSize = WalLongPageHeader.blockSize.get(view, at);
  const systemId = WalLongPageHeader.systemId.get(view, at);
  const sized = segmentSize === expected.segmentSize && blockSize === walPageSize;
  ensure(sized, 'wal_segment_size_mismatch', { lsn: expected.address, segmentSize, blockSize });
  const ours = expected.systemId === null || expected.systemId === systemId;
  ensure(ours, 'wal_system_id_mismatch', { lsn: expected.address, systemId });
}
