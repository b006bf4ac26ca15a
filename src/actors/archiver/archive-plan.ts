/**
 * ArchivePlan: what an archiver is to do next, from what it knows. Pure.
 *
 * An **archived object** holds a stretch of one segment: all of it or, where the timeline begins in the
 * segment, all from its first page on. A partial one ends earlier, where its name says.
 */
import { assert } from '../../base/assert.ts';
import { lsn, maxLsn, minLsn, type Lsn } from '../../base/lsn.ts';
import { segmentNumber, segmentStart } from '../../postgres/wal-page.ts';

/** WAL of one segment: not empty. */
export interface SegmentSpan {
  readonly segment: number;
  readonly begin: Lsn;
  readonly end: Lsn;
}

/** How far a log is archived and committed. */
export interface ArchivedLog {
  readonly archivedLsn: Lsn;
  readonly commitLsn: Lsn;
  readonly segmentSize: number;
}

/** The next whole segment that is committed and not archived, or null. */
export function nextWhole({
  archivedLsn,
  commitLsn,
  segmentSize,
}: ArchivedLog): SegmentSpan | null {
  const segment = segmentNumber(archivedLsn, segmentSize);
  const end = segmentStart(segment + 1, segmentSize);
  return end <= commitLsn ? { segment, begin: archivedLsn, end } : null;
}

/** What is committed of the segment after the last whole one, or null when that is nothing. */
export function lastPartial(log: ArchivedLog): SegmentSpan | null {
  const { archivedLsn, commitLsn, segmentSize } = log;
  assert(nextWhole(log) === null, 'whole segments are archived first');
  if (commitLsn <= archivedLsn) return null;
  return { segment: segmentNumber(archivedLsn, segmentSize), begin: archivedLsn, end: commitLsn };
}

/**
 * Below it local WAL may go: it is archived, every copy of the pages has what it says on its own disk,
 * and at least `keep_bytes` below the commit position stay. A segment's start.
 */
export function removalFloor(
  { archivedLsn, commitLsn, segmentSize }: ArchivedLog,
  keep_bytes: number,
  durable: readonly Lsn[],
): Lsn {
  const kept = lsn(Math.max(0, commitLsn - keep_bytes));
  const floor = [archivedLsn, kept, ...durable].reduce(minLsn);
  return segmentStart(segmentNumber(floor, segmentSize), segmentSize);
}

/** A member as another one saw it last; null when it did not answer. */
export interface SeenMember {
  readonly id: string;
  readonly commitLsn: Lsn | null;
}

/**
 * Whether `self` is to store what ends at `end`: it has the lowest id of those who know that it is
 * committed. Two may think so of themselves; they store the same bytes.
 */
export function isTurnOf(self: string, end: Lsn, others: readonly SeenMember[]): boolean {
  return !others.some(({ id, commitLsn }) => id < self && commitLsn !== null && commitLsn >= end);
}

/** Where a log is archived up to, given the oldest WAL that its acceptor keeps: what is gone was archived. */
export function archivedAtLeast(archivedLsn: Lsn, keptLsn: Lsn): Lsn {
  return maxLsn(archivedLsn, keptLsn);
}
