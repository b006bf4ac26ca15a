/**
 * The Storage resource manager: relation forks come, shrink and go
 * (`smgr_redo`, src/backend/catalog/storage.c).
 */
import { keyKinds, type FamilyId } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import {
  freeSpaceMapBlock,
  freeSpaceSlot,
  freeSpaceTruncateSize,
  writeFreeSpaceTruncate,
} from '../redo/free-space-map.ts';
import {
  heapBlocksPerMapPage,
  visibilityMapBlock,
  visibilityTruncateSize,
  writeVisibilityTruncate,
} from '../redo/visibility-map.ts';
import { relationForks } from '../relation-path.ts';
import { RelationLocator, type WalRecord } from '../wal-record.ts';
import { ensureOwnTablespace } from './tablespace.ts';
import { malformedRecord, unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';

const ops: Readonly<Partial<Record<number, Effect>>> = { 0x10: create, 0x20: truncate };

/** `SMGR_TRUNCATE_…`. */
const truncateFlags = { main: 1, visibilityMap: 2, freeSpaceMap: 4 } as const;

export function ingestStorage(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

/** Drops all forks of the relation whose `RelFileLocator` is at `at` in the record. */
export function dropRelation(state: IngestState, record: WalRecord, at: number): void {
  for (const fork of Object.values(relationForks)) {
    state.blocks.drop(forkFamily(state, record, at, fork), record.end);
  }
}

/** `XLOG_SMGR_CREATE`. */
function create(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const locator = data.skip(RelationLocator.size);
  const fork = data.u32();
  if (fork > relationForks.init) throw malformedRecord(record);
  ensureOwnTablespace(RelationLocator.tablespace.get(record.view, locator), record);
  state.blocks.create(forkFamily(state, record, locator, fork), record.end);
}

/** `XLOG_SMGR_TRUNCATE`: the main fork, and the maps that go with it. */
function truncate(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const blocks = data.u32();
  const locator = data.skip(RelationLocator.size);
  const flags = data.u32();
  const main = forkFamily(state, record, locator, relationForks.main);
  state.blocks.create(main, record.end);
  if ((flags & truncateFlags.main) !== 0) state.blocks.truncate(main, record.end, blocks);
  if ((flags & truncateFlags.freeSpaceMap) !== 0) {
    const family = forkFamily(state, record, locator, relationForks.freeSpaceMap);
    truncateFreeSpaceMap(state, record.end, family, blocks);
  }
  if ((flags & truncateFlags.visibilityMap) !== 0) {
    const family = forkFamily(state, record, locator, relationForks.visibilityMap);
    truncateVisibilityMap(state, record.end, family, blocks);
  }
}

/**
 * `FreeSpaceMapPrepareTruncateRel`. The upper pages, which redo then updates from the bottom ones,
 * are left: a search that they mislead corrects them.
 */
function truncateFreeSpaceMap(
  state: IngestState,
  at: Lsn,
  family: FamilyId,
  heapBlocks: number,
): void {
  const block = freeSpaceMapBlock(heapBlocks);
  const slot = freeSpaceSlot(heapBlocks);
  if (state.blocks.size(family) <= block) return;
  if (slot > 0) {
    const delta = state.scratch.take(freeSpaceTruncateSize);
    writeFreeSpaceTruncate(state.scratch.view, 0, slot);
    state.blocks.put(family, block, at, false, delta);
  }
  state.blocks.truncate(family, at, slot > 0 ? block + 1 : block);
}

/** `visibilitymap_prepare_truncate`: bits of heap blocks that are gone must not come back. */
function truncateVisibilityMap(
  state: IngestState,
  at: Lsn,
  family: FamilyId,
  heapBlocks: number,
): void {
  const block = visibilityMapBlock(heapBlocks);
  if (state.blocks.size(family) <= block) return;
  const isPartial = heapBlocks % heapBlocksPerMapPage !== 0;
  if (isPartial) {
    const delta = state.scratch.take(visibilityTruncateSize);
    writeVisibilityTruncate(state.scratch.view, 0, heapBlocks);
    state.blocks.put(family, block, at, false, delta);
  }
  state.blocks.truncate(family, at, isPartial ? block + 1 : block);
}

/** The family of a fork's blocks, for the locator at `at` in the record. */
function forkFamily(state: IngestState, record: WalRecord, at: number, fork: number): FamilyId {
  const { view } = record;
  return state.tip.families.id(
    keyKinds.relationBlock,
    RelationLocator.tablespace.get(view, at),
    RelationLocator.database.get(view, at),
    RelationLocator.relation.get(view, at),
    fork,
  );
}
