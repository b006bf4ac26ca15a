/**
 * OpenLayer: the versions a timeline has ingested since the last freeze, in memory.
 *
 * Owns an arena with the values, a table of versions in typed arrays, and per key the number of its
 * newest version; each version names the key's previous one. A put copies bytes and writes four
 * numbers. LSNs never go back from put to put; several puts for one (key, LSN) all count, in order.
 *
 * Frozen, it takes no more puts and is written as a delta file (`cursor`), then released.
 */
import { assert } from '../base/assert.ts';
import { type FamilyTable, type Key } from '../base/key.ts';
import { lsn as makeLsn, type Lsn } from '../base/lsn.ts';
import { Arena, type ChunkPool } from './arena.ts';
import { KeyIndex } from './key-index.ts';
import { type KeyFilter } from './key-range.ts';
import { OpenLayerCursor } from './open-layer-cursor.ts';
import { type VersionCursor } from './version-cursor.ts';
import { versionFlags, type LsnLimits, type VersionList } from './version-list.ts';
import { VersionTable } from './version-table.ts';

/** Stands for "no version" among version numbers. */
const none = 0xffff_ffff;
/** Most WAL is versions; some is not: messages, what changes a page over and over. */
const walPerByte = 2;

export interface OpenLayerOptions {
  readonly families: FamilyTable;
  readonly pool: ChunkPool;
  /** First LSN that may be put: one past the last of the layer before. */
  readonly begin: Lsn;
}

export class OpenLayer {
  readonly families: FamilyTable;
  readonly begin: Lsn;
  readonly #arena: Arena;
  readonly #index = new KeyIndex();
  readonly #table = new VersionTable();
  #end: Lsn | null = null;
  #lastLsn: Lsn;

  constructor({ families, pool, begin }: OpenLayerOptions) {
    this.families = families;
    this.begin = begin;
    this.#lastLsn = begin;
    this.#arena = new Arena(pool);
  }

  /** One past the last LSN; null while the layer is open. */
  get end(): Lsn | null {
    return this.#end;
  }

  /** LSN of the last put; `begin` before the first. */
  get lastLsn(): Lsn {
    return this.#lastLsn;
  }

  /**
   * Whether it is to be frozen: it has `bytes`, or stands for several times as much WAL, up to `end`, which
   * a start would have to ingest again.
   */
  isFull(bytes: number, end: Lsn): boolean {
    if (this.#table.count === 0) return false;
    return this.size >= bytes || end - this.begin >= walPerByte * bytes;
  }

  /** Memory held by values and version table, in bytes. */
  get size(): number {
    return this.#arena.size + this.#table.size;
  }

  get versionCount(): number {
    return this.#table.count;
  }

  get keyCount(): number {
    return this.#index.count;
  }

  /** Adds a version. `init` says the value needs no older one. The bytes are copied. */
  put(key: Key, lsn: Lsn, init: boolean, value: Uint8Array): void {
    assert(this.#end === null, 'a frozen layer takes no puts');
    assert(lsn >= this.#lastLsn, 'LSNs never go back');
    this.#lastLsn = lsn;
    const position = this.#arena.append(value);
    const previous = this.#index.exchange(key, this.#table.count, none);
    this.#table.add(lsn, position, value.length * 2 + (init ? 1 : 0), previous);
  }

  /** No more puts. `lastLsn` is how far the timeline has ingested, whether or not it put anything. */
  freeze(lastLsn: Lsn): void {
    assert(this.#end === null, 'a layer is frozen once');
    assert(lastLsn >= this.#lastLsn, 'a layer ends after its last version');
    this.#end = makeLsn(lastLsn + 1);
  }

  /**
   * Adds the key's versions in (`above`, `atOrBelow`] to `out`, newest first, up to one that needs no
   * older. Returns whether it met such a one.
   */
  collect(key: Key, limits: LsnLimits, out: VersionList): boolean {
    const { lsns, positions, sizes, previous } = this.#table;
    let at = this.#index.get(key, none);
    while (at !== none && lsns[at]! > limits.atOrBelow) at = previous[at]!;
    for (; at !== none && lsns[at]! > limits.above; at = previous[at]!) {
      const position = positions[at]!;
      const sized = sizes[at]!;
      const init = (sized & 1) !== 0;
      out.from(this.#arena.chunkAt(position));
      const flags = init ? versionFlags.init : versionFlags.none;
      out.push(lsns[at]! as Lsn, this.#arena.offsetAt(position), sized >>> 1, flags);
      if (init) return true;
    }
    return false;
  }

  /** Whether the key has a version within the limits. */
  hasVersion(key: Key, limits: LsnLimits): boolean {
    const { lsns, previous } = this.#table;
    let at = this.#index.get(key, none);
    while (at !== none && lsns[at]! > limits.atOrBelow) at = previous[at]!;
    return at !== none && lsns[at]! > limits.above;
  }

  /** Every key that passes the filter once, in no order. */
  visitKeys(filter: KeyFilter, visit: (key: Key) => void): void {
    this.#index.visit((key) => {
      if (filter.has(key)) visit(key);
    });
  }

  /** All versions, in file order. Sorts the keys once. */
  cursor(): VersionCursor {
    const keys = this.#index.sortedKeys(this.families);
    const newest = (key: Key): number => this.#index.get(key, none);
    return new OpenLayerCursor({ keys, newest, table: this.#table, arena: this.#arena });
  }

  /** Gives the memory back to the pool; the layer must not be used any more. */
  release(): void {
    assert(this.#end !== null, 'only a frozen layer is released');
    this.#arena.release();
  }
}
