/** SLRU deltas on pages. The layout of whole pages is proved against a server in ../ingest. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../../src/base/lsn.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import * as slru from '../../../src/postgres/redo/slru.ts';

/** Writes a delta of `size` bytes and applies it to a page of `fill`. */
function apply(size: number, write: (target: DataView) => void, fill = 0): Uint8Array {
  const page = new Uint8Array(pageSize).fill(fill);
  const value = new Uint8Array(size);
  write(new DataView(value.buffer));
  const rebuilder = new PageRebuilder(18);
  rebuilder.resume(page);
  rebuilder.apply(new DataView(value.buffer), 0, size, lsn(1));
  return page;
}

test('clog: a status takes the two bits of its xid and leaves its neighbours', () => {
  const page = apply(
    slru.clogStatusSize(2),
    (target) => {
      slru.writeClogStatus(target, slru.clogStatus.committed, 2);
      slru.setClogIndex(target, 0, slru.clogXidsPerPage * 7 + 1);
      slru.setClogIndex(target, 1, slru.clogXidsPerPage * 7 + 32_767);
    },
    0xff,
  );

  equal(page[0], 0b1111_0111);
  equal(page[pageSize - 1], 0b0111_1111);
  equal(page.filter((byte) => byte !== 0xff).length, 2);
});

test('clog: it applies whatever the bytes where other pages have an LSN', () => {
  const page = apply(
    slru.clogStatusSize(1),
    (target) => {
      slru.writeClogStatus(target, slru.clogStatus.aborted, 1);
      slru.setClogIndex(target, 0, 100);
    },
    0xff,
  );

  equal(page[25], 0b1111_1110);
});

test('multixact: members stand in groups of four flags and four xids', () => {
  const page = apply(slru.multixactMembersSize(3), (target) => {
    slru.writeMultixactMembers(target, slru.multixactMembersPerPage * 5 + 3, 3);
    slru.setMember(target, 0, 0x11, 1);
    slru.setMember(target, 1, 0x22, 2);
    slru.setMember(target, 2, 0x33, 5);
  });

  deepEqual([...page.subarray(0, 4)], [0, 0, 0, 1]);
  equal(page[4 + 3 * 4], 0x11);
  deepEqual([...page.subarray(20, 24)], [2, 5, 0, 0]);
  deepEqual([page[24], page[28]], [0x22, 0x33]);
});

test('multixact: an offset stands at its multixact', () => {
  const page = apply(slru.multixactOffsetSize, (target) => {
    slru.writeMultixactOffset(target, 2_048 * 3 + 2_047, 0xaabbccdd);
  });

  deepEqual([...page.subarray(-4)], [0xdd, 0xcc, 0xbb, 0xaa]);
  equal(
    page.subarray(0, -4).every((byte) => byte === 0),
    true,
  );
});

test('commit timestamp: an entry is ten bytes, time and origin', () => {
  const page = apply(slru.commitTimestampsSize(1), (target) => {
    slru.writeCommitTimestamps(target, { time_us: 0x0102_0304, origin: 0x0506 }, 1);
    slru.setCommitTimestampIndex(target, 0, slru.commitTimestampsPerPage * 2 + 1);
  });

  deepEqual([...page.subarray(10, 20)], [4, 3, 2, 1, 0, 0, 0, 0, 6, 5]);
});

test('zero page: nothing of the page is left', () => {
  const page = apply(slru.zeroPageSize, slru.writeZeroPage, 0xff);

  equal(
    page.every((byte) => byte === 0),
    true,
  );
});
