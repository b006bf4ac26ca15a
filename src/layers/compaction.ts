/**
 * Compaction: which deltas to merge next so that a read passes few files. Pure: a plan from
 * descriptions; whoever carries it out reads, writes, and swaps the manifest. Images are made
 * elsewhere, as layers are frozen (image-plan.ts).
 *
 * Level 0 deltas span all keys: when there are many, they are merged into level 1, cut by key. Level 1
 * runs that are no larger than what is being merged go along, so runs stay few.
 */
import { lsn as makeLsn, type Lsn } from '../base/lsn.ts';
import { type LayerDescription } from './layer-description.ts';

export interface CompactionSettings {
  /** Level 0 deltas are merged when there are this many. */
  readonly level0Count: number;
  /** At most so many level 0 deltas go into one merge. */
  readonly mergeCountMax: number;
  /** A level 1 delta ends at the first key after so many bytes. */
  readonly deltaSize: number;
}

/** Merge `inputs` (merge-cursor.ts) into deltas of `[begin, end)`, each up to `sizeMax` bytes. */
export interface MergeTask {
  readonly inputs: readonly LayerDescription[];
  readonly begin: Lsn;
  readonly end: Lsn;
  readonly sizeMax: number;
}

/** The most useful thing to do now; null when there is nothing. */
export function planCompaction(
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
  return { inputs, begin, end, sizeMax: settings.deltaSize };
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
