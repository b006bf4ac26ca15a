/**
 * TimelineIdentity: what makes a timeline this one and no other: the same on all its members, for ever.
 *
 * A proposer and an acceptor tell it to each other before anything else, so that a log is never
 * continued by somebody who takes it for another.
 */
import { ensure } from '../base/failure.ts';
import { formatLsn, type Lsn } from '../base/lsn.ts';

export interface TimelineIdentity {
  readonly timeline: string;
  /** The Postgres major. */
  readonly major: number;
  /** Decimal, as Postgres prints it: it does not fit a number. */
  readonly systemId: string;
  /** Bytes of a WAL segment. */
  readonly segmentSize: number;
  /** First LSN the timeline writes itself: where its log begins. */
  readonly startLsn: Lsn;
}

/** Fails with `timeline_mismatch`, which names both, unless they are the same in everything. */
export function ensureSameTimeline(own: TimelineIdentity, asked: TimelineIdentity): void {
  ensureSame('timeline', own.timeline, asked.timeline);
  ensureSame('major', own.major, asked.major);
  ensureSame('systemId', own.systemId, asked.systemId);
  ensureSame('segmentSize', own.segmentSize, asked.segmentSize);
  ensureSame('startLsn', formatLsn(own.startLsn), formatLsn(asked.startLsn));
}

function ensureSame<T extends string | number>(what: string, own: T, asked: T): void {
  ensure(own === asked, 'timeline_mismatch', { what, own, asked });
}
