/**
 * Compaction: what to rewrite next so that a read passes few files. Pure: a plan from descriptions;
 * whoever carries it out reads, writes, and swaps the manifest.
 *
 * - Level 0 deltas span all keys: when there are many, they are merged into level 1, cut by key.
 *   Level 1 runs that are no larger than what is being merged go along, so runs stay few.
 * - Where many level 1 deltas lie over a key with no image above them, an image is made, at the LSN
 *   where level 1 ends.
 */
import { lsn as makeLsn, type Lsn } from '../base/lsn.ts';
import { compareBounds, type KeyBound, type KeyRange } from './key-range.ts';
import { type LayerDescription } from './layer-description.ts';

export interface CompactionSettings {
  /** Level 0 deltas are merged when there are this many. */
  readonly level0Count: number;
  /** At most so many level 0 deltas go into one merge. */
  readonly mergeCountMax: number;
  /** A level 1 delta ends at the first key after so many bytes. */
  readonly deltaSize: number;
  /** An image is made where this many level 1 deltas lie over the newest image. */
  readonly deltasPerKey: number;
  /** Key ranges are imaged together while the files they are made from are no larger, in bytes. */
  readonly imageSize: number;
}

/** Merge `inputs` (merge-cursor.ts) into deltas of `[begin, end)`, each up to `sizeMax` bytes. */
interface MergeTask {
  readonly kind: 'mergeDeltas';
  readonly inputs: readonly LayerDescription[];
  readonly begin: Lsn;
  readonly end: Lsn;
  readonly sizeMax: number;
}

/** Write images that speak for `range` at `lsn`. They add to what there is and replace nothing. */
interface ImageTask {
  readonly kind: 'makeImages';
  readonly range: KeyRange;
  readonly lsn: Lsn;
}

export type CompactionTask = MergeTask | ImageTask;

/** The most useful thing to do now; null when there is nothing. */
export function planCompaction(
  layers: readonly LayerDescription[],
  settings: CompactionSettings,
): CompactionTask | null {
  return planMerge(layers, settings) ?? planImages(layers, settings);
}

function planMerge(
  layers: readonly LayerDescription[],
  settings: CompactionSettings,
): MergeTask | null {
  const level0 = deltasOf(layers, 0);
  if (level0.length < settings.level0Count) return null;
  const inputs = level0.slice(0, settings.mergeCountMax);
  const end = inputs.at(-1)!.end;
  let size = totalSize(inputs);
  for (const run of level1Runs(layers, inputs[0]!.begin)) {
    if (totalSize(run) > size) break;
    inputs.unshift(...run);
    size += totalSize(run);
  }
  const begin = makeLsn(Math.min(...inputs.map((layer) => layer.begin)));
  return { kind: 'mergeDeltas', inputs, begin, end, sizeMax: settings.deltaSize };
}

/** Deltas of a level, oldest first. */
function deltasOf(layers: readonly LayerDescription[], level: number): LayerDescription[] {
  const deltas = layers.filter((layer) => layer.kind === 'delta' && layer.level === level);
  return deltas.sort((a, b) => a.begin - b.begin);
}

/** Level 1 deltas that end by `before`, by LSN range, newest first. */
function level1Runs(layers: readonly LayerDescription[], before: Lsn): LayerDescription[][] {
  const runs = new Map<Lsn, LayerDescription[]>();
  for (const layer of deltasOf(layers, 1).toReversed()) {
    if (layer.end > before) continue;
    const run = runs.get(layer.end);
    if (run === undefined) runs.set(layer.end, [layer]);
    else run.push(layer);
  }
  return [...runs.values()];
}

function totalSize(layers: readonly LayerDescription[]): number {
  return layers.reduce((sum, layer) => sum + layer.size, 0);
}

/** The first stretch of keys, in key order, that lies under too many deltas. */
function planImages(
  layers: readonly LayerDescription[],
  settings: CompactionSettings,
): ImageTask | null {
  const level1 = deltasOf(layers, 1);
  if (level1.length < settings.deltasPerKey) return null;
  const lsn = makeLsn(Math.max(...level1.map((layer) => layer.end)) - 1);
  const images = layers.filter((layer) => layer.kind === 'image');
  const sources = new Set<LayerDescription>();
  let range: KeyRange | null = null;
  for (const stretch of stretchesOf([...level1, ...images])) {
    const wanted = depthOf(stretch.layers) >= settings.deltasPerKey;
    if (!wanted && range !== null) break;
    if (!wanted) continue;
    for (const layer of stretch.layers) sources.add(layer);
    if (range !== null && totalSize([...sources]) > settings.imageSize) break;
    range = { begin: range === null ? stretch.range.begin : range.begin, end: stretch.range.end };
  }
  return range === null ? null : { kind: 'makeImages', range, lsn };
}

/** How many deltas a read of these layers' common keys passes before it meets an image. */
function depthOf(layers: ReadonlySet<LayerDescription>): number {
  let imageLsn = -1;
  for (const layer of layers)
    if (layer.kind === 'image') imageLsn = Math.max(imageLsn, layer.begin);
  let depth = 0;
  for (const layer of layers) if (layer.kind === 'delta' && layer.end - 1 > imageLsn) depth += 1;
  return depth;
}

/** Keys that the same layers lie over. */
interface Stretch {
  readonly range: KeyRange;
  /** Valid until the next stretch. */
  readonly layers: ReadonlySet<LayerDescription>;
}

/** Cuts the key space at every bound of a layer; stretches under no layer are left out. */
function* stretchesOf(layers: readonly LayerDescription[]): Generator<Stretch> {
  const edges = layers.flatMap((layer) => [
    { at: layer.keys.begin, layer, begins: true },
    { at: layer.keys.end, layer, begins: false },
  ]);
  edges.sort((a, b) => compareBounds(a.at, b.at));
  const active = new Set<LayerDescription>();
  let from: KeyBound | null = null;
  for (const { at, layer, begins } of edges) {
    if (from !== null && active.size > 0 && compareBounds(from, at) < 0)
      yield { range: { begin: from, end: at }, layers: active };
    if (begins) active.add(layer);
    else active.delete(layer);
    from = at;
  }
}
