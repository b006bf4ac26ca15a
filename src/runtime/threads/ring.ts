/**
 * Ring: messages from one thread to one other, through shared memory. One producer, one consumer.
 *
 *   header   0  written   u32  bytes ever written, modulo 2^32; the producer's
 *           64  read      u32  bytes ever read; the consumer's
 *          128  waiting   u32  1 while the producer wants to hear of room
 *   data   192  a power of two; records begin at multiples of 8
 *   record   0  length    u32  bytes that follow the header; `skip` = the rest up to the end is void
 *            4  total     u32  length of the whole message in its first record, else 0
 *            8  bytes
 *
 * A message longer than a quarter of the ring takes several records, which the consumer joins.
 * `written` moves only after the bytes are in place, so a producer that dies leaves no half record.
 */
import { assert } from '../../base/assert.ts';

const header_bytes = 192;
const writtenAt = 0;
const readAt = 16;
const waitingAt = 32;
const recordHeader_bytes = 8;
const skip = 0xffff_ffff;

export function createRing(data_bytes: number): SharedArrayBuffer {
  assert((data_bytes & (data_bytes - 1)) === 0 && data_bytes >= 4_096, 'a ring is a power of two');
  return new SharedArrayBuffer(header_bytes + data_bytes);
}

class RingEnd {
  protected readonly positions: Int32Array;
  protected readonly words: Uint32Array;
  protected readonly data: Uint8Array;
  protected readonly size: number;

  constructor(memory: SharedArrayBuffer) {
    this.positions = new Int32Array(memory, 0, header_bytes / 4);
    this.words = new Uint32Array(memory, header_bytes);
    this.data = new Uint8Array(memory, header_bytes);
    this.size = this.data.length;
  }
}

export class RingProducer extends RingEnd {
  #written = 0;
  readonly #record_max: number;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#record_max = this.size / 4 - recordHeader_bytes;
    this.#written = Atomics.load(this.positions, writtenAt) >>> 0;
  }

  /** Whether a message of this length can be written now, wherever the end of the ring falls. */
  fits(length: number): boolean {
    const records = Math.max(1, Math.ceil(length / this.#record_max));
    return this.#free() >= length + records * (recordHeader_bytes + 8) + this.size / 4;
  }

  /**
   * Writes as much of the message as there is room for, from `offset` on; the new offset.
   * Done when that is its length. Begins at 0; an empty message does not exist.
   */
  write(message: Uint8Array, offset: number): number {
    let at = offset;
    while (at < message.length) {
      const length = Math.min(message.length - at, this.#record_max);
      const place = this.#reserve(length);
      if (place < 0) break;
      this.words[place >> 2] = length;
      this.words[(place >> 2) + 1] = at === 0 ? message.length : 0;
      this.data.set(message.subarray(at, at + length), place + recordHeader_bytes);
      this.#publish(recordHeader_bytes + aligned(length));
      at += length;
    }
    return at;
  }

  /** Room for one record of any length, wherever the end of the ring falls: a write makes progress. */
  get hasRoom(): boolean {
    return this.#free() >= this.size / 2;
  }

  /** Asks the consumer to say when it has made room. */
  awaitRoom(): void {
    Atomics.store(this.positions, waitingAt, 1);
  }

  #free(): number {
    const read = Atomics.load(this.positions, readAt) >>> 0;
    return this.size - ((this.#written - read) >>> 0);
  }

  /** Offset of a contiguous place for a record, or -1. */
  #reserve(length: number): number {
    const needed = recordHeader_bytes + aligned(length);
    const place = this.#written & (this.size - 1);
    const toEnd = this.size - place;
    if (toEnd >= needed) return this.#free() >= needed ? place : -1;
    if (this.#free() < toEnd + needed) return -1;
    this.words[place >> 2] = skip;
    this.#publish(toEnd);
    return 0;
  }

  #publish(length: number): void {
    this.#written = (this.#written + length) >>> 0;
    Atomics.store(this.positions, writtenAt, this.#written | 0);
  }
}

export class RingConsumer extends RingEnd {
  #read = 0;
  /** A message of several records, while they arrive. */
  #partial: Uint8Array | null = null;
  #joined = 0;
  readonly #scratch = new Uint8Array(smallMessage_max);

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#read = Atomics.load(this.positions, readAt) >>> 0;
  }

  get empty(): boolean {
    return Atomics.load(this.positions, writtenAt) >>> 0 === this.#read;
  }

  /**
   * The next whole message, or null. One of at most `smallMessage_max` bytes lies in memory that the
   * next call reuses; a longer one is the caller's to keep.
   */
  next(): Uint8Array | null {
    while (!this.empty) {
      const place = this.#read & (this.size - 1);
      const length = this.words[place >> 2]!;
      if (length === skip) {
        this.#release(this.size - place);
        continue;
      }
      const message = this.#take(place + recordHeader_bytes, length, this.words[(place >> 2) + 1]!);
      this.#release(recordHeader_bytes + aligned(length));
      if (message !== null) return message;
    }
    return null;
  }

  /** Whether the producer waits for room; answered once. */
  takeWaiting(): boolean {
    return (
      Atomics.load(this.positions, waitingAt) === 1 &&
      Atomics.exchange(this.positions, waitingAt, 0) === 1
    );
  }

  #take(at: number, length: number, total: number): Uint8Array | null {
    const bytes = this.data.subarray(at, at + length);
    if (total === length) {
      if (length > smallMessage_max) return copyOf(bytes);
      this.#scratch.set(bytes);
      return this.#scratch.subarray(0, length);
    }
    if (total !== 0) {
      this.#partial = new Uint8Array(total);
      this.#joined = 0;
    }
    const partial = this.#partial;
    assert(partial !== null, 'a record continues a message');
    partial.set(bytes, this.#joined);
    this.#joined += length;
    if (this.#joined < partial.length) return null;
    this.#partial = null;
    return partial;
  }

  #release(length: number): void {
    this.#read = (this.#read + length) >>> 0;
    Atomics.store(this.positions, readAt, this.#read | 0);
  }
}

/** Up to here a copy out of a reused buffer is cheaper than memory of its own. */
export const smallMessage_max = 4_096;

function aligned(length: number): number {
  return (length + 7) & ~7;
}

function copyOf(shared: Uint8Array): Uint8Array {
  const copy = new Uint8Array(shared.length);
  copy.set(shared);
  return copy;
}
