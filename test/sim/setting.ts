/**
 * Setting: the one timeline of a simulated world.
 */
import { lsn, lsnZero } from '../../src/base/lsn.ts';
import { type TimelineIdentity } from '../../src/consensus/identity.ts';
import { parseSystemId } from '../../src/postgres/system-id.ts';
import { walPageSize } from '../../src/postgres/wal-page.ts';
import { type WalIdentity } from '../../src/postgres/wal-writer.ts';

const segmentSize = 2 ** 20;

export const walIdentity: WalIdentity = {
  major: 18,
  segmentSize,
  systemId: parseSystemId('7500000000000000001'),
  timelineId: 1,
};

/** Not far from the next segment, so that the log crosses into it. */
export const start = lsn(17 * segmentSize - 65_536 - 4_096);

export const timeline = 't';
export const branchName = 'main';

export const identity: TimelineIdentity = {
  timeline,
  major: walIdentity.major,
  systemId: String(walIdentity.systemId),
  segmentSize,
  startLsn: start,
};

/** What begins the timeline on its first members. */
export const birth = {
  startLsn: start,
  lastRecordStart: lsnZero,
  head: new Uint8Array(start % walPageSize).fill(7),
} as const;
