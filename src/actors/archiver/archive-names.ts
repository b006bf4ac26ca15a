/**
 * ArchiveNames: the keys of a timeline's WAL in the object store.
 *
 * ```
 * timelines/<timeline>/wal/000000010000000000000003                              a whole segment
 * timelines/<timeline>/wal/000000010000000000000003.0000000003A1B2C8.partial     up to 0/3A1B2C8
 * ```
 */
import { lsn, type Lsn } from '../../base/lsn.ts';
import { segmentName } from '../../postgres/wal-page.ts';

const partialPattern = /\.([0-9A-F]{16})\.partial$/;

export function wholeKey(timeline: string, segment: number, segmentSize: number): string {
  return `timelines/${timeline}/wal/${segmentName(segment, segmentSize)}`;
}

/** Every partial object of the segment whose whole is `whole` has a key that begins so. */
export function partialPrefix(whole: string): string {
  return `${whole}.`;
}

export function partialKey(whole: string, end: Lsn): string {
  const hex = end.toString(16).toUpperCase().padStart(16, '0');
  return `${partialPrefix(whole)}${hex}.partial`;
}

/** Where the object ends, or null when the key is no partial object's. */
export function endOfPartial(key: string): Lsn | null {
  const hex = partialPattern.exec(key)?.[1];
  return hex === undefined ? null : lsn(parseInt(hex, 16));
}
