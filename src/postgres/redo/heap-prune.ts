/**
 * Redo of pruning, vacuuming and freezing a heap page: heapam.c and pruneheap.c up to major 16,
 * heapam_xlog.c (`heap_xlog_prune_freeze`) from 17 on, where one record does all three.
 */
import { ensure } from '../../base/failure.ts';
import { padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { PageHeader } from '../page.ts';
import {
  ensureSlot,
  repairFragmentation,
  setItemDead,
  setItemRedirect,
  setItemUnused,
  truncateLinePointers,
} from '../page-items.ts';
import { type BlockRecord } from '../page-value.ts';
import { HeapTuple, tupleAt } from './heap-tuple.ts';

/** `xl_heap_prune` up to 16; 16 adds a byte for logical decoding on standbys. */
export const HeapPrune = struct({ conflictXid: u32, redirects: u16, dead: u16 }, { size: 8 });
/** `xl_heap_vacuum`, up to 16. */
export const HeapVacuum = struct({ unused: u16 }, { size: 2 });
/** `xl_heap_freeze_page`: a count of tuples in 15, of plans in 16. */
export const HeapFreezePage = struct({ conflictXid: u32, count: u16 }, { size: 6 });
/** `xl_heap_freeze_tuple` of 15: a plan for one tuple. */
export const FreezeTuple = struct(
  { xmax: u32, slot: u16, infomask2: u16, infomask: u16, flags: u8, pad: padding(1) },
  { size: 12 },
);
/** `xl_heap_freeze_plan` of 16, `xlhp_freeze_plan` from 17 on: a plan for `tuples` tuples. */
export const FreezePlan = struct(
  { xmax: u32, infomask2: u16, infomask: u16, flags: u8, pad: padding(1), tuples: u16 },
  { size: 12 },
);
/** `xl_heap_prune` from 17 on. */
export const HeapPruneFreeze = struct({ reason: u8, flags: u8 }, { size: 2 });
/** `xlhp_freeze_plans`: what stands before the plans. */
export const FreezePlans = struct({ plans: u16, pad: padding(2) }, { size: 4 });
/** `xlhp_prune_items`: what stands before a list of slots. */
export const PruneItems = struct({ count: u16 }, { size: 2 });
/** `XLHP_*`: which parts the block data has, in this order. */
const pruneFlags = {
  cleanupLock: 0x04,
  hasFreezePlans: 0x10,
  hasRedirects: 0x20,
  hasDead: 0x40,
  hasUnused: 0x80,
} as const;
/** `XLH_FREEZE_XVAC`, `XLH_INVALID_XVAC`. */
const freezeFlags = { freezeXvac: 0x02, invalidXvac: 0x04 } as const;
const frozenXid = 2;
const invalidXid = 0;

const slotSize = 2;
const redirectSize = 2 * slotSize;

/** `heap_xlog_prune`, up to 16: redirects, then dead, then as many unused as the data has. */
export function redoPrune(page: DataView, record: BlockRecord): void {
  const redirects = HeapPrune.redirects.get(record.view, record.main);
  const dead = HeapPrune.dead.get(record.view, record.main);
  const deadAt = record.data + redirects * redirectSize;
  const unusedAt = deadAt + dead * slotSize;
  const unused = (record.data + record.dataSize - unusedAt) / slotSize;
  ensureList(record, unusedAt, unused);

  setRedirects(page, record.view, record.data, redirects);
  setDead(page, record.view, deadAt, dead);
  setUnused(page, record.view, unusedAt, unused);
  repairFragmentation(page);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `heap_xlog_vacuum`, up to 16: items that were dead lose their line pointers. */
export function redoVacuum(page: DataView, record: BlockRecord): void {
  const unused = HeapVacuum.unused.get(record.view, record.main);
  ensureList(record, record.data, unused);

  setUnused(page, record.view, record.data, unused);
  truncateLinePointers(page);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `heap_xlog_freeze_page` of 15: each tuple has its own plan. */
export function redoFreezeTuples(page: DataView, record: BlockRecord): void {
  const { view, data } = record;
  const tuples = HeapFreezePage.count.get(view, record.main);
  ensure(tuples * FreezeTuple.size <= record.dataSize, 'redo_record_malformed', { tuples });

  for (let index = 0; index < tuples; index += 1) {
    const at = data + index * FreezeTuple.size;
    const tuple = tupleAt(page, FreezeTuple.slot.get(view, at));
    HeapTuple.xmax.set(page, tuple, FreezeTuple.xmax.get(view, at));
    setXvac(page, tuple, FreezeTuple.flags.get(view, at));
    HeapTuple.infomask.set(page, tuple, FreezeTuple.infomask.get(view, at));
    HeapTuple.infomask2.set(page, tuple, FreezeTuple.infomask2.get(view, at));
  }
  PageHeader.lsn.set(page, 0, record.end);
}

/** `heap_xlog_freeze_page` of 16: all plans, then the slots of all plans. */
export function redoFreezePlans(page: DataView, record: BlockRecord): void {
  const plans = HeapFreezePage.count.get(record.view, record.main);
  const plansEnd = record.data + plans * FreezePlan.size;
  ensureList(record, plansEnd, 0);

  freeze(page, record, record.data, plansEnd, plansEnd);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `heap_xlog_prune_freeze`, from 17 on. */
export function redoPruneFreeze(page: DataView, record: BlockRecord): void {
  const { view } = record;
  const flags = HeapPruneFreeze.flags.get(view, record.main);
  const plansAt = record.data + FreezePlans.size;
  const plans =
    (flags & pruneFlags.hasFreezePlans) !== 0 ? FreezePlans.plans.get(view, record.data) : 0;
  const plansEnd = plansAt + plans * FreezePlan.size;
  const redirectsAt = plans > 0 ? plansEnd : record.data;
  const redirects = listCount(record, flags & pruneFlags.hasRedirects, redirectsAt);
  const deadAt =
    redirects > 0 ? redirectsAt + PruneItems.size + redirects * redirectSize : redirectsAt;
  const dead = listCount(record, flags & pruneFlags.hasDead, deadAt);
  const unusedAt = dead > 0 ? deadAt + PruneItems.size + dead * slotSize : deadAt;
  const unused = listCount(record, flags & pruneFlags.hasUnused, unusedAt);
  const frozenAt = unused > 0 ? unusedAt + PruneItems.size + unused * slotSize : unusedAt;
  ensureList(record, frozenAt, 0);

  setRedirects(page, view, redirectsAt + PruneItems.size, redirects);
  setDead(page, view, deadAt + PruneItems.size, dead);
  setUnused(page, view, unusedAt + PruneItems.size, unused);
  // Without a cleanup lock somebody may hold a pointer into a tuple: then nothing moves.
  if (redirects + dead + unused > 0)
    if ((flags & pruneFlags.cleanupLock) !== 0) repairFragmentation(page);
    else truncateLinePointers(page);
  if (plans > 0) freeze(page, record, plansAt, plansEnd, frozenAt);
  PageHeader.lsn.set(page, 0, record.end);
}

/** Length of the list at `at` if the record has it. */
function listCount(record: BlockRecord, present: number, at: number): number {
  if (present === 0) return 0;
  ensureList(record, at, 1);
  return PruneItems.count.get(record.view, at);
}

/** Executes the plans in [plansAt, plansEnd) on the slots that are listed from `slotsAt` on. */
// eslint-disable-next-line max-params -- two places in the record; an object would be made per page
function freeze(
  page: DataView,
  record: BlockRecord,
  plansAt: number,
  plansEnd: number,
  slotsAt: number,
): void {
  const { view } = record;
  let cursor = slotsAt;
  for (let plan = plansAt; plan < plansEnd; plan += FreezePlan.size) {
    const tuples = FreezePlan.tuples.get(view, plan);
    ensureList(record, cursor, tuples);
    for (let index = 0; index < tuples; index += 1) {
      freezeTuple(page, tupleAt(page, view.getUint16(cursor, true)), view, plan);
      cursor += slotSize;
    }
  }
}

/** `heap_execute_freeze_tuple`. */
function freezeTuple(page: DataView, tuple: number, view: DataView, plan: number): void {
  HeapTuple.xmax.set(page, tuple, FreezePlan.xmax.get(view, plan));
  setXvac(page, tuple, FreezePlan.flags.get(view, plan));
  HeapTuple.infomask.set(page, tuple, FreezePlan.infomask.get(view, plan));
  HeapTuple.infomask2.set(page, tuple, FreezePlan.infomask2.get(view, plan));
}

/** For tuples that a VACUUM FULL before 9.0 moved: its xid lives where the command id does. */
function setXvac(page: DataView, tuple: number, flags: number): void {
  if ((flags & freezeFlags.freezeXvac) !== 0) HeapTuple.commandId.set(page, tuple, frozenXid);
  if ((flags & freezeFlags.invalidXvac) !== 0) HeapTuple.commandId.set(page, tuple, invalidXid);
}

/** Fails unless `count` slots at `at` lie within the block data. */
function ensureList(record: BlockRecord, at: number, count: number): void {
  const end = record.data + record.dataSize;
  const inside = Number.isInteger(count) && count >= 0 && at + count * slotSize <= end;
  ensure(inside, 'redo_record_malformed', { count, dataSize: record.dataSize });
}

function setRedirects(page: DataView, view: DataView, at: number, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const from = view.getUint16(at + index * redirectSize, true);
    ensureSlot(page, from);
    setItemRedirect(page, from, view.getUint16(at + index * redirectSize + slotSize, true));
  }
}

function setDead(page: DataView, view: DataView, at: number, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const slot = view.getUint16(at + index * slotSize, true);
    ensureSlot(page, slot);
    setItemDead(page, slot);
  }
}

function setUnused(page: DataView, view: DataView, at: number, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const slot = view.getUint16(at + index * slotSize, true);
    ensureSlot(page, slot);
    setItemUnused(page, slot);
  }
}
