/**
 * Redo of heap records where the oracle cannot look: damaged records and pages, and bytes that the
 * masks hide.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { PageHeader, initPage, pageFlags, pageSize } from '../../../src/postgres/page.ts';
import { itemOffset, slotCount } from '../../../src/postgres/page-items.ts';
import { HeapTuple, infomask, specialSlots } from '../../../src/postgres/redo/heap-tuple.ts';
import { maskHeap } from '../../../src/postgres/redo/masks-heap.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { applyTo, recordValue, u16s, u32s, zeroPage, type RecordParts } from './values.ts';

const headerSize = 24;
/** `t_infomask`: two attributes, xmax invalid. */
const logged = [...u16s(2, 0x0800), headerSize];

interface Heap {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** A page with `count` tuples of `size` bytes of user data, inserted by transaction 700. */
function heapPage(count: number, size: number): Heap {
  const page = zeroPage();
  for (let slot = 1; slot <= count; slot += 1) {
    const data = [...logged, 0, ...new Array<number>(size).fill(slot)];
    const info = slot === 1 ? 0x80 : 0;
    apply(page, slot * 10, { info, willInit: slot === 1, data, main: [...u16s(slot), 0] });
  }
  return page;
}

function apply(page: Heap, end: number, parts: RecordParts, major = 15): void {
  applyTo(new PageRebuilder(major), page.bytes, recordValue(parts), end);
}

/** The code of the failure that applying the record ends in, and of its cause. */
function failureCodes(page: Heap, parts: RecordParts, major = 15): (string | null)[] {
  try {
    apply(page, 1_000, parts, major);
  } catch (error) {
    ok(error instanceof Failure);
    return [error.code, error.cause instanceof Failure ? error.cause.code : null];
  }
  return [];
}

function tuple(page: Heap, slot: number): number {
  return itemOffset(page.view, slot);
}

test('heap redo: an insert into a slot in use is refused', () => {
  const parts = { data: [...logged, 0, 1], main: [...u16s(1), 0] };

  deepEqual(failureCodes(heapPage(2, 8), parts), ['redo_failed', 'page_slot_in_use']);
});

test('heap redo: an insert into a page that was never made is refused', () => {
  const parts = { data: [...logged, 0, 1], main: [...u16s(1), 0] };

  deepEqual(failureCodes(zeroPage(), parts), ['redo_page_missing', 'page_header_invalid']);
});

test('heap redo: an insert without a tuple is refused', () => {
  const parts = { data: logged, main: [...u16s(1), 0] };

  deepEqual(failureCodes(heapPage(1, 8), parts), ['redo_failed', 'redo_record_malformed']);
});

test('heap redo: a delete of a slot the page lacks is refused', () => {
  const parts = { info: 0x10, main: [...u32s(800), ...u16s(3), 0, 0] };

  deepEqual(failureCodes(heapPage(2, 8), parts), ['redo_failed', 'redo_page_unexpected']);
});

test('heap redo: a prefix longer than the old tuple is refused', () => {
  const main = [...u32s(800), ...u16s(1), 0, 0x20, ...u32s(0), ...u16s(3)];
  const data = [...u16s(9), ...logged, 0, 1];

  deepEqual(failureCodes(heapPage(2, 8), { info: 0x20, data, main }), [
    'redo_failed',
    'redo_record_malformed',
  ]);
});

test('heap redo: an overwrite of another length is refused', () => {
  const parts = { info: 0x70, data: [1, 2, 3], main: u16s(1) };

  deepEqual(failureCodes(heapPage(1, 8), parts), ['redo_failed', 'redo_record_malformed']);
});

test('heap redo: a prune record that lists more than it has is refused', () => {
  const parts = { rmgr: 9, info: 0x10, data: u16s(1), main: [...u32s(0), ...u16s(1, 1)] };

  deepEqual(failureCodes(heapPage(1, 8), parts), ['redo_failed', 'redo_record_malformed']);
});

test('heap redo: a combined record of 17 that lists more than it has is refused', () => {
  const parts = { rmgr: 9, info: 0x10, data: u16s(9, 1), main: [0, 0x44] };

  deepEqual(failureCodes(heapPage(1, 8), parts, 17), ['redo_failed', 'redo_record_malformed']);
});

test('heap redo: a major without a table is refused', () => {
  const parts = { rmgr: 9, info: 0x10, main: [...u32s(0), ...u16s(0, 0)] };

  deepEqual(failureCodes(heapPage(1, 8), parts, 14), ['redo_failed', 'redo_record_malformed']);
});

test('heap redo: a delete remembers the oldest transaction to prune for', () => {
  const page = heapPage(2, 8);
  apply(page, 100, { info: 0x10, xid: 900, main: [...u32s(900), ...u16s(1), 0, 0] });

  apply(page, 110, { info: 0x10, xid: 850, main: [...u32s(850), ...u16s(2), 0, 0] });

  equal(PageHeader.pruneXid.get(page.view, 0), 850);
});

test('heap redo: transactions are compared on a circle', () => {
  const page = heapPage(2, 8);
  const old = 0xffff_ff00;
  apply(page, 100, { info: 0x10, xid: old, main: [...u32s(old), ...u16s(1), 0, 0] });

  apply(page, 110, { info: 0x10, xid: 850, main: [...u32s(850), ...u16s(2), 0, 0] });

  equal(PageHeader.pruneXid.get(page.view, 0), old);
});

test('heap redo: a delete from an all-visible page takes the flag away', () => {
  const page = heapPage(1, 8);
  PageHeader.flags.set(page.view, 0, pageFlags.allVisible);

  apply(page, 100, { info: 0x10, main: [...u32s(800), ...u16s(1), 0, 0x01] });

  equal(PageHeader.flags.get(page.view, 0), 0);
});

/** Main data of an update of the tuple in slot 1 to one in slot 2. */
function updateMain(flags: number): number[] {
  return [...u32s(800), ...u16s(1), 0, flags, ...u32s(0), ...u16s(2)];
}

const insertTuple = [...logged, 0, 1];
const multiInsertTuple = [...u16s(2), ...logged, 0, 1];
for (const [what, parts] of [
  ['an insert', { data: insertTuple, main: [...u16s(2), 0x01] }],
  ['an update of a tuple', { info: 0x20, blockId: 1, blocks: [9, 7], main: updateMain(0x01) }],
  [
    'the new version of a tuple',
    { info: 0x20, blocks: [7, 9], data: insertTuple, main: updateMain(0x02) },
  ],
  [
    'a multi-insert',
    { rmgr: 9, info: 0x50, data: multiInsertTuple, main: [0x01, 0, ...u16s(1, 2)] },
  ],
] as const)
  test(`heap redo: ${what} takes the all-visible flag away when its record says so`, () => {
    const page = heapPage(1, 8);
    PageHeader.flags.set(page.view, 0, pageFlags.allVisible);

    apply(page, 100, parts);

    equal(PageHeader.flags.get(page.view, 0), 0);
  });

test('heap redo: a multi-insert of frozen rows makes the page all-visible', () => {
  const page = heapPage(1, 8);
  const main = [0x20, 0, ...u16s(1, 2)];

  apply(page, 100, { rmgr: 9, info: 0x50, data: multiInsertTuple, main });

  equal(PageHeader.flags.get(page.view, 0), pageFlags.allVisible);
});

for (const [flag, xvac] of [
  [0x02, 2],
  [0x04, 0],
] as const)
  test(`heap redo: freezing a tuple of before 9.0 leaves ${String(xvac)} as who moved it`, () => {
    const page = heapPage(1, 8);
    HeapTuple.commandId.set(page.view, tuple(page, 1), 600);
    const plan = [...u32s(0), ...u16s(2, 0x0b00), flag, 0, ...u16s(1)];
    const main = [...u32s(0), ...u16s(1), 0];

    apply(page, 100, { rmgr: 9, info: 0x30, data: [...plan, ...u16s(1)], main }, 16);

    equal(HeapTuple.commandId.get(page.view, tuple(page, 1)), xvac);
  });

test('heap redo: becoming all-visible sets the flag and leaves the LSN', () => {
  const page = heapPage(1, 8);
  const parts = { rmgr: 9, info: 0x40, blockId: 1, blocks: [0, 7], main: [...u32s(0), 1] };

  apply(page, 100, parts);

  equal(PageHeader.flags.get(page.view, 0) & pageFlags.allVisible, pageFlags.allVisible);
  equal(PageHeader.lsn.get(page.view, 0), 10);
});

test('heap redo: an update across pages changes on each page only its own tuple', () => {
  const main = [...u32s(800), ...u16s(1), 0, 0, ...u32s(0), ...u16s(2)];
  const data = [...logged, 0, 1, 2, 3];
  const oldPage = heapPage(1, 8);
  const newPage = heapPage(1, 8);

  apply(oldPage, 100, { info: 0x20, blockId: 1, blocks: [9, 7], data, main });
  apply(newPage, 100, { info: 0x20, blockId: 0, blocks: [9, 7], data, main });

  equal(slotCount(oldPage.view), 1);
  equal(HeapTuple.ctidBlockLow.get(oldPage.view, tuple(oldPage, 1)), 9);
  equal(HeapTuple.ctidSlot.get(oldPage.view, tuple(oldPage, 1)), 2);
  equal(slotCount(newPage.view), 2);
  equal(HeapTuple.xmax.get(newPage.view, tuple(newPage, 1)), 0);
});

test('heap redo: a lock on a row that was updated keeps the way to its newer version', () => {
  const page = heapPage(1, 8);
  HeapTuple.ctidSlot.set(page.view, tuple(page, 1), 5);

  apply(page, 100, { info: 0x60, main: [...u32s(30), ...u16s(1), 0x01, 0] });

  equal(HeapTuple.ctidSlot.get(page.view, tuple(page, 1)), 5);
});

test('heap redo: a confirmed insertion points at itself, no longer at its token', () => {
  const page = heapPage(2, 8);
  HeapTuple.ctidBlockLow.set(page.view, tuple(page, 2), 4_711);
  HeapTuple.ctidSlot.set(page.view, tuple(page, 2), specialSlots.speculativeToken);

  apply(page, 100, { info: 0x50, main: u16s(2) });

  equal(HeapTuple.ctidBlockLow.get(page.view, tuple(page, 2)), 7);
  equal(HeapTuple.ctidSlot.get(page.view, tuple(page, 2)), 2);
});

test('heap redo: a delete knows no command ids', () => {
  const page = heapPage(1, 8);
  HeapTuple.commandId.set(page.view, tuple(page, 1), 3);
  HeapTuple.infomask.set(page.view, tuple(page, 1), infomask.comboCid);

  apply(page, 100, { info: 0x10, main: [...u32s(800), ...u16s(1), 0, 0] });

  equal(HeapTuple.commandId.get(page.view, tuple(page, 1)), 0);
  equal(HeapTuple.infomask.get(page.view, tuple(page, 1)), 0);
});

test('heap mask: hints and free space may differ', () => {
  const one = heapPage(3, 8);
  const other = heapPage(3, 8);
  HeapTuple.infomask.set(other.view, tuple(other, 2), 0x0900);
  HeapTuple.commandId.set(other.view, tuple(other, 2), 7);
  PageHeader.flags.set(other.view, 0, pageFlags.hasFreeLines | pageFlags.allVisible);
  PageHeader.pruneXid.set(other.view, 0, 5);
  PageHeader.lsn.set(other.view, 0, lsn(4_711));
  PageHeader.checksum.set(other.view, 0, 99);
  other.bytes[1_000] = 1;

  maskHeap(one.view, 7);
  maskHeap(other.view, 7);

  deepEqual(other.bytes, one.bytes);
});

for (const [what, change] of [
  [
    'user data',
    (page: Heap): void => {
      page.view.setUint8(tuple(page, 2) + headerSize, 99);
    },
  ],
  [
    'xmax',
    (page: Heap): void => {
      HeapTuple.xmax.set(page.view, tuple(page, 2), 5);
    },
  ],
  [
    'the next version',
    (page: Heap): void => {
      HeapTuple.ctidSlot.set(page.view, tuple(page, 2), 1);
    },
  ],
  [
    'nulls',
    (page: Heap): void => {
      HeapTuple.infomask.set(page.view, tuple(page, 2), 0x0801);
    },
  ],
  [
    'attributes',
    (page: Heap): void => {
      HeapTuple.infomask2.set(page.view, tuple(page, 2), 3);
    },
  ],
] as const)
  test(`heap mask: ${what} may not differ`, () => {
    const one = heapPage(3, 8);
    const other = heapPage(3, 8);
    change(other);

    maskHeap(one.view, 7);
    maskHeap(other.view, 7);

    ok(!one.bytes.every((byte, at) => byte === other.bytes[at]));
  });

test('heap mask: of a frozen tuple only hints of xmax may differ', () => {
  const one = heapPage(1, 8);
  const other = heapPage(1, 8);
  HeapTuple.infomask.set(one.view, tuple(one, 1), infomask.xminFrozen);
  HeapTuple.infomask.set(other.view, tuple(other, 1), infomask.xminFrozen | infomask.comboCid);

  maskHeap(one.view, 7);
  maskHeap(other.view, 7);

  ok(!one.bytes.every((byte, at) => byte === other.bytes[at]));
});

/** A seeded generator (Numerical Recipes' LCG): integers below `limit`. */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function randomBytes(below: (limit: number) => number, count: number): number[] {
  // Mostly small numbers, which come closer to being lists and slots.
  return Array.from({ length: count }, () => (below(3) === 0 ? below(256) : below(4)));
}

for (const major of [15, 16, 17, 18])
  test(`heap redo: random records of ${String(major)} end in a page or a failure`, () => {
    const below = random(major);
    const outcomes = new Set<string>();
    const surrounded = new Uint8Array(3 * pageSize).fill(0xaa);
    const bytes = surrounded.subarray(pageSize, 2 * pageSize);
    const page = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, pageSize) };
    for (let round = 0; round < 4_000; round += 1) {
      bytes.set(heapPage(1 + below(5), below(40)).bytes);
      if (below(4) === 0) bytes[below(60)] = below(256);
      if (below(20) === 0) initPage(page.view, 0);
      const [code] = failureCodes(
        page,
        {
          rmgr: 9 + below(2),
          info: below(16) << 4,
          blockId: below(2),
          blocks: below(2) === 0 ? [7] : [7, 8],
          data: randomBytes(below, below(60)),
          main: randomBytes(below, below(20)),
        },
        major,
      );
      outcomes.add(code ?? 'applied');
    }

    deepEqual([...outcomes].sort(), ['applied', 'redo_failed']);
    ok(surrounded.subarray(0, pageSize).every((byte) => byte === 0xaa));
    ok(surrounded.subarray(2 * pageSize).every((byte) => byte === 0xaa));
  });
