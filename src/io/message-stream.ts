/**
 * MessageStream: messages over a stream of bytes, such as a TCP connection.
 *
 * ```
 * u32 length, big-endian | so many bytes
 * ```
 */
import { Buffer } from 'node:buffer';
import { ensure } from '../base/failure.ts';

const headSize = 4;

/** The message with its length before it, in one piece: what is written at once arrives at once. */
export function frameMessage(bytes: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headSize + bytes.length);
  framed.writeUInt32BE(bytes.length, 0);
  framed.set(bytes, headSize);
  return framed;
}

/** Cuts what arrives into messages. */
export class MessageReader {
  readonly #onMessage: (bytes: Uint8Array) => void;
  readonly #head = Buffer.alloc(headSize);
  #headFilled = 0;
  /** The message that is arriving; null while its length is. */
  #body: Buffer | null = null;
  #bodyFilled = 0;
  #length_max: number;

  constructor(length_max: number, onMessage: (bytes: Uint8Array) => void) {
    this.#length_max = length_max;
    this.#onMessage = onMessage;
  }

  /** Applies to messages that have not begun. */
  set length_max(length_max: number) {
    this.#length_max = length_max;
  }

  /**
   * Takes bytes as they came; calls back for every message they complete, with a view of them when they
   * hold it whole. Fails with `message_too_large`.
   */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      at = this.#body === null ? this.#takeHead(bytes, at) : this.#takeBody(bytes, at);
    }
  }

  #takeHead(bytes: Buffer, from: number): number {
    const taken = bytes.copy(this.#head, this.#headFilled, from);
    this.#headFilled += taken;
    const at = from + taken;
    if (this.#headFilled < headSize) return at;
    this.#headFilled = 0;
    const length = this.#head.readUInt32BE(0);
    ensure(length <= this.#length_max, 'message_too_large', { length, max: this.#length_max });
    if (at + length <= bytes.length) {
      this.#onMessage(bytes.subarray(at, at + length));
      return at + length;
    }
    this.#body = Buffer.allocUnsafeSlow(length);
    this.#bodyFilled = 0;
    return at;
  }

  #takeBody(bytes: Buffer, from: number): number {
    const body = this.#body!;
    const taken = bytes.copy(body, this.#bodyFilled, from);
    this.#bodyFilled += taken;
    if (this.#bodyFilled === body.length) {
      this.#body = null;
      this.#onMessage(body);
    }
    return from + taken;
  }
}
