import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  endOfPartial,
  partialKey,
  partialPrefix,
  wholeKey,
} from '../../../src/actors/archiver/archive-names.ts';
import {
  isTurnOf,
  lastPartial,
  nextWhole,
  removalFloor,
} from '../../../src/actors/archiver/archive-plan.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';

const segmentSize = 2 ** 20;
const log = { archivedLsn: at(3), commitLsn: at(3), segmentSize };

test('nextWhole: a segment is next once it is committed to its end', () => {
  const span = { segment: 3, begin: at(3), end: at(4) };

  equal(nextWhole({ ...log, commitLsn: lsn(at(4) - 8) }), null);
  deepEqual(nextWhole({ ...log, commitLsn: at(4) }), span);
  deepEqual(nextWhole({ ...log, commitLsn: at(9) }), span);
});

test('nextWhole: the segment that a timeline begins in is archived from its first page on', () => {
  const first = lsn(at(3) + 8_192);

  const span = nextWhole({ archivedLsn: first, commitLsn: at(4), segmentSize });

  deepEqual(span, { segment: 3, begin: first, end: at(4) });
});

test('lastPartial: what is committed behind the last whole segment', () => {
  const end = lsn(at(3) + 40);

  equal(lastPartial({ ...log, commitLsn: at(3) }), null);
  deepEqual(lastPartial({ ...log, commitLsn: end }), { segment: 3, begin: at(3), end });
});

test('removalFloor: the lowest of what is archived, durable and not to be kept, at a segment', () => {
  const long = { ...log, archivedLsn: at(9), commitLsn: lsn(at(9) + 100) };

  equal(removalFloor(long, 0, []), at(9));
  equal(removalFloor(long, 3 * segmentSize, []), at(6));
  equal(removalFloor(long, 0, [at(8), lsn(at(5) + 77)]), at(5));
  equal(removalFloor(long, 0, [at(8), lsn(0)]), 0);
  equal(removalFloor({ ...long, archivedLsn: at(2) }, 0, [at(8)]), at(2));
  equal(removalFloor(long, 99 * segmentSize, []), 0);
});

test('isTurnOf: the lowest id of those who know of the commit stores it', () => {
  const c = { id: 'c', commitLsn: at(9) };

  equal(isTurnOf('b', at(4), [{ id: 'a', commitLsn: at(4) }, c]), false);
  equal(isTurnOf('b', at(4), [{ id: 'a', commitLsn: lsn(at(4) - 8) }, c]), true);
  equal(isTurnOf('b', at(4), [{ id: 'a', commitLsn: null }, c]), true);
  equal(isTurnOf('a', at(4), []), true);
});

test('archive names: a partial object tells its end, and its segment finds it', () => {
  const whole = wholeKey('t', 3, segmentSize);
  const key = partialKey(whole, lsn(at(3) + 0x1b2c8));

  equal(whole, 'timelines/t/wal/000000010000000000000003');
  equal(key, `${whole}.000000000031B2C8.partial`);
  equal(key.startsWith(partialPrefix(whole)), true);
  equal(endOfPartial(key), at(3) + 0x1b2c8);
  equal(endOfPartial(whole), null);
});

function at(segment: number): Lsn {
  return lsn(segment * segmentSize);
}
