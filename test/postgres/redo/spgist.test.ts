/**
 * Redo of SP-GiST: forms of records that no workload gets to (spgist-variants.ts).
 */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { addItem, itemOffset, placement, slotCount } from '../../../src/postgres/page-items.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import {
  SpgistDead,
  addDead,
  deadAs,
  initSpgistPage,
  spgistFlags,
  spgistFlagsOf,
  tupleState,
  tupleStates,
} from '../../../src/postgres/redo/spgist-page.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { applyTo, recordValue, u16s, u32s, zeroPage, type RecordParts } from './values.ts';

const rmgr = resourceManagers.spgist;
const info = { addLeaf: 0x10, addNode: 0x30, vacuumRedirect: 0x80 } as const;
const end = 5_000;
const { live, placeholder, redirect } = tupleStates;

type Page = ReturnType<typeof zeroPage>;

/** An inner tuple of 24 bytes with a node of 16, whose downlink is invalid. */
function inner(): number[] {
  return [...u32s(1 << 3), ...u16s(24, 0), ...u16s(0xffff, 0xffff, 0, 16), ...u32s(0, 0)];
}

/** A leaf tuple of 16 bytes. */
function leafTuple(): number[] {
  return [...u32s(16 << 2), ...u16s(0, 0, 9, 1), ...u32s(7)];
}

function innerPage(tuples: number): Page {
  const page = zeroPage();
  initSpgistPage(page.view, 0);
  for (let slot = 1; slot <= tuples; slot += 1)
    addItem(page.view, slot, new Uint8Array(inner()), placement.shuffle);
  return page;
}

function redo(page: Page, parts: RecordParts, major = 18): Page {
  applyTo(new PageRebuilder(major), page.bytes, recordValue({ rmgr, ...parts }), end);
  return page;
}

function statesOf({ view }: Page): number[] {
  const slots = Array.from({ length: slotCount(view) }, (_, index) => index + 1);
  return slots.map((slot) => tupleState(view, itemOffset(view, slot)));
}

/** Redirects and placeholders, as the page counts them. */
function countsOf({ view }: Page): number[] {
  return [view.getUint16(8_186, true), view.getUint16(8_188, true)];
}

/** Block and slot that the node of the inner tuple in `slot` leads to. */
function linkOf({ view }: Page, slot: number): number[] {
  const node = itemOffset(view, slot) + 8;
  return [
    view.getUint16(node, true),
    view.getUint16(node + 2, true),
    view.getUint16(node + 4, true),
  ];
}

test('spgist add leaf: a new page of nulls says so', () => {
  const main = [1, 1, ...u16s(1, 0, 0, 0), ...leafTuple()];

  const page = redo(zeroPage(), { info: info.addLeaf, willInit: true, main });

  equal(spgistFlagsOf(page.view), spgistFlags.leaf | spgistFlags.nulls);
  deepEqual(statesOf(page), [live]);
});

/** The tuple in slot 2 of block 70000 goes to slot `to` of block 8; the parent is in slot 1 there. */
function movedNode(to: number): RecordParts {
  const places = [...u16s(2, to), 0, 1, ...u16s(1, 0, 0), ...u32s(700), 0, 0, 0, 0];
  return { info: info.addNode, blockId: 1, blocks: [70_000, 8], main: [...places, ...inner()] };
}

test('spgist add node: a parent on the page the tuple moves to leads there', () => {
  const page = redo(innerPage(1), movedNode(2));

  deepEqual(statesOf(page), [live, live]);
  deepEqual(linkOf(page, 1), [0, 8, 2]);
});

test('spgist add node: the tuple takes the place of a placeholder', () => {
  const before = innerPage(1);
  addDead(before.view, 2, placeholder, deadAs(placeholder));
  deepEqual(countsOf(before), [0, 1]);

  const page = redo(before, movedNode(2));

  deepEqual(statesOf(page), [live, live]);
  deepEqual(countsOf(page), [0, 0]);
});

test('spgist add node: the tuple takes no place but a placeholder’s', () => {
  throws(() => redo(innerPage(2), movedNode(2)), { code: 'redo_failed' });
});

test('spgist add node: where the tuple was a redirect leads to it', () => {
  const page = redo(innerPage(3), { ...movedNode(4), blockId: 0, blocks: [8, 70_000] });

  deepEqual(statesOf(page), [live, redirect, live]);
  deepEqual(countsOf(page), [1, 0]);
  const at = itemOffset(page.view, 2);
  const { blockHigh, blockLow, position, xid } = SpgistDead;
  deepEqual(
    [blockHigh, blockLow, position, xid].map((field) => field.get(page.view, at)),
    [1, 70_000 & 0xffff, 4, 700],
  );
});

for (const [major, padding] of [
  [15, []],
  [16, [0, 0]],
  [17, [0, 0]],
  [18, [0, 0]],
] as const)
  test(`spgist vacuum redirect: of major ${major} leaves a placeholder that still names its xid`, () => {
    const page = innerPage(1);
    const by = { first: redirect, rest: redirect, xid: 700, block: 9, slot: 1 };
    addDead(page.view, 2, redirect, by);
    addDead(page.view, 3, placeholder, deadAs(placeholder));
    const main = [...u16s(1, 3), ...u32s(700), ...padding, ...u16s(2)];

    redo(page, { info: info.vacuumRedirect, main }, major);

    deepEqual(statesOf(page), [live, placeholder]);
    deepEqual(countsOf(page), [0, 1]);
    const at = itemOffset(page.view, 2);
    deepEqual(
      [SpgistDead.blockLow.get(page.view, at), SpgistDead.xid.get(page.view, at)],
      [0xffff, 700],
    );
  });
