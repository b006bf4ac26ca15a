/**
 * ChangedBlocks: which blocks of a stretch have versions in a range of LSNs, over all layers of a
 * timeline and its ancestors. For who keeps something that follows from many pages.
 *
 * Told from indexes, as far as they tell: a delta file that begins before the range names a block
 * whose versions there may all be older. Only the block's last segment says so: `hasChanged`. Images do
 * not count: of a page that has not changed they have a copy, and what has is in deltas.
 */
import { assert } from '../base/assert.ts';
import { keyBlock, keyFamily, makeKey, type Key } from '../base/key.ts';
import { type DeltaLayer } from './delta-layer.ts';
import { boundAfter, keyBound, rangesOverlap, type KeyRange } from './key-range.ts';
import { type LayerMap } from './layer-map.ts';
import { type OpenLayer } from './open-layer.ts';
import { type LsnLimits } from './version-list.ts';

/** What is known of a block: versions within the limits there are none, perhaps some, or some. */
export const changes = { none: 0, perhaps: 1, certain: 2 } as const;

/** Consecutive blocks, as many as there are marks, and the versions that count. */
export interface ChangeSearch {
  readonly map: LayerMap;
  readonly first: Key;
  readonly limits: LsnLimits;
}

/** Raises `marks[i]` to what the indexes know of the i-th block: one of `changes`. */
export function markChanged({ map, first, limits }: ChangeSearch, marks: Uint8Array): void {
  if (marks.length === 0) return;
  const last = makeKey(keyFamily(first), keyBlock(first) + marks.length - 1);
  const keys = { begin: keyBound(map.families, first), end: boundAfter(map.families, last) };
  for (const source of sourcesOf(map, limits)) {
    for (const layer of memoryOf(source)) markInMemory(layer, first, source.limits, marks);
    markInFiles(source, { first, keys }, marks);
  }
}

/** What became of a block that was marked `perhaps`. Reads segments where indexes do not tell. */
export function hasChanged({ map, first: key, limits }: ChangeSearch): boolean {
  const keys = { begin: keyBound(map.families, key), end: boundAfter(map.families, key) };
  for (const source of sourcesOf(map, limits)) {
    if (memoryOf(source).some((layer) => layer.hasVersion(key, source.limits))) return true;
    for (const file of filesOf(source, keys)) if (file.hasVersion(key, source.limits)) return true;
  }
  return false;
}

/** One timeline's own layers, and what of them a read sees. */
interface Source {
  readonly map: LayerMap;
  readonly limits: LsnLimits;
}

/** The timeline and its ancestors, as far back as the limits go. */
function sourcesOf(map: LayerMap, { above, atOrBelow }: LsnLimits): Source[] {
  const sources: Source[] = [];
  let source = map;
  let at = atOrBelow;
  while (at > above) {
    sources.push({ map: source, limits: { above, atOrBelow: at } });
    const { ancestor }: LayerMap = source;
    if (ancestor === null) break;
    at = Math.min(at, ancestor.lsn);
    source = ancestor.map;
  }
  return sources;
}

/** Layers in memory that reach into the limits. */
function memoryOf({ map, limits }: Source): OpenLayer[] {
  return [map.open, ...map.frozen].filter(
    ({ begin, lastLsn }) => begin <= limits.atOrBelow && lastLsn > limits.above,
  );
}

function markInMemory(layer: OpenLayer, first: Key, limits: LsnLimits, marks: Uint8Array): void {
  for (let index = 0; index < marks.length; index += 1) {
    if (marks[index] === changes.certain) continue;
    if (layer.hasVersion((first + index) as Key, limits)) marks[index] = changes.certain;
  }
}

interface Stretch {
  readonly first: Key;
  readonly keys: KeyRange;
}

function markInFiles(source: Source, { first, keys }: Stretch, marks: Uint8Array): void {
  const family = keyFamily(first);
  const begin = keyBlock(first);
  const blocks = { begin, end: begin + marks.length };
  for (const file of filesOf(source, keys)) {
    file.visitChanged(family, blocks, source.limits, (block, certain) => {
      const found = certain ? changes.certain : changes.perhaps;
      marks[block - begin] = Math.max(marks[block - begin]!, found);
    });
  }
}

/** Delta files whose LSNs and keys reach into what is asked for. */
function* filesOf({ map, limits }: Source, keys: KeyRange): Generator<DeltaLayer> {
  for (const { begin, end, entries } of map.deltaRuns) {
    if (begin > limits.atOrBelow || end - 1 <= limits.above) continue;
    for (const { reader, description } of entries) {
      if (!rangesOverlap(description.keys, keys)) continue;
      assert(reader !== null, 'every layer file of a timeline is at hand');
      yield reader;
    }
  }
}
