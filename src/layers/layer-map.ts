/**
 * LayerMap: where a timeline's versions are: the open layer, frozen ones being written, files, and
 * the timeline it branched from. Knows of files that are not at hand, too.
 *
 * Files are kept as **runs**: files of one kind and LSN range with disjoint keys, sorted. For a key,
 * a run has at most one file, found by binary search; the number of runs is what compaction bounds.
 * An image speaks for every key of its range at its LSN: one it does not hold has no value there.
 *
 * Changes are made in place, between reads: a read never yields while it holds the map.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { type FamilyTable, type Key } from '../base/key.ts';
import { minLsn, type Lsn } from '../base/lsn.ts';
import { type DeltaLayer } from './delta-layer.ts';
import { type ImageLayer } from './image-layer.ts';
import { compareBounds, compareKeyToBound } from './key-range.ts';
import { type LayerDescription } from './layer-description.ts';
import { type OpenLayer } from './open-layer.ts';

/** A layer file in the map. `reader` is null while the file is not at hand. */
export interface DeltaEntry {
  readonly kind: 'delta';
  readonly description: LayerDescription;
  reader: DeltaLayer | null;
}
export interface ImageEntry {
  readonly kind: 'image';
  readonly description: LayerDescription;
  reader: ImageLayer | null;
}
export type LayerEntry = DeltaEntry | ImageEntry;

/** Files of one kind and LSN range, sorted by key and disjoint. */
export interface LayerRun<Entry extends LayerEntry> {
  readonly begin: Lsn;
  readonly end: Lsn;
  readonly entries: readonly Entry[];
}

/** The timeline this one branched from, as its reads see it: nothing after `lsn`. */
export interface Ancestor {
  readonly map: LayerMap;
  readonly lsn: Lsn;
}

export interface LayerMapOptions {
  readonly families: FamilyTable;
  readonly ancestor: Ancestor | null;
  readonly open: OpenLayer;
  readonly entries: readonly LayerEntry[];
}

/** Layers to look into for one key, newest first. */
export interface ReadPlan {
  readonly layers: readonly (OpenLayer | LayerEntry)[];
  /** Where to go on when none of them has a version that needs no older: null ends the search. */
  readonly ancestor: Ancestor | null;
}

export class LayerMap {
  readonly families: FamilyTable;
  readonly ancestor: Ancestor | null;
  #open: OpenLayer;
  /** Newest first. */
  #frozen: readonly OpenLayer[] = [];
  #entries: readonly LayerEntry[] = [];
  /** Newest first. */
  #deltaRuns: readonly LayerRun<DeltaEntry>[] = [];
  #imageRuns: readonly LayerRun<ImageEntry>[] = [];

  /**
   * Fails with `layer_ranges_overlap` when two files claim the same keys and LSNs, and with
   * `layer_before_branch` when one claims LSNs that are the ancestor's.
   */
  constructor({ families, ancestor, open, entries }: LayerMapOptions) {
    this.families = families;
    this.ancestor = ancestor;
    this.#open = open;
    this.#adopt(entries);
  }

  get open(): OpenLayer {
    return this.#open;
  }

  get frozen(): readonly OpenLayer[] {
    return this.#frozen;
  }

  get entries(): readonly LayerEntry[] {
    return this.#entries;
  }

  get deltaRuns(): readonly LayerRun<DeltaEntry>[] {
    return this.#deltaRuns;
  }

  get imageRuns(): readonly LayerRun<ImageEntry>[] {
    return this.#imageRuns;
  }

  /** Ends the open layer at `lastLsn` and goes on with `next`, which begins just after. */
  freeze(lastLsn: Lsn, next: OpenLayer): void {
    this.#open.freeze(lastLsn);
    assert(next.begin === this.#open.end, 'the next layer begins where the last one ends');
    this.#frozen = [this.#open, ...this.#frozen];
    this.#open = next;
  }

  /** The oldest frozen layer has become a file (or, when it was empty, nothing) and is released. */
  frozenWritten(layer: OpenLayer, entry: DeltaEntry | null): void {
    assert(this.#frozen.at(-1) === layer, 'frozen layers are written oldest first');
    assert(entry !== null || layer.versionCount === 0, 'versions are written');
    if (entry !== null) this.#adopt([...this.#entries, entry]);
    this.#frozen = this.#frozen.slice(0, -1);
    layer.release();
  }

  /** Puts `added` in the place of `removed`, in one step. */
  replace(removed: readonly LayerEntry[], added: readonly LayerEntry[]): void {
    const gone = new Set(removed);
    const kept = this.#entries.filter((entry) => !gone.has(entry));
    assert(kept.length + gone.size === this.#entries.length, 'what is removed was in the map');
    this.#adopt([...kept, ...added]);
  }

  /** The layers that may hold versions of `key` at or below `lsn`, newest first. For explanations. */
  plan(key: Key, lsn: Lsn): ReadPlan {
    const image = this.imageFor(key, lsn);
    const above = image === null ? -1 : image.description.begin;
    const memory = [this.#open, ...this.#frozen].filter((layer) => layer.begin <= lsn);
    const deltas = this.#deltaRuns
      .filter((run) => run.begin <= lsn && run.end - 1 > above)
      .map((run) => this.entryFor(run, key))
      .filter((entry) => entry !== null);
    if (image !== null) return { layers: [...memory, ...deltas, image], ancestor: null };
    return { layers: [...memory, ...deltas], ancestor: this.ancestorFor(lsn) };
  }

  /** The newest image at or below `lsn` that speaks for `key`. */
  imageFor(key: Key, lsn: Lsn): ImageEntry | null {
    for (const run of this.#imageRuns) {
      if (run.begin > lsn) continue;
      const entry = this.entryFor(run, key);
      if (entry !== null) return entry;
    }
    return null;
  }

  /** The ancestor as a read at `lsn` sees it. */
  ancestorFor(lsn: Lsn): Ancestor | null {
    const { ancestor } = this;
    return ancestor === null ? null : { map: ancestor.map, lsn: minLsn(lsn, ancestor.lsn) };
  }

  /** The run's file whose key range has `key`, or null. */
  entryFor<Entry extends LayerEntry>(run: LayerRun<Entry>, key: Key): Entry | null {
    const { entries } = run;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { begin } = entries[middle]!.description.keys;
      if (compareKeyToBound(this.families, key, begin) >= 0) low = middle + 1;
      else high = middle;
    }
    const entry = entries[low - 1];
    if (entry === undefined) return null;
    return compareKeyToBound(this.families, key, entry.description.keys.end) < 0 ? entry : null;
  }

  #adopt(entries: readonly LayerEntry[]): void {
    const branchLsn = this.ancestor === null ? -1 : this.ancestor.lsn;
    for (const { description } of entries) {
      const { name, begin } = description;
      ensure(begin >= branchLsn, 'layer_before_branch', { name, begin, branchLsn });
    }
    const deltaRuns = buildRuns(entries.filter((entry) => entry.kind === 'delta'));
    const imageRuns = buildRuns(entries.filter((entry) => entry.kind === 'image'));
    checkDisjoint(deltaRuns);
    this.#deltaRuns = deltaRuns;
    this.#imageRuns = imageRuns;
    this.#entries = entries;
  }
}

/** Groups files of one kind by LSN range, newest first. */
function buildRuns<Entry extends LayerEntry>(entries: readonly Entry[]): LayerRun<Entry>[] {
  const runs = new Map<string, Entry[]>();
  for (const entry of entries) {
    const { begin, end } = entry.description;
    const name = `${begin}-${end}`;
    const run = runs.get(name);
    if (run === undefined) runs.set(name, [entry]);
    else run.push(entry);
  }
  return [...runs.values()].map(buildRun).sort((a, b) => b.end - a.end || b.begin - a.begin);
}

function buildRun<Entry extends LayerEntry>(entries: Entry[]): LayerRun<Entry> {
  entries.sort((a, b) => compareBounds(a.description.keys.begin, b.description.keys.begin));
  for (let at = 1; at < entries.length; at += 1) {
    const [before, after] = [entries[at - 1]!.description, entries[at]!.description];
    const apart = compareBounds(before.keys.end, after.keys.begin) <= 0;
    ensure(apart, 'layer_ranges_overlap', { one: before.name, other: after.name });
  }
  const { begin, end } = entries[0]!.description;
  return { begin, end, entries };
}

/** No key may have versions of one LSN in two delta files, or their order would be lost. */
function checkDisjoint(runs: readonly LayerRun<DeltaEntry>[]): void {
  for (let newer = 0; newer < runs.length; newer += 1)
    for (let older = newer + 1; older < runs.length; older += 1)
      if (runs[newer]!.begin < runs[older]!.end) checkKeysDisjoint(runs[newer]!, runs[older]!);
}

function checkKeysDisjoint(a: LayerRun<DeltaEntry>, b: LayerRun<DeltaEntry>): void {
  for (const one of a.entries)
    for (const other of b.entries) {
      const [x, y] = [one.description, other.description];
      const apart =
        compareBounds(x.keys.end, y.keys.begin) <= 0 ||
        compareBounds(y.keys.end, x.keys.begin) <= 0;
      ensure(apart, 'layer_ranges_overlap', { one: x.name, other: y.name });
    }
}
