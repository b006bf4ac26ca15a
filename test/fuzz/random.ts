/**
 * Random: numbers that look random and are the same for a seed, and the ways to damage bytes.
 */

/** The Weyl sequence that mulberry32 mixes. */
const step = 0x6d2b79f5;
/** Values at which arithmetic on lengths and offsets turns over. */
const edges = [
  0, 1, 2, 3, 7, 8, 23, 24, 25, 127, 128, 255, 256, 8_191, 8_192, 32_767, 32_768, 65_535,
];

export class Random {
  #state: number;

  constructor(seed: number) {
    // Seeds that follow one another must not give numbers that do.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  }

  /** A whole number below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + step) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** Changes `bytes` from `first` on in one to four places. */
  damage(bytes: Uint8Array, first: number): void {
    const size = bytes.length - first;
    if (size <= 0) return;
    for (let left = 1 + this.below(4); left > 0; left -= 1) {
      // Headers are at the front, and say more than what follows.
      const at = first + this.below(this.below(2) === 0 ? Math.min(64, size) : size);
      this.#change(bytes, at);
    }
  }

  #change(bytes: Uint8Array, at: number): void {
    switch (this.below(5)) {
      case 0:
        bytes[at] = this.below(256);
        return;
      case 1:
        bytes[at]! ^= 1 << this.below(8);
        return;
      case 2: {
        const edge = this.pick(edges);
        bytes[at] = edge & 0xff;
        if (at + 1 < bytes.length) bytes[at + 1] = edge >>> 8;
        return;
      }
      case 3:
        bytes.fill(this.pick([0, 0xff]), at, at + 1 + this.below(16));
        return;
      default:
        bytes.copyWithin(at, this.below(bytes.length), this.below(bytes.length));
    }
  }
}
