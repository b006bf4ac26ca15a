/**
 * Arena: append-only memory for values, in chunks of 1 MiB that go back to a pool when a layer is
 * done with them. A value lies in one chunk; one larger than a chunk gets a chunk of its own.
 *
 * A position is `chunk number * 2^20 + offset`, an unsigned 32-bit integer: an arena ends at 4 GiB.
 */
import { assert } from '../base/assert.ts';
import { chunkOf, emptyChunk, type Chunk } from './version-list.ts';

const chunkBits = 20;
const chunkSize = 2 ** chunkBits;
const chunksMax = 2 ** (32 - chunkBits);

/** Chunks nobody uses at the moment, kept for the next layer. */
export class ChunkPool {
  readonly #free: Chunk[] = [];
  readonly #chunksMax: number;

  /** Keeps at most `size_bytes` of free chunks. */
  constructor(size_bytes: number) {
    this.#chunksMax = Math.floor(size_bytes / chunkSize);
  }

  take(): Chunk {
    return this.#free.pop() ?? chunkOf(new Uint8Array(chunkSize));
  }

  give(chunk: Chunk): void {
    const whole = chunk.bytes.length === chunkSize;
    if (whole && this.#free.length < this.#chunksMax) this.#free.push(chunk);
  }
}

export class Arena {
  readonly #pool: ChunkPool;
  readonly #chunks: Chunk[] = [];
  #current: Uint8Array = new Uint8Array(0);
  /** Bytes used in the current chunk. */
  #used = 0;
  #size = 0;

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  /** Memory held, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Copies a value in and returns its position. */
  append(value: Uint8Array): number {
    const { length } = value;
    if (length === 0) return 0;
    if (this.#used + length > this.#current.length) this.#addChunk(length);
    const offset = this.#used;
    this.#current.set(value, offset);
    this.#used = offset + length;
    return ((this.#chunks.length - 1) * chunkSize + offset) >>> 0;
  }

  /** The chunk a position lies in. An empty value has position 0, and perhaps no chunk. */
  chunkAt(position: number): Chunk {
    return this.#chunks[position >>> chunkBits] ?? emptyChunk;
  }

  offsetAt(position: number): number {
    return position & (chunkSize - 1);
  }

  /** Gives all chunks back. No position is valid afterwards. */
  release(): void {
    for (const chunk of this.#chunks) this.#pool.give(chunk);
    this.#chunks.length = 0;
    this.#current = new Uint8Array(0);
    this.#used = 0;
    this.#size = 0;
  }

  #addChunk(size: number): void {
    assert(this.#chunks.length < chunksMax, 'a layer is frozen long before 4 GiB');
    const chunk = size > chunkSize ? chunkOf(new Uint8Array(size)) : this.#pool.take();
    this.#chunks.push(chunk);
    this.#current = chunk.bytes;
    this.#used = 0;
    this.#size += chunk.bytes.length;
  }
}
