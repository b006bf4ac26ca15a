/**
 * Mailbox: the messages that wait for one actor, in order of arrival. Bounded: a full one refuses.
 * An actor's messages to itself are let in always; timers bound them.
 */
import { type AnyMessage } from '../actor.ts';
import { type Reply } from './reply.ts';

/** A message on its way to an actor of this thread. */
export interface Envelope {
  readonly message: AnyMessage;
  /** Path of the sender; empty when it is not an actor. */
  readonly from: string;
  /** Where the answer goes; null for a tell. */
  readonly reply: Reply | null;
  /** For a message to oneself: the timer, so that it can be cancelled while it waits. */
  readonly timer: SelfTimer | null;
}

/** A pending message to oneself. Ends with its actor's incarnation. */
export interface SelfTimer {
  readonly cancelled: boolean;
}

const compactAt = 256;

export class Mailbox {
  readonly #max: number;
  readonly #waiting: Envelope[] = [];
  #head = 0;
  #highWater = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  /** The most that ever waited. */
  get highWater(): number {
    return this.#highWater;
  }

  /** False when it is full, and the message is not in. */
  offer(envelope: Envelope): boolean {
    if (this.length >= this.#max && envelope.timer === null) return false;
    this.#waiting.push(envelope);
    if (this.length > this.#highWater) this.#highWater = this.length;
    return true;
  }

  /** The next message that is still wanted: not cancelled, and its asker still waits. */
  take(): Envelope | null {
    while (this.#head < this.#waiting.length) {
      const envelope = this.#waiting[this.#head]!;
      this.#advance();
      if (envelope.timer?.cancelled !== true && envelope.reply?.settled !== true) return envelope;
    }
    return null;
  }

  #advance(): void {
    this.#head += 1;
    if (this.#head === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#head = 0;
    } else if (this.#head >= compactAt) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
