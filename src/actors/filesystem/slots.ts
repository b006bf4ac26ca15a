/**
 * Slots: which 8 KiB slots of the upper file are taken, as a bitmap in shared memory.
 *
 * Freed slots are taken again before the file grows, so its size is the high-water mark of what the
 * upper layer held. One thread takes neighbouring slots for blocks written together, so that they
 * are read back with one call.
 */
import { assert } from '../../base/assert.ts';
import { counters, type SharedState } from './shared-state.ts';

/** No slot is free. */
export const noSlot = -1;

/** One thread's view: it looks for the next slot where it found the last. */
export class Slots {
  readonly #state: SharedState;
  #cursor = 0;

  constructor(state: SharedState) {
    this.#state = state;
  }

  /** Takes a slot, the one after this thread's last if that is free; `noSlot` when all are taken. */
  take(): number {
    const state = this.#state;
    const { slotsMax } = state.handle.sizes;
    if (state.add(counters.slotsUsed, 1) >= slotsMax) {
      state.add(counters.slotsUsed, -1);
      return noSlot;
    }
    // The counter promises a free slot; which one, another thread may decide first.
    for (;;) {
      const high = state.count(counters.slotsHigh);
      const slot = this.#takeHole(high) ?? this.#takeBetween(high, slotsMax);
      if (slot !== null) return slot;
    }
  }

  free(slot: number): void {
    const { words, bitmapAt } = this.#state;
    const bit = 1 << (slot & 31);
    const before = Atomics.and(words, bitmapAt + (slot >>> 5), ~bit);
    assert((before & bit) !== 0, 'a slot that is freed was taken');
    this.#state.add(counters.slotsUsed, -1);
  }

  /** A free slot below `high`, looking onward from the last one taken. */
  #takeHole(high: number): number | null {
    if (this.#state.count(counters.slotsUsed) > high) return null;
    const begin = this.#cursor < high ? this.#cursor : 0;
    return this.#takeBetween(begin, high) ?? this.#takeBetween(0, begin);
  }

  #takeBetween(begin: number, end: number): number | null {
    const { words, bitmapAt } = this.#state;
    let at = begin;
    while (at < end) {
      const full = (at & 31) === 0 && words[bitmapAt + (at >>> 5)] === -1;
      if (!full && this.#claim(at)) {
        this.#cursor = at + 1;
        this.#raiseHigh(at + 1);
        return at;
      }
      at += full ? 32 : 1;
    }
    return null;
  }

  #claim(slot: number): boolean {
    const { words, bitmapAt } = this.#state;
    const bit = 1 << (slot & 31);
    if ((words[bitmapAt + (slot >>> 5)]! & bit) !== 0) return false;
    return (Atomics.or(words, bitmapAt + (slot >>> 5), bit) & bit) === 0;
  }

  #raiseHigh(high: number): void {
    const { words } = this.#state;
    for (;;) {
      const seen = Atomics.load(words, counters.slotsHigh);
      if (seen >= high) return;
      if (Atomics.compareExchange(words, counters.slotsHigh, seen, high) === seen) return;
    }
  }
}
