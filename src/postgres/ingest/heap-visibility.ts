/**
 * Heap records that clear bits of the visibility map. The map's page is not among the record's
 * blocks: only a flag says so (`heap_xlog_insert` and its neighbours in src/backend/access/heap).
 */
import { keyKinds } from '../../base/key.ts';
import { u16, u32, u8 } from '../../base/struct.ts';
import {
  noHeapBlock,
  visibility,
  visibilityClearSize,
  visibilityMapBlock,
  writeVisibilityClear,
} from '../redo/visibility-map.ts';
import { relationForks } from '../relation-path.ts';
import { type WalRecord } from '../wal-record.ts';
import { coverFreed } from './free-space.ts';
import { malformedRecord } from './record-failure.ts';
import { type IngestState } from './state.ts';

/** `XLOG_HEAP_OPMASK`: the fourth bit says that the page is initialised. */
const opMask = 0x70;

/** Where a record keeps its flags, and what each clears of which block's bits. */
interface Clearing {
  /** Offset of the flags byte in the main data. */
  readonly flags: number;
  /** Each: the flag, the block reference whose heap block it is about, and the bits cleared. */
  readonly rules: readonly {
    readonly flag: number;
    readonly block: number;
    readonly bits: number;
  }[];
}

const allOfBlock0 = [{ flag: 0x01, block: 0, bits: visibility.all }];
const frozenOfBlock0 = [{ flag: 0x01, block: 0, bits: visibility.allFrozen }];
/** Block 0 is the new tuple's page, block 1 the old one's: absent when they are the same. */
const update: Clearing = {
  flags: u32.size + u16.size + u8.size, // old_xmax, old_offnum, old_infobits_set
  rules: [
    { flag: 0x01, block: 1, bits: visibility.all },
    { flag: 0x02, block: 0, bits: visibility.all },
  ],
};
const xidSlotInfobits = u32.size + u16.size + u8.size; // the fields before flags in three records

const heapClearings: Readonly<Partial<Record<number, Clearing>>> = {
  0x00: { flags: u16.size, rules: allOfBlock0 }, //          INSERT: offnum
  0x10: { flags: xidSlotInfobits, rules: allOfBlock0 }, //   DELETE
  0x20: update, //                                           UPDATE
  0x40: update, //                                           HOT_UPDATE
  0x60: { flags: xidSlotInfobits, rules: frozenOfBlock0 }, // LOCK
};
const heap2Clearings: Readonly<Partial<Record<number, Clearing>>> = {
  0x50: { flags: 0, rules: allOfBlock0 }, //                 MULTI_INSERT
  0x60: { flags: xidSlotInfobits, rules: frozenOfBlock0 }, // LOCK_UPDATED
};

export function ingestHeap(state: IngestState, record: WalRecord): void {
  const clearing = heapClearings[record.info & opMask];
  if (clearing !== undefined) clear(state, record, clearing);
}

export function ingestHeap2(state: IngestState, record: WalRecord): void {
  const op = record.info & opMask;
  const clearing = heap2Clearings[op];
  if (clearing !== undefined) clear(state, record, clearing);
  else coverFreed(state, record, op);
}

function clear(state: IngestState, record: WalRecord, { flags, rules }: Clearing): void {
  if (flags >= record.mainSize) throw malformedRecord(record);
  const set = record.view.getUint8(record.mainOffset + flags);
  for (const { flag, block, bits } of rules) {
    if ((set & flag) === 0) continue;
    const hasBlock = record.blocks[block]!.present && block < record.blockCount;
    clearBits(state, record, hasBlock ? block : 0, bits);
  }
}

/** `visibilitymap_clear`, if the map has the page: bits of a page it lacks are not set. */
function clearBits(state: IngestState, record: WalRecord, block: number, bits: number): void {
  const { tablespace, database, relation, block: heapBlock } = record.blocks[block]!;
  const map = state.tip.families.id(
    keyKinds.relationBlock,
    tablespace,
    database,
    relation,
    relationForks.visibilityMap,
  );
  const mapBlock = visibilityMapBlock(heapBlock);
  if (mapBlock >= state.blocks.size(map)) return;
  const delta = state.scratch.take(visibilityClearSize);
  writeVisibilityClear(state.scratch.view, 0, bits, heapBlock, noHeapBlock);
  state.blocks.put(map, mapBlock, record.end, false, delta);
}
