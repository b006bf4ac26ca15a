/**
 * MessageStream: messages over a stream of bytes, such as a TCP connection.
 *
 * ```
 * u32 length, big-endian | so many bytes
 * u32 length + 2^31 | u32 length of the tail | so many bytes | the tail
 * ```
 *
 * A **tail** is a large part of a message, given and taken apart from the rest: the sender need not copy it.
 */
import { Buffer } from 'node:buffer';
import { ensure } from '../base/failure.ts';

const headSize = 4;
const headWithTailSize = 8;
const withTail = 2 ** 31;

const noTail = new Uint8Array(0);

/** What goes before a tail, if there is one: the message with the lengths before it, in one piece. */
export function frameMessage(bytes: Uint8Array, tail: Uint8Array = noTail): Buffer {
  const size = tail.length === 0 ? headSize : headWithTailSize;
  const framed = Buffer.allocUnsafe(size + bytes.length);
  framed.writeUInt32BE(tail.length === 0 ? bytes.length : withTail + bytes.length, 0);
  if (tail.length > 0) framed.writeUInt32BE(tail.length, headSize);
  framed.set(bytes, size);
  return framed;
}

/** A message that has arrived, and its tail, empty without one. */
export type MessageListener = (bytes: Uint8Array, tail: Uint8Array) => void;

/** Cuts what arrives into messages. */
export class MessageReader {
  readonly #onMessage: MessageListener;
  readonly #head = Buffer.alloc(headWithTailSize);
  #headFilled = 0;
  #headSize = headSize;
  /** The message that is arriving, with its tail; null while its lengths are. */
  #body: Buffer | null = null;
  #bodyFilled = 0;
  #tailLength = 0;
  #length_max: number;

  constructor(length_max: number, onMessage: MessageListener) {
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
    const taken = bytes.copy(this.#head, this.#headFilled, from, from + this.#headLeft);
    this.#headFilled += taken;
    const at = from + taken;
    if (this.#headLeft > 0) return at;
    const first = this.#head.readUInt32BE(0);
    if (first >= withTail && this.#headSize === headSize) {
      this.#headSize = headWithTailSize;
      return at;
    }
    this.#tailLength = first >= withTail ? this.#head.readUInt32BE(headSize) : 0;
    this.#headFilled = 0;
    this.#headSize = headSize;
    const length = (first % withTail) + this.#tailLength;
    ensure(length <= this.#length_max, 'message_too_large', { length, max: this.#length_max });
    if (at + length <= bytes.length) {
      this.#deliver(bytes.subarray(at, at + length));
      return at + length;
    }
    this.#body = Buffer.allocUnsafeSlow(length);
    this.#bodyFilled = 0;
    return at;
  }

  get #headLeft(): number {
    return this.#headSize - this.#headFilled;
  }

  #takeBody(bytes: Buffer, from: number): number {
    const body = this.#body!;
    const taken = bytes.copy(body, this.#bodyFilled, from);
    this.#bodyFilled += taken;
    if (this.#bodyFilled === body.length) {
      this.#body = null;
      this.#deliver(body);
    }
    return from + taken;
  }

  #deliver(bytes: Buffer): void {
    const length = bytes.length - this.#tailLength;
    this.#onMessage(bytes.subarray(0, length), bytes.subarray(length));
  }
}
