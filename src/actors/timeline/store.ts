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
  type FamilyTable,
  type Key,
  type KeyFamily,
  type KeyKind,
} from '../../base/key.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { type LayerMap } from '../../layers/layer-map.ts';
import { VersionReader, type ReadOutcome } from '../../layers/read-versions.ts';
import { scan } from '../../layers/scan.ts';
import { databaseRange, type KeyRange } from '../../layers/key-range.ts';
import { VersionList } from '../../layers/version-list.ts';
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

  /** Makes `target` the page as of the end of what is ingested, and keeps it for other readers. */
  readCurrentPage(key: Key, target: Uint8Array): void {
    this.readPage(key, this.ingestedLsn, target);
    this.#cache.insert(this.#addressOf(key), this.ingestedLsn, target);
  }

  /** Makes `target` (8192 bytes) the page of `key` as of `at`; zeros when it was never written. */
  readPage(key: Key, at: Lsn, target: Uint8Array): void {
    if (this.#collect(key, at) === 'missing') target.fill(0);
    else this.#rebuilder.rebuild(target, this.#versions);
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
