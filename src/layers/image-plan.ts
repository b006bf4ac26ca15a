/**
 * ImagePlan: which stretches of blocks a new delta layer rewrote so heavily that they are worth an
 * image at the layer's last LSN. Pure: a plan from the layer's index; no value is looked at.
 *
 * An image speaks for every key of its range, so a stretch has no gap: the layer has versions of each
 * of its blocks. It costs a page per block; since every block has at least `valuesMin_bytes` of
 * versions in the layer, images take at most `page / valuesMin_bytes` times what the layer takes.
 */
import { assert } from '../base/assert.ts';
import { makeKey, type FamilyTable, type Key, type KeyFamily } from '../base/key.ts';
import { type DeltaLayer } from './delta-layer.ts';

export interface ImageRule {
  /** Which families' blocks are pages that may be imaged. */
  readonly takes: (family: KeyFamily) => boolean;
  /** Shorter stretches are left alone: a file, and a place in the layer map, for little. */
  readonly pagesMin: number;
  /** What a block must have in the layer, in bytes of its file. */
  readonly valuesMin_bytes: number;
}

/** Consecutive blocks of one family. */
export interface PageStretch {
  readonly first: Key;
  readonly pages: number;
}

/** Stretches of blocks, as long as they get, in file order. */
export function planImages(
  delta: DeltaLayer,
  families: FamilyTable,
  rule: ImageRule,
): PageStretch[] {
  assert(rule.pagesMin > 0, 'a stretch has at least one page');
  const planned: PageStretch[] = [];
  for (let local = 0; local < delta.families.count; local += 1) {
    const family = delta.families.id(local);
    if (!rule.takes(families.family(family))) continue;
    for (const { block, pages } of heavyStretches(delta, local, rule.valuesMin_bytes))
      if (pages >= rule.pagesMin) planned.push({ first: makeKey(family, block), pages });
  }
  return planned;
}

interface Stretch {
  readonly block: number;
  pages: number;
}

function heavyStretches(delta: DeltaLayer, local: number, min_bytes: number): Stretch[] {
  const found: Stretch[] = [];
  const end = delta.families.firstEntries[local + 1]!;
  let next = -1;
  for (let first = delta.families.firstEntries[local]!; first < end;) {
    const block = delta.segmentBlock(first);
    let after = first + 1;
    while (after < end && delta.segmentBlock(after) === block) after += 1;
    const size = delta.segmentOffset(after) - delta.segmentOffset(first);
    first = after;
    if (size < min_bytes) continue;
    if (block === next) found.at(-1)!.pages += 1;
    else found.push({ block, pages: 1 });
    next = block + 1;
  }
  return found;
}
