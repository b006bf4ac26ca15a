/**
 * Setting: the one timeline of a simulated world.
 */
import { assert } from '../../src/base/assert.ts';
import { lsn, lsnZero } from '../../src/base/lsn.ts';
import { type TimelineIdentity } from '../../src/consensus/identity.ts';
import { parseSystemId } from '../../src/postgres/system-id.ts';
import { walPageStart } from '../../src/postgres/wal-page.ts';
import { placeRecord, type WalIdentity } from '../../src/postgres/wal-writer.ts';

const segmentSize = 2 ** 20;

/** `XLOG` `NOOP`. */
export const noop = { rmgr: 0, info: 0x20 } as const;

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

/** What the page the timeline begins in holds before: a header and one record, as archivers check it. */
const before = placeRecord(walIdentity, walPageStart(start), {
  ...noop,
  xid: 3,
  previous: lsnZero,
  main: new Uint8Array(4_043),
});
assert(before.end === start, 'the timeline begins where a record ends');

/** What begins the timeline on its first members. */
export const birth = {
  startLsn: start,
  lastRecordStart: before.start,
  head: before.bytes,
} as const;
