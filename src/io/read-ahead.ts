/**
 * ReadAhead: a file that never changes, read a window at a time while it is read from front to back.
 *
 * Owns:    the window last read. It is never written again, so what was handed out stays as it is.
 * Promise: random reads cost one read of their own size, as without it; every result begins at a
 *          multiple of 8 in its buffer.
 */

/** Fills `target` from `offset` on. */
type ReadInto = (target: Uint8Array, offset: number) => void;

const window_bytes = 131_072;
const alignment = 8;
const nothing = new Uint8Array(0);

export class ReadAhead {
  readonly #read: ReadInto;
  readonly #size: number;
  #window: Uint8Array = nothing;
  #windowAt = 0;
  /** Where the last read ended: one that begins soon after goes on in order. */
  #lastEnd = -window_bytes;

  /** `size` is the file's, in bytes. */
  constructor(read: ReadInto, size: number) {
    this.#read = read;
    this.#size = size;
  }

  /** Bytes `[offset, offset + length)`, not to be written to. */
  readAt(offset: number, length: number): Uint8Array {
    const end = offset + length;
    const isAligned = offset % alignment === 0;
    const gap = offset - this.#lastEnd;
    this.#lastEnd = end;
    if (!isAligned || length >= window_bytes) return this.#readNow(offset, length);
    if (offset < this.#windowAt || end > this.#windowAt + this.#window.length) {
      if (gap < 0 || gap >= window_bytes) return this.#readNow(offset, length);
      const ahead = Math.max(length, Math.min(window_bytes, this.#size - offset));
      this.#window = this.#readNow(offset, ahead);
      this.#windowAt = offset;
    }
    return this.#window.subarray(offset - this.#windowAt, end - this.#windowAt);
  }

  #readNow(offset: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(length);
    this.#read(bytes, offset);
    return bytes;
  }
}
