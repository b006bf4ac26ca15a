/**
 * WalSource: where the bytes of a branch's WAL come from, by position. Pure.
 *
 * ```
 *    segment the log begins in       ancestor's             own
 * ├──filler──┼────────────────────┼──────────────────┼───────────────▶ commitLsn
 * startLsn   firstLsn             branch point        branch point
 * ```
 *
 * A log begins in the middle of a segment, at the page of the first record after `initdb`. Clients ask
 * for whole segments, so what lies before that page is filler: zeros, as a new segment file has them,
 * behind a valid header, which Postgres wants to see before it reads any page of a segment. No record
 * can be read there, and nobody who follows on a base backup needs one.
 */
import { assert } from '../../base/assert.ts';
import { ensure } from '../../base/failure.ts';
import { formatLsn, lsn, maxLsn, minLsn, type Lsn } from '../../base/lsn.ts';
import { parseSystemId } from '../../postgres/system-id.ts';
import {
  segmentNumber,
  segmentStart,
  walPageSize,
  walPageStart,
  walTimelineId,
} from '../../postgres/wal-page.ts';
import { segmentHeader } from '../../postgres/wal-writer.ts';
import { type BranchWal } from '../control/protocol.ts';

export interface WalSource extends BranchWal {
  /** Nothing can be had below. */
  readonly startLsn: Lsn;
  /** Nothing is stored below: the start of a page in the first range. */
  readonly firstLsn: Lsn;
}

/** What an acceptor of the first range says of its log. */
export interface FirstLog {
  /** First LSN the timeline wrote itself. */
  readonly startLsn: Lsn;
  /** Start of the oldest segment kept or, in the first, of the page the timeline begins in. */
  readonly firstLsn: Lsn;
}

/** A stretch of WAL: not empty. */
export interface WalSpan {
  readonly from: Lsn;
  readonly to: Lsn;
}

/** Bytes to be copied from one of these acceptors or, where that is null, filler. */
export interface WalPiece extends WalSpan {
  readonly acceptors: readonly string[] | null;
}

/** `MAX_SEND_SIZE` of Postgres's WAL sender: most WAL in one message. */
const messageBytesMax = 16 * walPageSize;

/** Filler begins a log, and never stands in for WAL that was there and is not kept. */
export function walSource(wal: BranchWal, { startLsn, firstLsn }: FirstLog): WalSource {
  const { segmentSize } = wal;
  const isWhole = firstLsn === walPageStart(startLsn);
  const segment = segmentStart(segmentNumber(firstLsn, segmentSize), segmentSize);
  return { ...wal, startLsn: isWhole ? segment : firstLsn, firstLsn };
}

/** Fails with `wal_removed` when the bytes from there on cannot be had. */
export function ensureKept({ startLsn }: WalSource, from: Lsn): void {
  ensure(from >= startLsn, 'wal_removed', { from: formatLsn(from), first: formatLsn(startLsn) });
}

/** Where the bytes of a stretch are, in order. Fails with `wal_removed`. */
export function walPieces(source: WalSource, { from, to }: WalSpan): readonly WalPiece[] {
  assert(from < to, 'there are bytes');
  const { firstLsn, ranges } = source;
  ensureKept(source, from);
  const filler = { acceptors: null, from, to: minLsn(to, firstLsn) };
  const stored = ranges.map((range) => ({
    acceptors: range.acceptors,
    from: maxLsn(maxLsn(from, firstLsn), range.from),
    to: minLsn(to, range.to ?? to),
  }));
  return [filler, ...stored].filter((piece) => piece.from < piece.to);
}

/** Filler for a stretch below the first page. */
export function fillerBytes(source: WalSource, { from, to }: WalSpan): Uint8Array {
  const { systemId, major, segmentSize, startLsn } = source;
  const bytes = new Uint8Array(to - from);
  const identity = { major, segmentSize, systemId: parseSystemId(systemId) };
  const header = segmentHeader({ ...identity, timelineId: walTimelineId }, startLsn);
  const skipped = from - startLsn;
  if (skipped < header.length) bytes.set(header.subarray(skipped, skipped + bytes.length));
  return bytes;
}

/** Where the message ends that begins at `from`: at a page's end, but for the last before `limit`. */
export function messageEnd(from: Lsn, limit: Lsn): Lsn {
  assert(from < limit, 'there is something to send');
  const end = from + messageBytesMax;
  return end >= limit ? limit : lsn(end - (end % walPageSize));
}
