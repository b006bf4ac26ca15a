/**
 * PageCache: rebuilt pages in memory that all threads share: the one thing actors share besides
 * messages. One thread writes (the one timelines live on); any thread reads, blocking ones too.
 *
 * Set-associative: an address hashes to a set of 8 slots, told apart by tags that lie in one cache
 * line. A slot's sequence number is odd while it is written: a reader that sees it odd, or changed
 * after copying, has missed. (That a load does not pass an earlier load is x86-64's promise.)
 *
 * ```
 * tags       i32 × slots          hash of the address, 0 = empty
 * slots      64 bytes × slots     i32 sequence, used, timeline, kind, tablespace, database, relation,
 *                                 fork, block, padding; f64 from, until (in bytes 40 and 48)
 * pages      8192 bytes × slots
 * ```
 *
 * A page made at LSN `from` is what the block is until the LSN `until` of the next record that
 * changes it, infinity while there is none. `from` is below `until` always, so a page serves every
 * request whose floor is below its `until`.
 */
import { assert } from '../base/assert.ts';
import { type KeyFamily } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';

const pageSize = 8_192;
const ways = 8;
const slotSize = 64;
const words = slotSize / 4;
const doubles = slotSize / 8;
const word = {
  sequence: 0,
  used: 1,
  timeline: 2,
  kind: 3,
  tablespace: 4,
  database: 5,
  relation: 6,
  fork: 7,
  block: 8,
} as const;
const double = { from: 5, until: 6 } as const;

/** Which page: a block of a family, on the timeline of that number. */
export interface PageAddress {
  readonly timeline: number;
  readonly family: KeyFamily;
  readonly block: number;
}

/** Memory for a cache of about `size_bytes`. Untouched memory costs nothing. */
export function allocatePageCache(size_bytes: number): SharedArrayBuffer {
  const sets = Math.max(1, Math.floor(size_bytes / (pageSize * ways)));
  const slots = sets * ways;
  return new SharedArrayBuffer(pageSize + slots * (4 + slotSize + pageSize));
}

export class PageCache {
  readonly #tags: Int32Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #pages: Uint8Array;
  readonly #sets: number;

  constructor(memory: SharedArrayBuffer) {
    const slots = Math.floor((memory.byteLength - pageSize) / (4 + slotSize + pageSize));
    assert(slots > 0 && slots % ways === 0, 'the memory comes from allocatePageCache');
    this.#sets = slots / ways;
    this.#pages = new Uint8Array(memory, 0, slots * pageSize);
    const slotsAt = slots * pageSize;
    this.#words = new Int32Array(memory, slotsAt, slots * words);
    this.#doubles = new Float64Array(memory, slotsAt, slots * doubles);
    this.#tags = new Int32Array(memory, slotsAt + slots * slotSize, slots);
  }

  /** Forgets slots that a writer was writing when its thread died. For the writer, at its start. */
  repair(): void {
    for (let slot = 0; slot < this.#tags.length; slot += 1) {
      const at = slot * words + word.sequence;
      if ((Atomics.load(this.#words, at) & 1) === 0) continue;
      this.#tags[slot] = 0;
      Atomics.add(this.#words, at, 1);
    }
  }

  /**
   * Copies a version of the page that is what it was at `floor`, or newer, to `target` at `offset`.
   * False when there is none, or when it was being changed.
   */
  lookup(address: PageAddress, floor: Lsn, target: Uint8Array, offset: number): boolean {
    const tag = tagOf(address.timeline, address.family, address.block);
    const slot = this.#find(tag, address);
    if (slot === -1) return false;
    const at = slot * words;
    const sequence = Atomics.load(this.#words, at + word.sequence);
    if ((sequence & 1) !== 0 || !this.#holds(slot, address)) return false;
    if (this.#doubles[slot * doubles + double.until]! <= floor) return false;
    target.set(this.#pages.subarray(slot * pageSize, (slot + 1) * pageSize), offset);
    if (Atomics.load(this.#words, at + word.sequence) !== sequence) return false;
    this.#words[at + word.used] = 1;
    return true;
  }

  /**
   * Keeps a page made at `from`: what the block is until `supersede` says otherwise. Not kept when the
   * cache knows that it has changed since. Writer only.
   */
  insert(address: PageAddress, from: Lsn, page: Uint8Array): void {
    assert(page.length === pageSize, 'a page is 8192 bytes');
    const tag = tagOf(address.timeline, address.family, address.block);
    const found = this.#find(tag, address);
    if (found !== -1 && this.#knowsNewer(found, from)) return;
    const slot = found === -1 ? this.#victim(tag) : found;
    const at = slot * words;
    Atomics.add(this.#words, at + word.sequence, 1);
    this.#write(slot, address);
    this.#doubles[slot * doubles + double.from] = from;
    this.#doubles[slot * doubles + double.until] = Number.POSITIVE_INFINITY;
    this.#pages.set(page, slot * pageSize);
    this.#tags[slot] = tag;
    Atomics.add(this.#words, at + word.sequence, 1);
  }

  /** The block changes at `at`: a page kept here is what it is only below. Writer only. */
  supersede(address: PageAddress, at: Lsn): void {
    const slot = this.#find(tagOf(address.timeline, address.family, address.block), address);
    if (slot === -1) return;
    const until = slot * doubles + double.until;
    if (this.#doubles[until]! <= at) return;
    if (this.#doubles[slot * doubles + double.from]! >= at) return; // the page has that change
    Atomics.add(this.#words, slot * words + word.sequence, 1);
    this.#doubles[until] = at;
    Atomics.add(this.#words, slot * words + word.sequence, 1);
  }

  /** A newer version is held, or the version held is known to have changed after `from`. */
  #knowsNewer(slot: number, from: Lsn): boolean {
    const until = this.#doubles[slot * doubles + double.until]!;
    const changed = until === Number.POSITIVE_INFINITY ? -1 : until;
    return Math.max(this.#doubles[slot * doubles + double.from]!, changed) > from;
  }

  #find(tag: number, address: PageAddress): number {
    const first = this.#firstSlot(tag);
    for (let slot = first; slot < first + ways; slot += 1) {
      if (this.#tags[slot] === tag && this.#holds(slot, address)) return slot;
    }
    return -1;
  }

  #holds(slot: number, { timeline, family, block }: PageAddress): boolean {
    const at = slot * words;
    const held = this.#words;
    return (
      held[at + word.relation] === (family.relation | 0) &&
      held[at + word.block] === (block | 0) &&
      held[at + word.database] === (family.database | 0) &&
      held[at + word.fork] === family.fork &&
      held[at + word.kind] === family.kind &&
      held[at + word.tablespace] === (family.tablespace | 0) &&
      held[at + word.timeline] === (timeline | 0)
    );
  }

  #write(slot: number, { timeline, family, block }: PageAddress): void {
    const at = slot * words;
    const held = this.#words;
    held[at + word.used] = 1;
    held[at + word.timeline] = timeline;
    held[at + word.kind] = family.kind;
    held[at + word.tablespace] = family.tablespace;
    held[at + word.database] = family.database;
    held[at + word.relation] = family.relation;
    held[at + word.fork] = family.fork;
    held[at + word.block] = block;
  }

  /** An empty slot of the set, or one nobody used since the last look, or any. */
  #victim(tag: number): number {
    const first = this.#firstSlot(tag);
    for (let slot = first; slot < first + ways; slot += 1) if (this.#tags[slot] === 0) return slot;
    for (let slot = first; slot < first + ways; slot += 1) {
      const used = slot * words + word.used;
      if (this.#words[used] === 0) return slot;
      this.#words[used] = 0;
    }
    return first + (tag & (ways - 1));
  }

  #firstSlot(tag: number): number {
    return ((tag >>> 3) % this.#sets) * ways;
  }
}

/** A hash of the address that is never 0 (murmur3's mixing steps). */
function tagOf(timeline: number, family: KeyFamily, block: number): number {
  let hash = Math.imul(family.relation ^ (timeline << 20), 0xcc9e2d51);
  hash = Math.imul((hash << 15) | (hash >>> 17), 0x1b873593) ^ block;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) ^ family.database;
  hash ^= (family.kind << 8) ^ (family.fork << 4) ^ (family.tablespace << 12);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash === 0 ? 1 : hash;
}
