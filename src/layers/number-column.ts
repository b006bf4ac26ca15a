/** NumberColumn: a growing list of unsigned 32-bit integers; a column of a layer's index. */
import { assert } from '../base/assert.ts';

export class NumberColumn {
  #count = 0;
  #values = new Uint32Array(1_024);

  get count(): number {
    return this.#count;
  }

  push(value: number): void {
    assert(value >>> 0 === value, 'a column holds unsigned 32-bit integers');
    if (this.#count === this.#values.length) {
      const larger = new Uint32Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  /** The column's bytes, little-endian. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#values.buffer, 0, this.#count * 4);
  }
}
