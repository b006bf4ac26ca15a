/**
 * Redo of GiST: what its mask hides, so that the oracle cannot see it (flags, NSN), and records that
 * do not add up.
 */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../../src/base/lsn.ts';
import { addItem, itemOffset, placement, slotCount } from '../../../src/postgres/page-items.ts';
import {
  GistOpaque,
  gistFlags,
  gistOpaqueAt,
  gistSplitFinishedSize,
  initGistPage,
  noRightLink,
  writeGistSplitFinished,
} from '../../../src/postgres/redo/gist-page.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { applyTo, recordValue, u16s, u32s, zeroPage, type RecordParts } from './values.ts';

const rmgr = resourceManagers.gist;
const info = { update: 0x00, delete: 0x10, split: 0x30, pageDelete: 0x60 } as const;
const end = 5_000;
const { leaf, deleted, tuplesDeleted, followRight, hasGarbage } = gistFlags;

type Page = ReturnType<typeof zeroPage>;

/** An index tuple of 16 bytes that lead to `block`. */
function tuple(block: number): number[] {
  return [...u16s(0, block, 1, 16), ...u32s(block, block)];
}

/** A page with `count` tuples. */
function gistPage(flags: number, count = 3): Page {
  const page = zeroPage();
  initGistPage(page.view, flags);
  for (let slot = 1; slot <= count; slot += 1)
    addItem(page.view, slot, new Uint8Array(tuple(slot)), placement.shuffle);
  return page;
}

function redo(page: Page, parts: RecordParts, major = 18): Page {
  applyTo(new PageRebuilder(major), page.bytes, recordValue({ rmgr, ...parts }), end);
  return page;
}

function flagsOf({ view }: Page): number {
  return GistOpaque.flags.get(view, gistOpaqueAt);
}

/** The blocks its tuples lead to, slot by slot. */
function blocksOf({ view }: Page): number[] {
  const slots = Array.from({ length: slotCount(view) }, (_, index) => index + 1);
  return slots.map((slot) => view.getUint16(itemOffset(view, slot) + 2, true));
}

function update(
  deletedSlots: readonly number[],
  tuples: readonly number[],
): { readonly main: number[]; readonly data: number[] } {
  const main = u16s(deletedSlots.length, tuples.length);
  return { main, data: [...u16s(...deletedSlots), ...tuples.flatMap(tuple)] };
}

test('gist update: a tuple for another stays in its slot', () => {
  const page = redo(gistPage(0), { info: info.update, ...update([2], [9]) });

  deepEqual(blocksOf(page), [1, 9, 3]);
});

test('gist update: several tuples for one go to the end', () => {
  const page = redo(gistPage(0), { info: info.update, ...update([2], [8, 9]) });

  deepEqual(blocksOf(page), [1, 3, 8, 9]);
});

test('gist update: a leaf remembers that tuples were deleted, an inner page does not', () => {
  const deletion = { info: info.update, ...update([1, 2], []) };

  equal(flagsOf(redo(gistPage(leaf), deletion)), leaf | tuplesDeleted);
  equal(flagsOf(redo(gistPage(0), deletion)), 0);
});

test('gist update: one that inserts another number of tuples than it says is refused', () => {
  const { data } = update([], [8, 9]);
  const refused = { info: info.update, main: u16s(0, 3), data };

  throws(() => redo(gistPage(leaf), refused), { code: 'redo_failed' });
});

test('gist update: the left half of the split it finishes gets an NSN and loses its flag', () => {
  const parts = { info: info.update, blockId: 1, blocks: [3, 7], ...update([], []) };
  const page = redo(gistPage(leaf | followRight), parts);

  equal(flagsOf(page), leaf);
  equal(GistOpaque.nsn.get(page.view, gistOpaqueAt), end);
});

test('gist update: what ingest puts behind an image of the left half does the same to it', () => {
  const page = gistPage(leaf | followRight);
  const value = new Uint8Array(gistSplitFinishedSize);
  writeGistSplitFinished(new DataView(value.buffer), 0);

  applyTo(new PageRebuilder(18), page.bytes, value, end);

  equal(flagsOf(page), leaf);
  equal(GistOpaque.nsn.get(page.view, gistOpaqueAt), end);
});

for (const [major, padding] of [
  [15, []],
  [16, [0, 0]],
  [17, [0, 0]],
  [18, [0, 0]],
] as const)
  test(`gist delete: of major ${major} takes the slots listed, and the hint that some are dead`, () => {
    const main = [...u32s(700), ...u16s(2), ...padding, ...u16s(1, 3)];

    const page = redo(gistPage(leaf | hasGarbage), { info: info.delete, main }, major);

    deepEqual(blocksOf(page), [2]);
    equal(flagsOf(page), leaf | tuplesDeleted);
  });

/** Of a leaf in blocks 4, 5 and 6, whose right link was 77 and whose NSN 1234. */
function split(blockId: number, changes: Partial<RecordParts> = {}, marks = 1): RecordParts {
  const main = [...u32s(77, 0, 1_234, 0), 1, 0, ...u16s(3), marks, 0, 0, 0];
  const data = [...u32s(2), ...tuple(8), ...tuple(9)];
  return {
    info: info.split,
    blockId,
    blocks: [null, 4, 5, 6],
    willInit: true,
    main,
    data,
    ...changes,
  };
}

function splitPage(parts: RecordParts): object {
  const page = redo(zeroPage(), parts);
  const rightLink = GistOpaque.rightLink.get(page.view, gistOpaqueAt);
  const nsn = GistOpaque.nsn.get(page.view, gistOpaqueAt);
  return { blocks: blocksOf(page), flags: flagsOf(page), rightLink, nsn };
}

test('gist split: every page but the last leads to the next and says that it has no downlink', () => {
  const common = { blocks: [8, 9], nsn: lsn(1_234) };
  deepEqual(splitPage(split(1)), { ...common, flags: leaf | followRight, rightLink: 5 });
  deepEqual(splitPage(split(2)), { ...common, flags: leaf | followRight, rightLink: 6 });
  deepEqual(splitPage(split(3)), { ...common, flags: leaf, rightLink: 77 });
});

test('gist split: pages below a root that is split have their downlinks', () => {
  const blocks = [null, 0, 5, 6];
  const common = { blocks: [8, 9], nsn: lsn(1_234) };
  deepEqual(splitPage(split(1, { blocks })), { ...common, flags: 0, rightLink: noRightLink });
  deepEqual(splitPage(split(2, { blocks })), { ...common, flags: leaf, rightLink: 6 });
});

test('gist split: a build finishes its splits at once', () => {
  deepEqual(splitPage(split(1, {}, 0)), {
    blocks: [8, 9],
    nsn: lsn(1_234),
    flags: leaf,
    rightLink: 5,
  });
});

test('gist split: the left half of one below that it finishes gets an NSN and loses its flag', () => {
  const parts = split(0, { blocks: [3, 4, 5, 6], willInit: false, data: [] });
  const page = redo(gistPage(followRight), parts);

  equal(flagsOf(page), 0);
  equal(GistOpaque.nsn.get(page.view, gistOpaqueAt), end);
});

test('gist page delete: the page keeps the xid that must be gone before it is used again', () => {
  const main = [...u32s(801, 3), ...u16s(2)];
  const parts = { info: info.pageDelete, blocks: [5, 0], main };

  const page = redo(gistPage(leaf | tuplesDeleted, 0), parts);

  equal(flagsOf(page), leaf | tuplesDeleted | deleted);
  deepEqual([...page.bytes.subarray(24, 32)], u32s(801, 3));
  deepEqual(blocksOf(redo(gistPage(0), { ...parts, blockId: 1 })), [1, 3]);
});
