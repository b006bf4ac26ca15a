/**
 * What the mask of GIN hides from every comparison with Postgres, and records that redo must refuse.
 */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { PageHeader, pageFlags, pageSize } from '../../../src/postgres/page.ts';
import { segmentActions } from '../../../src/postgres/redo/gin-leaf.ts';
import {
  GinOpaque,
  PostingItem,
  ginDataAt,
  ginFlags,
  ginOpaqueAt,
  initGinPage,
  noRightLink,
  setGinDataSize,
} from '../../../src/postgres/redo/gin-page.ts';
import { maskGin } from '../../../src/postgres/redo/masks-gin.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { applyTo, recordValue, u16s, u32s, zeroPage, type RecordParts } from './values.ts';

const { data, leaf, deleted, compressed, list, listFullRow, incompleteSplit } = ginFlags;
const ops = {
  insert: 0x20,
  split: 0x30,
  vacuumPage: 0x40,
  deletePage: 0x50,
  updateMeta: 0x60,
  insertListPage: 0x70,
  deleteListPages: 0x80,
} as const;
/** `ginxlogInsert.flags`. */
const isData = 1;
const isLeaf = 2;
const metadata = Array<number>(56).fill(0);
/** Of a size that is not aligned: the next one follows at once. */
const tuple = [...u32s(0), ...u16s(5, 20), ...u32s(1, 2, 3)];

interface TestPage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** An initialised page. */
function ginPage(flags: number, rightLink: number): TestPage {
  const page = zeroPage();
  initGinPage(page.view, flags);
  GinOpaque.rightLink.set(page.view, ginOpaqueAt, rightLink);
  return page;
}

/** A record of blocks 1, 2 and so on, applied from the side of `blockId`. */
function apply(page: TestPage, parts: RecordParts): void {
  const blocks = [1, 2, 3, 4];
  const value = recordValue({ rmgr: resourceManagers.gin, blocks, ...parts });
  applyTo(new PageRebuilder(18), page.bytes, value, 8);
}

function refuses(page: TestPage, parts: RecordParts): void {
  throws(() => {
    apply(page, parts);
  }, /redo failed/);
}

/** `ginxlogRecompressDataLeaf` of one action. */
function action(...bytes: readonly number[]): number[] {
  return [...u16s(1), ...bytes];
}

function updateMeta(previousTail: number, newRightLink: number, tupleCount: number): number[] {
  const rest = u32s(previousTail, newRightLink, tupleCount, 0);
  return [...u32s(1_663, 5, 16_384, 0), ...metadata, ...rest];
}

test('gin: a deleted page keeps its link and contents, and says since which xid', () => {
  const page = ginPage(data | leaf | compressed, 77);
  page.view.setUint32(ginDataAt, 0xabcd_ef01);

  apply(page, { info: ops.deletePage, main: [...u16s(3, 0), ...u32s(88, 4_711)] });

  const flags = GinOpaque.flags.get(page.view, ginOpaqueAt);
  equal(flags, data | leaf | compressed | deleted);
  equal(GinOpaque.rightLink.get(page.view, ginOpaqueAt), 77);
  equal(PageHeader.pruneXid.get(page.view, 0), 4_711);
  equal(page.view.getUint32(ginDataAt), 0xabcd_ef01);
});

test('gin: the left sibling of a deleted page links to the page after it', () => {
  const page = ginPage(data | leaf | compressed, 77);

  apply(page, { info: ops.deletePage, blockId: 2, main: [...u16s(3, 0), ...u32s(88, 4_711)] });

  equal(GinOpaque.rightLink.get(page.view, ginOpaqueAt), 88);
  equal(GinOpaque.flags.get(page.view, ginOpaqueAt), data | leaf | compressed);
});

test('gin: a page of the pending list that is given back is empty and deleted', () => {
  const page = ginPage(list | listFullRow, 77);
  page.bytes.fill(1, 100, 200);

  const main = [...metadata, ...u32s(2, 0)];
  apply(page, { info: ops.deleteListPages, blockId: 2, willInit: true, main });

  const wanted = ginPage(deleted, noRightLink);
  PageHeader.lsn.set(wanted.view, 0, PageHeader.lsn.get(page.view, 0));
  deepEqual(page.bytes, wanted.bytes);
});

test('gin: the tail of the pending list counts heap tuples, not entries', () => {
  const page = ginPage(list | listFullRow, noRightLink);
  GinOpaque.itemCount.set(page.view, ginOpaqueAt, 6);

  const main = updateMeta(noRightLink, noRightLink, 2);
  apply(page, { info: ops.updateMeta, blockId: 1, main, data: [...tuple, ...tuple] });

  equal(GinOpaque.itemCount.get(page.view, ginOpaqueAt), 7);
});

test('gin: a metapage has nothing of what was before it', () => {
  const page = zeroPage();
  page.bytes.fill(0xff);
  PageHeader.lsn.set(page.view, 0, PageHeader.lsn.get(zeroPage().view, 0));

  const main = updateMeta(noRightLink, noRightLink, 0).map((byte, at) =>
    at >= 16 && at < 72 ? 9 : byte,
  );
  apply(page, { info: ops.updateMeta, main });

  equal(PageHeader.lower.get(page.view, 0), PageHeader.size + metadata.length);
  deepEqual([...page.bytes.subarray(24, 80)], Array<number>(56).fill(9));
  deepEqual(new Set(page.bytes.subarray(80, ginOpaqueAt)), new Set([0]));
  equal(GinOpaque.flags.get(page.view, ginOpaqueAt), ginFlags.meta);
});

test('gin: a child whose split is finished loses its mark, in both trees', () => {
  const split = [...u32s(1_663, 5, 16_384, 9, 1, 2), ...u16s(0, 0)];
  for (const parts of [
    { info: ops.insert, blockId: 1, main: u16s(0, 0, 0, 0, 0) },
    { info: ops.insert, blockId: 1, main: u16s(isData, 0, 0, 0, 0) },
    { info: ops.split, blockId: 3, main: split },
  ]) {
    const page = ginPage(leaf | incompleteSplit, 7);

    apply(page, parts);

    equal(GinOpaque.flags.get(page.view, ginOpaqueAt), leaf);
  }
});

test('gin: a split page without its image is refused, and so is a leaf that has a child', () => {
  const split = [...u32s(1_663, 5, 16_384, 9, 1, 2), ...u16s(0, 0)];
  const leafSplit = [...u32s(1_663, 5, 16_384, 9, 1, 2), ...u16s(isLeaf, 0)];
  for (const blockId of [0, 1, 2]) {
    refuses(ginPage(leaf, 7), { info: ops.split, blockId, main: split });
  }
  refuses(ginPage(leaf, 7), { info: ops.split, blockId: 3, main: leafSplit });
  refuses(ginPage(leaf, 7), { info: ops.insert, blockId: 1, main: u16s(isLeaf) });
});

test('gin: a vacuumed entry page without its image is refused', () => {
  refuses(ginPage(leaf, 7), { info: ops.vacuumPage });
});

test('gin: tuples that are more or fewer than the record says are refused', () => {
  for (const count of [1, 3, 0x7fff_ffff]) {
    const main = [...u32s(noRightLink, count)];
    const parts = { info: ops.insertListPage, willInit: true, data: [...tuple, ...tuple], main };
    throws(() => {
      apply(zeroPage(), parts);
    }, /redo failed/);
  }
});

test('gin: an update of a tail with neither tuples nor a link is refused', () => {
  const main = updateMeta(noRightLink, 9, 0);

  refuses(ginPage(list, 7), { info: ops.updateMeta, blockId: 1, main });
});

test('gin: a page of another kind is refused', () => {
  const entry = [...u16s(1, 0), ...tuple];
  const inner = [...u16s(1), ...u16s(0, 9, 0, 9, 1)];
  const children = u16s(0, 1, 0, 2);
  const { insert, deletePage } = ops;

  refuses(ginPage(data | leaf, 7), { info: insert, main: u16s(isLeaf), data: entry });
  refuses(ginPage(leaf, 7), { info: insert, main: [...u16s(0), ...children], data: entry });
  refuses(ginPage(leaf, 7), { info: insert, main: u16s(isLeaf | isData), data: u16s(0) });
  refuses(ginPage(data | leaf, 7), {
    info: insert,
    main: [...u16s(isData), ...children],
    data: inner,
  });
  refuses(ginPage(leaf, 7), { info: deletePage, main: u32s(1, 1, 1) });
  refuses(ginPage(data | leaf, 7), { info: deletePage, blockId: 1, main: u32s(1, 1, 1) });
  refuses(ginPage(leaf, 7), { info: ops.updateMeta, blockId: 1, main: updateMeta(1, 2, 0) });
});

test('gin: a posting item is refused where there is none before it, or no room', () => {
  const full = Math.floor((ginOpaqueAt - ginDataAt) / PostingItem.size);
  const main = u16s(isData, 0, 1, 0, 2);
  for (const [count, slot] of [
    [1, 0],
    [1, 2],
    [full, 1],
  ] as const) {
    const page = ginPage(data, noRightLink);
    GinOpaque.itemCount.set(page.view, ginOpaqueAt, count);
    setGinDataSize(page.view, count * PostingItem.size);

    refuses(page, { info: ops.insert, main, data: [...u16s(slot), ...u16s(0, 9, 0, 9, 1)] });
  }
});

test('gin: actions on segments are refused unless the leaf has the segment and room', () => {
  const segment = [...u16s(0, 1, 1), ...u16s(2), 5, 5];
  const wide = [...u16s(0, 1, 1), ...u16s(8_140), ...Array<number>(8_140).fill(1)];
  const { insert, replace, addItems } = segmentActions;
  for (const bytes of [
    action(0, 9), // no such kind
    action(1, segmentActions.delete), // behind the last segment
    action(1, replace, ...segment),
    action(2, insert, ...segment),
    action(0, insert, ...segment.slice(0, 9)), // cut short
    action(0, insert, ...wide),
    action(0, addItems, ...u16s(2, 0, 1, 9, 0, 1, 3)), // out of order
    action(0, addItems, ...u16s(2, 0, 1, 9)),
    u16s(2), // fewer than it says
    [...u16s(2), 1, insert, ...segment, 0, segmentActions.delete], // backwards
  ]) {
    const page = ginPage(data | leaf | compressed, noRightLink);
    page.bytes.set(segment, ginDataAt);
    setGinDataSize(page.view, segment.length);

    refuses(page, { info: ops.insert, main: u16s(isLeaf | isData), data: bytes });
  }
});

test('gin mask: of a deleted page only the header is compared', () => {
  const [one, other] = [ginPage(data | deleted, 1), ginPage(deleted, 2)];
  one.bytes.fill(7, 500, 600);
  PageHeader.upper.set(other.view, 0, 700);

  for (const { view } of [one, other]) maskGin(view);

  deepEqual(one.bytes, other.bytes);
});

test('gin mask: hints in the header are not compared', () => {
  const [one, other] = [ginPage(data | leaf, 1), ginPage(data | leaf, 1)];
  PageHeader.pruneXid.set(one.view, 0, 4_711);
  PageHeader.flags.set(one.view, 0, pageFlags.pageFull);

  for (const { view } of [one, other]) maskGin(view);

  deepEqual(one.bytes, other.bytes);
});

test('gin mask: the hole is not compared, but all of a page that does not say where it is', () => {
  const [held, old] = [ginPage(data, 1), ginPage(data, 1)];
  setGinDataSize(held.view, 8);
  for (const { view, bytes } of [held, old]) {
    bytes.fill(7, 30, 600);
    maskGin(view);
  }

  deepEqual([...held.bytes.subarray(38, 42)], [7, 7, 0, 0]);
  deepEqual([...old.bytes.subarray(38, 42)], [7, 7, 7, 7]);
  equal(held.bytes.length, pageSize);
});
