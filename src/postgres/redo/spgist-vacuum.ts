/**
 * Redo of what VACUUM does to SP-GiST indexes (src/backend/access/spgist/spgxlog.c, whose records
 * spgvacuum.c makes).
 */
import { Failure, ensure } from '../../base/failure.ts';
import { padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { ensureMajor, type Major } from '../major.ts';
import { PageHeader } from '../page.ts';
import {
  ensureSlot,
  indexMultiDelete,
  itemFlagsOf,
  itemLength,
  itemOffset,
  setItem,
  slotCount,
} from '../page-items.ts';
import { type BlockRecord } from '../page-value.ts';
import { ensureMain, readSlots, slotSize } from './record-data.ts';
import {
  countDead,
  deadAs,
  ensureSpgistPage,
  redirectToPlaceholder,
  replaceByDead,
  setNextSlot,
  tupleState,
  tupleStates,
} from './spgist-page.ts';

/**
 * `spgxlogVacuumLeaf`. Slots follow: to become dead, to become placeholders, to move from, to move
 * to, whose next slot changes, and the next slots.
 */
export const SpgistVacuumLeaf = struct(
  {
    deadCount: u16,
    placeholderCount: u16,
    moveCount: u16,
    chainCount: u16,
    redirectXid: u32,
    isBuild: u8,
    padding: padding(3),
  },
  { size: 16 },
);
/** `spgxlogVacuumRoot`; the slots deleted follow. */
export const SpgistVacuumRoot = struct(
  { deleteCount: u16, padding1: padding(2), redirectXid: u32, isBuild: u8, padding2: padding(3) },
  { size: 12 },
);
/** `spgxlogVacuumRedirect` up to where majors differ; slots follow at `redirectSlotsAt`. */
export const SpgistVacuumRedirect = struct(
  { redirectCount: u16, firstPlaceholder: u16, horizon: u32 },
  { size: 8 },
);

/** `SizeOfSpgxlogVacuumRedirect`: majors from 16 on have a flag for standbys, and its padding. */
export const redirectSlotsAt: Readonly<Record<Major, number>> = { 15: 8, 16: 10, 17: 10, 18: 10 };

const noSlot = 0;
const dead = deadAs(tupleStates.dead);
const placeholders = deadAs(tupleStates.placeholder);

/** `spgRedoVacuumLeaf`. */
export function redoVacuumLeaf(page: DataView, record: BlockRecord): void {
  ensureVacuumed(page, record);
  ensureMain(record, SpgistVacuumLeaf.size);
  const { view, main } = record;
  const deadCount = SpgistVacuumLeaf.deadCount.get(view, main);
  const placeholderCount = SpgistVacuumLeaf.placeholderCount.get(view, main);
  const moves = SpgistVacuumLeaf.moveCount.get(view, main);
  const chains = SpgistVacuumLeaf.chainCount.get(view, main);
  const listed = deadCount + placeholderCount + 2 * moves + 2 * chains;
  ensureMain(record, SpgistVacuumLeaf.size + listed * slotSize);

  const deadAt = main + SpgistVacuumLeaf.size;
  const placeholdersAt = deadAt + deadCount * slotSize;
  const movesAt = placeholdersAt + placeholderCount * slotSize;
  replaceByDead(page, readSlots(view, deadAt, deadCount), dead);
  replaceByDead(page, readSlots(view, placeholdersAt, placeholderCount), placeholders);
  moveTuples(page, view, movesAt, moves);
  rechain(page, view, movesAt + 2 * moves * slotSize, chains);
  PageHeader.lsn.set(page, 0, record.end);
}

/** The slots exchange their tuples; those moved from then get placeholders. */
function moveTuples(page: DataView, view: DataView, at: number, count: number): void {
  const from = readSlots(view, at, count);
  const to = readSlots(view, at + count * slotSize, count);
  from.forEach((slot, index) => {
    swapItems(page, slot, to[index]!);
  });
  replaceByDead(page, from, placeholders);
}

function swapItems(page: DataView, one: number, other: number): void {
  ensureSlot(page, one);
  ensureSlot(page, other);
  const offset = itemOffset(page, one);
  const flags = itemFlagsOf(page, one);
  const length = itemLength(page, one);
  setItem(page, one, itemOffset(page, other), itemFlagsOf(page, other), itemLength(page, other));
  setItem(page, other, offset, flags, length);
}

/** Links `count` leaf tuples, listed at `at`, to the slots listed after them. */
function rechain(page: DataView, view: DataView, at: number, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const slot = at + index * slotSize;
    setNextSlot(page, view.getUint16(slot, true), view.getUint16(slot + count * slotSize, true));
  }
}

/** `spgRedoVacuumRoot`: a root that is a leaf has no chains, so its tuples just go. */
export function redoVacuumRoot(page: DataView, record: BlockRecord): void {
  ensureVacuumed(page, record);
  ensureMain(record, SpgistVacuumRoot.size);
  const { view, main } = record;
  const count = SpgistVacuumRoot.deleteCount.get(view, main);
  ensureMain(record, SpgistVacuumRoot.size + count * slotSize);
  indexMultiDelete(page, readSlots(view, main + SpgistVacuumRoot.size, count));
  PageHeader.lsn.set(page, 0, record.end);
}

/** `spgRedoVacuumRedirect`: redirects nobody follows any more, and placeholders at the end. */
export function redoVacuumRedirect(page: DataView, record: BlockRecord): void {
  ensureVacuumed(page, record);
  ensureMain(record, SpgistVacuumRedirect.size);
  const { view, main } = record;
  const slotsAt = redirectSlotsAt[ensureMajor(record.major)];
  const count = SpgistVacuumRedirect.redirectCount.get(view, main);
  ensureMain(record, slotsAt + count * slotSize);

  for (const slot of readSlots(view, main + slotsAt, count)) {
    ensureSlot(page, slot);
    const at = itemOffset(page, slot);
    const state = tupleState(page, at);
    ensure(state === tupleStates.redirect, 'redo_page_unexpected', { slot, state });
    redirectToPlaceholder(page, at);
  }
  countDead(page, -count, count);
  dropPlaceholders(page, SpgistVacuumRedirect.firstPlaceholder.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** Deletes all slots from `first` on, if it is one. */
function dropPlaceholders(page: DataView, first: number): void {
  if (first === noSlot) return;
  ensureSlot(page, first);
  const slots: number[] = [];
  for (let slot = first; slot <= slotCount(page); slot += 1) slots.push(slot);
  countDead(page, 0, -slots.length);
  indexMultiDelete(page, slots);
}

/** VACUUM's records are about one page each. */
function ensureVacuumed(page: DataView, record: BlockRecord): void {
  const { blockId, info } = record;
  if (blockId !== 0) throw new Failure('redo_record_malformed', { blockId, info });
  ensureSpgistPage(page);
}
