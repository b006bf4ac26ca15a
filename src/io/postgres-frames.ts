/**
 * PostgresFrames: cuts a stream of Postgres's protocol into messages: one byte of type, then a length
 * that counts itself and what follows.
 *
 * Promise: a message handed out is never overwritten; it is copied only when it came in pieces.
 */
import { ensure } from '../base/failure.ts';

const headerSize = 5;
/** Postgres's own limit on a message (`PQ_LARGE_MESSAGE_LIMIT`), less than 1 GiB. */
const largeMessageSize = 2 ** 30;

export class PostgresFrames {
  /** Bytes of a message that has not arrived whole, and how many it needs. */
  #pieces: Buffer[] = [];
  #held = 0;
  #needed = headerSize;
  readonly #messageSizeMax: number;

  constructor(messageSizeMax = largeMessageSize) {
    this.#messageSizeMax = messageSizeMax;
  }

  /** Takes the next bytes and hands out every message that is now whole, type and length included. */
  push(bytes: Buffer, onMessage: (message: Buffer) => void): void {
    let rest = this.#join(bytes);
    while (rest !== null && rest.length >= headerSize) {
      const size = this.#sizeOf(rest);
      if (rest.length < size) {
        this.#needed = size;
        break;
      }
      onMessage(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    if (rest !== null && rest.length > 0) this.#hold(rest);
  }

  /** What is held and the new bytes in one piece, or null while they cannot make a message. */
  #join(bytes: Buffer): Buffer | null {
    if (this.#held === 0) return bytes;
    this.#hold(bytes);
    if (this.#held < this.#needed) return null;
    const joined = Buffer.concat(this.#pieces, this.#held);
    this.#pieces = [];
    this.#held = 0;
    this.#needed = headerSize;
    return joined;
  }

  #hold(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#held += bytes.length;
  }

  #sizeOf(message: Buffer): number {
    const length = message.readUInt32BE(1);
    const fits = length >= 4 && length <= this.#messageSizeMax;
    ensure(fits, 'postgres_protocol_broken', { length });
    return 1 + length;
  }
}
