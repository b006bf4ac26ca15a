/**
 * maskPage: makes a page comparable with the same page from elsewhere. Which mask fits follows from
 * the fork and, in the main fork, from the resource manager whose records change the page.
 */
import { Failure } from '../../base/failure.ts';
import { resourceManagers } from '../resource-managers.ts';
import { maskSpgistCache } from './masks-gist.ts';
import { maskFreeSpaceMap, maskVisibilityMap } from './masks-heap.ts';
import { type Mask, maskLsnAndChecksum } from './masks.ts';
import { redoTables } from './redo-tables.ts';
import { maskSequenceCounters } from './sequence.ts';

/** Forks with a mask of their own, whoever wrote the record. */
const forkMasks: Readonly<Partial<Record<number, Mask>>> = {
  1: maskFreeSpaceMap,
  2: maskVisibilityMap,
};

/** Where a page stands and who changes it. */
export interface MaskedPage {
  readonly rmgr: number;
  readonly fork: number;
  readonly block: number;
}

/**
 * Masks the page in place. A manager without a mask leaves all but LSN and checksum as it is. Fails
 * (`corrupt`) for a page whose header or items cannot be right; some of it may then be masked.
 */
export function maskPage(page: DataView, { rmgr, fork, block }: MaskedPage): void {
  const mask = forkMasks[fork] ?? redoTables[rmgr]?.mask ?? maskLsnAndChecksum;
  applyMask(mask, page, block);
}

const noBlock = -1;

/** By manager: masks of what a server that writes keeps on its pages beyond what it logs. */
const unloggedMasks: Readonly<Partial<Record<number, (page: DataView) => void>>> = {
  [resourceManagers.sequence]: maskSequenceCounters,
  [resourceManagers.spgist]: maskSpgistCache,
};

/**
 * Masks the rest of what may differ between the page of a server that writes and a rebuilt one. Fails
 * as `maskPage`.
 */
export function maskUnlogged(page: DataView, rmgr: number): void {
  const mask = unloggedMasks[rmgr];
  if (mask !== undefined) applyMask(mask, page, noBlock);
}

/** What leads out of the page shows as a RangeError. */
function applyMask(mask: Mask, page: DataView, block: number): void {
  try {
    mask(page, block);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failure('page_item_invalid', { block }, error);
  }
}
