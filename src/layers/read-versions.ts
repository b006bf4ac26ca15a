/**
 * ReadVersions: collects the versions a read of one key needs, newest to oldest, through memory,
 * files and ancestors, and stops at the first that needs no older one.
 */
import { type Key } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { type ImageEntry, type LayerEntry, type LayerMap } from './layer-map.ts';
import { type LsnLimits, type VersionList } from './version-list.ts';

/**
 * - `held`: the list has what lies over the image that the caller holds; perhaps nothing.
 * - `complete`: the last version in the list needs no older one.
 * - `incomplete`: there are versions, and nothing under them: they apply to what never was written.
 * - `missing`: there is no version at or below the LSN at all.
 * - `absent`: the search came to a file that is not at hand: `missingFile`.
 */
export type ReadOutcome = 'held' | 'complete' | 'incomplete' | 'missing' | 'absent';

/** A read of `map` as of `lsn` by somebody who has the pages of an image. */
export interface HeldImage {
  readonly map: LayerMap;
  readonly lsn: Lsn;
  readonly held: ImageEntry | null;
}

/** The image at which a read of `key` ends if nothing over it needs no older version. */
export function baseImage(map: LayerMap, key: Key, lsn: Lsn): ImageEntry | null {
  let source: LayerMap | null = map;
  let at = lsn;
  while (source !== null) {
    const image = source.imageFor(key, at);
    if (image !== null) return image;
    const { ancestor }: LayerMap = source;
    if (ancestor !== null && ancestor.lsn < at) at = ancestor.lsn;
    source = ancestor === null ? null : ancestor.map;
  }
  return null;
}

/** A reader is kept and reused: a read allocates nothing but what the files hand over. */
export class VersionReader {
  /** The file that the last read lacked; null unless it was `absent`. */
  missingFile: LayerEntry | null = null;
  readonly #limits: { above: number; atOrBelow: number } = { above: -1, atOrBelow: 0 };

  /** Fills `out` with the key's versions at or below `lsn`. Fails when a file is corrupt. */
  collect(map: LayerMap, key: Key, lsn: Lsn, out: VersionList): ReadOutcome {
    return this.collectOver({ map, lsn, held: null }, key, out);
  }

  /** The same, but the search ends at an image whose value for the key is at hand already. */
  collectOver({ map, lsn, held }: HeldImage, key: Key, out: VersionList): ReadOutcome {
    out.clear();
    this.missingFile = null;
    let source: LayerMap | null = map;
    let at = lsn;
    while (source !== null) {
      const image = source.imageFor(key, at);
      this.#limits.above = image === null ? -1 : image.description.begin;
      this.#limits.atOrBelow = at;
      if (this.#collectMemory(source, key, out)) return 'complete';
      const outcome = this.#collectDeltas(source, key, out);
      if (outcome !== 'missing') return outcome;
      if (image !== null) return image === held ? 'held' : this.#collectImage(image, key, out);
      const { ancestor }: LayerMap = source;
      if (ancestor !== null && ancestor.lsn < at) at = ancestor.lsn;
      source = ancestor === null ? null : ancestor.map;
    }
    return out.count === 0 ? 'missing' : 'incomplete';
  }

  #collectMemory(source: LayerMap, key: Key, out: VersionList): boolean {
    const limits: LsnLimits = this.#limits;
    if (source.open.collect(key, limits, out)) return true;
    for (const layer of source.frozen) if (layer.collect(key, limits, out)) return true;
    return false;
  }

  /** `missing` when older layers are needed, too. */
  #collectDeltas(source: LayerMap, key: Key, out: VersionList): 'complete' | 'missing' | 'absent' {
    const limits: LsnLimits = this.#limits;
    for (const run of source.deltaRuns) {
      if (run.begin > limits.atOrBelow || run.end - 1 <= limits.above) continue;
      const entry = source.entryFor(run, key);
      if (entry === null) continue;
      if (entry.reader === null) {
        this.missingFile = entry;
        return 'absent';
      }
      if (entry.reader.collect(key, limits, out)) return 'complete';
    }
    return 'missing';
  }

  #collectImage(image: ImageEntry, key: Key, out: VersionList): ReadOutcome {
    if (image.reader === null) {
      this.missingFile = image;
      return 'absent';
    }
    if (image.reader.collect(key, out)) return 'complete';
    return out.count === 0 ? 'missing' : 'incomplete';
  }
}
