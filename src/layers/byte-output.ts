/**
 * ByteOutput: collects what a layer file is written from into chunks of about 1 MiB, and counts.
 * The chunk taken is reused: it is valid until the next append.
 */
import { alignmentGap } from './layer-file.ts';

const chunkSize = 2 ** 20;

export class ByteOutput {
  #buffer = new Uint8Array(chunkSize + 65_536);
  #used = 0;
  #taken = 0;

  /** Bytes appended so far: the file offset of what comes next. */
  get offset(): number {
    return this.#taken + this.#used;
  }

  get full(): boolean {
    return this.#used >= chunkSize;
  }

  append(data: Uint8Array): void {
    this.reserve(data.length);
    this.#buffer.set(data, this.#used);
    this.#used += data.length;
  }

  /** Zeros up to the next aligned offset. */
  align(): void {
    const gap = alignmentGap(this.offset);
    this.reserve(gap);
    this.#buffer.fill(0, this.#used, this.#used + gap);
    this.#used += gap;
  }

  /** What has been appended since the last take. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#used);
    this.#taken += this.#used;
    this.#used = 0;
    return taken;
  }

  reserve(size: number): void {
    if (this.#used + size <= this.#buffer.length) return;
    const larger = new Uint8Array((this.#used + size) * 2);
    larger.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = larger;
  }
}
