/**
 * Heap records that free room see to it that the relation has a free-space map, as long as it needs
 * to be to tell of that block. What it then says follows from the heap when it is read
 * (docs/decisions/0017-free-space-map-at-read.md).
 *
 * A standby makes the map, too, when a page has become nearly full. For the little room on it every
 * table that was only filled would have to be looked at page by page once it is inserted into.
 */
import { keyKinds } from '../../base/key.ts';
import { type Major } from '../major.ts';
import { freeSpaceMapBlock } from '../redo/free-space-map.ts';
import { relationForks } from '../relation-path.ts';
import { type WalRecord } from '../wal-record.ts';
import { type IngestState } from './state.ts';

/** Op codes of `heap2` that take tuples off a page: prune and vacuum, which 17 gave three reasons. */
const freeing: Readonly<Record<Major, readonly number[]>> = {
  15: [0x10, 0x20],
  16: [0x10, 0x20],
  17: [0x10, 0x20, 0x30],
  18: [0x10, 0x20, 0x30],
};
/** A heap of so many blocks gets none: an insert finds its way without. */
const heapMax_blocks = 4;

/** `op` is a `heap2` record's. */
export function coverFreed(state: IngestState, record: WalRecord, op: number): void {
  const isAboutBlock = record.blockCount > 0 && record.blocks[0]!.present;
  if (!isAboutBlock || !freeing[state.major].includes(op)) return;
  const { tablespace, database, relation, block } = record.blocks[0]!;
  const { families } = state.tip;
  const { main, freeSpaceMap } = relationForks;
  const map = families.id(keyKinds.relationBlock, tablespace, database, relation, freeSpaceMap);
  const mapBlock = freeSpaceMapBlock(block);
  if (mapBlock < state.blocks.size(map)) return;
  const heap = families.id(keyKinds.relationBlock, tablespace, database, relation, main);
  if (state.blocks.size(heap) > heapMax_blocks) state.blocks.zero(map, record.end, mapBlock);
}
