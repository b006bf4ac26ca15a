/**
 * TimelineStore: the versions of one timeline: its layer map, what ingest puts into it, and the
 * pages and values that are read from it.
 *
 * Reads are synchronous and never wait for WAL: whoever asks for an LSN sees to it that it is
 * ingested.
 */
import { assert } from '../../base/assert.ts';
import {
  keyBlock,
  keyFamily,
  keyKinds,
  makeKey,
  type FamilyTable,
  type Key,
  type KeyFamily,
  type KeyKind,
} from '../../base/key.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { type LayerMap } from '../../layers/layer-map.ts';
import { baseImage, VersionReader, type ReadOutcome } from '../../layers/read-versions.ts';
import { scan } from '../../layers/scan.ts';
import { databaseRange, type KeyRange } from '../../layers/key-range.ts';
import { VersionList } from '../../layers/version-list.ts';
import { sizeFrom } from '../../postgres/ingest/block-store.ts';
import { type Tip } from '../../postgres/ingest/tip.ts';
import { pageSize } from '../../postgres/page.ts';
import { PageRebuilder } from '../../postgres/redo/rebuild.ts';
import { type PageAddress, type PageCache } from '../../runtime/page-cache.ts';

const noFamily: KeyFamily = {
  kind: keyKinds.relationBlock,
  tablespace: 0,
  database: 0,
  relation: 0,
  fork: 0,
};

/** As of when a page is. */
export interface PageAge {
  /** LSN of the version it was stored whole with; 0: it never was. */
  readonly stored: number;
  /** LSN of its newest version; 0: it has none. */
  readonly newest: number;
}

/** Who asks for so many pages at once reads from front to back. */
const scanPagesMin = 32;
/** Fewer pages of an image are read one by one. */
const imagedPagesMin = 4;
const lsnMax = lsn(Number.MAX_SAFE_INTEGER - 1);

export interface StoreOptions {
  readonly id: string;
  readonly number: number;
  readonly major: number;
  readonly map: LayerMap;
  readonly cache: PageCache;
  readonly ingestedLsn: Lsn;
  /** Where it grows from. */
  readonly ancestor: { readonly timeline: string; readonly lsn: Lsn } | null;
}

export class TimelineStore implements Tip {
  readonly id: string;
  readonly number: number;
  readonly map: LayerMap;
  readonly ancestor: StoreOptions['ancestor'];
  /** End of the last record whose effects are all in. Reads may ask for anything up to here. */
  ingestedLsn: Lsn;
  readonly #cache: PageCache;
  readonly #reader = new VersionReader();
  readonly #versions = new VersionList();
  readonly #rebuilder: PageRebuilder;
  readonly #page = new Uint8Array(pageSize);
  /** Filled anew for every look into the cache. */
  readonly #address: { timeline: number; family: KeyFamily; block: number };

  constructor({ id, number, major, map, cache, ingestedLsn, ancestor }: StoreOptions) {
    this.id = id;
    this.ancestor = ancestor;
    this.number = number;
    this.map = map;
    this.ingestedLsn = ingestedLsn;
    this.#cache = cache;
    this.#address = { timeline: number, family: noFamily, block: 0 };
    this.#rebuilder = new PageRebuilder(major);
  }

  get families(): FamilyTable {
    return this.map.families;
  }

  put(key: Key, at: Lsn, init: boolean, bytes: Uint8Array): void {
    this.map.open.put(key, at, init, bytes);
    this.#cache.supersede(this.#addressOf(key), at);
  }

  get(key: Key): Uint8Array | null {
    return this.valueAt(key, lsnMax);
  }

  liveKeys(kind: KeyKind, tablespace: number, database: number): Iterable<Key> {
    const keys: Key[] = [];
    this.visitValues(databaseRange(kind, tablespace, database), lsnMax, (key) => keys.push(key));
    return keys;
  }

  page(key: Key): Uint8Array | null {
    const found = this.#collect(key, lsnMax) !== 'missing';
    if (found) this.#rebuilder.rebuild(this.#page, this.#versions);
    return found ? this.#page : null;
  }

  /** A self-contained value as of `at`, or null. Valid until the next read or put. */
  valueAt(key: Key, at: Lsn): Uint8Array | null {
    return this.#collect(key, at) === 'missing' ? null : this.#versions.bytes(0);
  }

  /** Every self-contained value of a range that is not empty, in key order. Valid until it returns. */
  visitValues(range: KeyRange, at: Lsn, visit: (key: Key, value: Uint8Array) => void): void {
    const target = { map: this.map, range, lsn: at };
    const outcome = scan(this.#reader, target, (key, newest) => {
      visit(key, newest.bytes(0));
    });
    assert(outcome.kind === 'complete', 'every layer file of a timeline is at hand');
  }

  /**
   * Makes `target` the pages of consecutive blocks as of the end of what is ingested. Few pages are
   * kept for other readers; many are a scan's, which the kernel keeps.
   */
  readCurrentPages(first: Key, target: Uint8Array): void {
    this.readPages(first, this.ingestedLsn, target);
    const count = target.length / pageSize;
    if (count >= scanPagesMin) return;
    for (let index = 0; index < count; index += 1) {
      const address = this.#addressOf((first + index) as Key);
      this.#cache.insert(address, this.ingestedLsn, pageIn(target, index));
    }
  }

  /** Makes `target` the pages of consecutive blocks as of `at`. */
  readPages(first: Key, at: Lsn, target: Uint8Array): void {
    const count = target.length / pageSize;
    for (let index = 0; index < count;) {
      const key = (first + index) as Key;
      const rest = target.subarray(index * pageSize);
      const imaged = this.#readImaged(key, at, rest);
      if (imaged === 0) this.readPage(key, at, rest.subarray(0, pageSize));
      index += Math.max(1, imaged);
    }
  }

  /** Makes `target` (8192 bytes) the page of `key` as of `at`; zeros when it was never written. */
  readPage(key: Key, at: Lsn, target: Uint8Array): void {
    if (this.#collect(key, at) === 'missing') target.fill(0);
    else this.#rebuilder.rebuild(target, this.#versions);
  }

  /** As `readPage`, and says of when the page is. */
  readAgedPage(key: Key, at: Lsn, target: Uint8Array): PageAge {
    const versions = this.#versions;
    const outcome = this.#collect(key, at);
    this.#rebuilder.rebuild(target, versions);
    const newest = versions.count === 0 ? 0 : versions.lsn(0);
    const stored = outcome === 'complete' ? versions.lsn(versions.count - 1) : 0;
    return { stored, newest };
  }

  /** Blocks of a relation fork as of `at`; 0 when there is none. */
  blocksAt(fork: KeyFamily, at: Lsn): number {
    const size = this.families.idOf({ ...fork, kind: keyKinds.relationSize });
    const value = this.valueAt(makeKey(size, 0), at);
    return value === null || value.length === 0 ? 0 : sizeFrom(value);
  }

  /**
   * Reads as many pages as lie in one image, one after the other, and lays over each what is newer.
   * Returns how many; 0 when it is not worth it.
   */
  #readImaged(first: Key, at: Lsn, target: Uint8Array): number {
    const { map } = this;
    const held = baseImage(map, first, at);
    if (held === null) return 0;
    const { reader } = held;
    assert(reader !== null, 'every layer file of a timeline is at hand');
    const stored = reader.stretch(first, target.length / pageSize);
    let count = 0;
    while (count < stored && baseImage(map, (first + count) as Key, at) === held) count += 1;
    if (count < imagedPagesMin) return 0;
    reader.readStretch(first, target.subarray(0, count * pageSize));
    for (let index = 0; index < count; index += 1) {
      const key = (first + index) as Key;
      const outcome = this.#reader.collectOver({ map, lsn: at, held }, key, this.#versions);
      assert(outcome === 'held' || outcome === 'complete', 'an image ends every search');
      const page = pageIn(target, index);
      if (outcome === 'complete') this.#rebuilder.rebuild(page, this.#versions);
      else if (this.#versions.count > 0) this.#rebuilder.update(page, this.#versions);
    }
    return count;
  }

  #addressOf(key: Key): PageAddress {
    this.#address.family = this.families.family(keyFamily(key));
    this.#address.block = keyBlock(key);
    return this.#address;
  }

  #collect(key: Key, at: Lsn): ReadOutcome {
    const outcome = this.#reader.collect(this.map, key, at, this.#versions);
    assert(outcome !== 'absent', 'every layer file of a timeline is at hand');
    return outcome;
  }
}

/** Page `index` of several. */
function pageIn(pages: Uint8Array, index: number): Uint8Array {
  return pages.subarray(index * pageSize, (index + 1) * pageSize);
}
