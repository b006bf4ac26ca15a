/**
 * Random: the machine's randomness, and a seeded generator for simulation and tests, behind the
 * runtime's `Random` port.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { assert } from '../base/assert.ts';

/** Cryptographically strong. */
export const systemRandom = {
  below: (bound: number): number => randomInt(bound),
  bytes: (count: number): Uint8Array => new Uint8Array(randomBytes(count)),
} as const;

const twoPow32 = 2 ** 32;

/** The same seed gives the same numbers for ever: sfc32 (PractRand), seeded by splitmix32. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), 'a seed is a whole number');
    const mix = splitmix32(seed ^ Math.floor(seed / twoPow32));
    this.#a = mix();
    this.#b = mix();
    this.#c = mix();
    for (let round = 0; round < 12; round += 1) this.uint32();
  }

  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    return result >>> 0;
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    assert(bound > 0 && bound <= twoPow32, 'a bound is in (0, 2^32]');
    return Math.floor((this.uint32() / twoPow32) * bound);
  }

  bytes(count: number): Uint8Array {
    const filled = new Uint8Array(count);
    for (let at = 0; at < count; at += 1) filled[at] = this.uint32() & 255;
    return filled;
  }

  /** True once in `of` calls, on average. */
  oneIn(of: number): boolean {
    return this.below(of) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) | 0;
  };
}
