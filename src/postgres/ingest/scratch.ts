/**
 * Scratch: one reused buffer in which values are written before the tip copies them.
 *
 * Views of a given length are kept, so that taking a usual size allocates nothing.
 */
const keptMax = 16_384;

export class Scratch {
  #bytes = new Uint8Array(keptMax);
  #view = new DataView(this.#bytes.buffer);
  readonly #kept: (Uint8Array | undefined)[] = [];

  /** Over the same memory as what `take` returned last. */
  get view(): DataView {
    return this.#view;
  }

  /** `size` bytes, with whatever was in them. Valid until the next `take`. */
  take(size: number): Uint8Array {
    if (size > this.#bytes.length) this.#grow(size);
    if (size > keptMax) return this.#bytes.subarray(0, size);
    return (this.#kept[size] ??= this.#bytes.subarray(0, size));
  }

  #grow(size: number): void {
    this.#bytes = new Uint8Array(Math.max(size, this.#bytes.length * 2));
    this.#view = new DataView(this.#bytes.buffer);
    this.#kept.length = 0;
  }
}
