/**
 * KeyIndex: a hash table from key to a 32-bit number, in typed arrays: open addressing, linear
 * probing, at most half full. Nothing is ever removed, and nothing is allocated per key.
 */
import { type FamilyTable, type Key } from '../base/key.ts';
import { sortedFamilies } from './family-order.ts';

const free = -1;
const slotsAtFirst = 1_024;
const twoPow32 = 2 ** 32;

export class KeyIndex {
  #count = 0;
  #keys = new Float64Array(slotsAtFirst).fill(free);
  #values = new Uint32Array(slotsAtFirst);

  get count(): number {
    return this.#count;
  }

  /** The number kept for a key; `missing` when it has none. */
  get(key: Key, missing: number): number {
    const slot = this.#slotOf(key);
    return this.#keys[slot] === key ? this.#values[slot]! : missing;
  }

  /** Keeps `value` for a key and returns what it replaces; `missing` when there was nothing. */
  exchange(key: Key, value: number, missing: number): number {
    const slot = this.#slotOf(key);
    if (this.#keys[slot] === key) {
      const previous = this.#values[slot]!;
      this.#values[slot] = value;
      return previous;
    }
    this.#keys[slot] = key;
    this.#values[slot] = value;
    this.#count += 1;
    if (this.#count * 2 > this.#keys.length) this.#grow();
    return missing;
  }

  /** Every key once, in no order. */
  visit(visit: (key: Key) => void): void {
    for (const key of this.#keys) if (key !== free) visit(key as Key);
  }

  /** All keys, in the order files keep them. */
  sortedKeys(families: FamilyTable): Float64Array {
    const order = sortedFamilies(families);
    const ranks = new Uint32Array(families.count);
    order.forEach((family, rank) => (ranks[family] = rank));
    const sorted = new Float64Array(this.#count);
    let count = 0;
    for (const key of this.#keys) {
      if (key === free) continue;
      const family = Math.floor(key / twoPow32);
      sorted[count] = ranks[family]! * twoPow32 + (key - family * twoPow32);
      count += 1;
    }
    sorted.sort();
    for (let at = 0; at < count; at += 1) {
      const ranked = sorted[at]!;
      const rank = Math.floor(ranked / twoPow32);
      sorted[at] = order[rank]! * twoPow32 + (ranked - rank * twoPow32);
    }
    return sorted;
  }

  /** The slot that holds a key, or the free one where it belongs. */
  #slotOf(key: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    const high = (key / twoPow32) | 0;
    let hash = Math.imul((key - high * twoPow32) ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const held = keys[slot]!;
      if (held === key || held === free) return slot;
    }
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#keys = new Float64Array(keys.length * 2).fill(free);
    this.#values = new Uint32Array(keys.length * 2);
    for (let old = 0; old < keys.length; old += 1) {
      const key = keys[old]!;
      if (key === free) continue;
      const slot = this.#slotOf(key);
      this.#keys[slot] = key;
      this.#values[slot] = values[old]!;
    }
  }
}
