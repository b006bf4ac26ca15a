/**
 * Scan: which keys of a range there are, over all layers of a timeline and its ancestors. For
 * keys whose values need no older (sizes, databases, maps…): "all relations of this database".
 *
 * Keys are gathered from indexes, without values, then looked up one by one.
 */
import { type Key } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { KeyFilter, rangeCovers, rangesOverlap, type KeyRange } from './key-range.ts';
import { type LayerEntry, type LayerMap } from './layer-map.ts';
import { type VersionReader } from './read-versions.ts';
import { VersionList } from './version-list.ts';

/** What a scan is of: a timeline's keys of a range, at an LSN. */
export interface ScanTarget {
  readonly map: LayerMap;
  readonly range: KeyRange;
  readonly lsn: Lsn;
}

/** Keys found, in file order; or the file that has to be at hand first. */
export type KeysFound =
  | { readonly kind: 'found'; readonly keys: readonly Key[] }
  | { readonly kind: 'absent'; readonly file: LayerEntry };

/** Whether all was visited; or the file that has to be at hand first. */
export type ScanOutcome =
  { readonly kind: 'complete' } | { readonly kind: 'absent'; readonly file: LayerEntry };

/**
 * Visits every key of the range whose newest version at or below the LSN is not empty, in file order.
 * The list has that version, valid until the visit returns. Visits nothing when a file is absent
 * among the indexes; some keys may have been visited when one is absent among the values.
 */
export function scan(
  reader: VersionReader,
  target: ScanTarget,
  visit: (key: Key, newest: VersionList) => void,
): ScanOutcome {
  const found = findKeys(target);
  if (found.kind === 'absent') return found;
  const list = new VersionList();
  for (const key of found.keys) {
    const outcome = reader.collect(target.map, key, target.lsn, list);
    if (outcome === 'absent') return { kind: 'absent', file: reader.missingFile! };
    if (list.count > 0 && (list.size(0) > 0 || list.isPage(0))) visit(key, list);
  }
  return { kind: 'complete' };
}

/** Every key of the range with some version at or below the LSN: existing, or once existing. */
export function findKeys({ map, range, lsn }: ScanTarget): KeysFound {
  const filter = new KeyFilter(map.families, range);
  const keys = new Set<Key>();
  let source = map;
  let at = lsn;
  for (;;) {
    const floor = imageFloor(source, range, at);
    const file = gather(source, { filter, floor, lsn: at, keys });
    if (file !== null) return { kind: 'absent', file };
    const ancestor = source.ancestorFor(at);
    if (ancestor === null || floor >= 0) break;
    source = ancestor.map;
    at = ancestor.lsn;
  }
  return { kind: 'found', keys: [...keys].sort((a, b) => map.families.compare(a, b)) };
}

/** LSN of the newest image file that alone speaks for the whole range; -1 without one. */
function imageFloor(map: LayerMap, range: KeyRange, lsn: Lsn): number {
  for (const run of map.imageRuns)
    if (run.begin <= lsn && run.entries.some((entry) => rangeCovers(entry.description.keys, range)))
      return run.begin;
  return -1;
}

interface Gathering {
  readonly filter: KeyFilter;
  readonly floor: number;
  readonly lsn: Lsn;
  readonly keys: Set<Key>;
}

/** Adds the keys of one timeline's own layers; returns a file that is needed and not at hand. */
function gather(map: LayerMap, gathering: Gathering): LayerEntry | null {
  const { filter, floor, lsn, keys } = gathering;
  function add(key: Key): void {
    keys.add(key);
  }
  for (const layer of [map.open, ...map.frozen])
    if (layer.begin <= lsn) layer.visitKeys(filter, add);
  for (const run of [...map.deltaRuns, ...map.imageRuns]) {
    if (run.begin > lsn || run.end - 1 < floor) continue;
    for (const entry of run.entries) {
      if (!rangesOverlap(entry.description.keys, filter.range)) continue;
      if (entry.reader === null) return entry;
      entry.reader.visitKeys(filter, add);
    }
  }
  return null;
}
