/**
 * GiST records that finish a split: the left half's flag and NSN change after its image was made, so
 * an image of it needs that change as a value of its own (`gistRedoClearFollowRight`).
 */
import { keyKinds } from '../../base/key.ts';
import { gistSplitFinishedSize, writeGistSplitFinished } from '../redo/gist-page.ts';
import { type WalRecord } from '../wal-record.ts';
import { type IngestState } from './state.ts';

const opMask = 0xf0;
/** By op code: the block that is the left half of a split finished. */
const leftHalf: Readonly<Partial<Record<number, number>>> = {
  0x00: 1, // PAGE_UPDATE
  0x30: 0, // PAGE_SPLIT
};

export function ingestGist(state: IngestState, record: WalRecord): void {
  const id = leftHalf[record.info & opMask];
  if (id === undefined || id >= record.blockCount) return;
  const block = record.blocks[id]!;
  if (!block.present || !block.hasImage || !block.applyImage) return;
  const { tablespace, database, relation, fork } = block;
  const { relationBlock } = keyKinds;
  const family = state.tip.families.id(relationBlock, tablespace, database, relation, fork);
  const value = state.scratch.take(gistSplitFinishedSize);
  writeGistSplitFinished(state.scratch.view, 0);
  state.blocks.put(family, block.block, record.end, false, value);
}
