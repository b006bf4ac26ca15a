/**
 * WaitingReaders: asks that wait for WAL, one for each reader's name. There is no timer: an asker has a
 * deadline of its own, and when it gives up, its answer goes nowhere.
 */
import { type AwaitCommit, type ReadWal } from './protocol.ts';

type Waiting = ReadWal | AwaitCommit;

/** More are not expected of one timeline. What nobody waits for any more is in the way until then. */
const waiting_max = 64;

export class WaitingReaders {
  /** Longest waiting first. */
  readonly #waiting = new Map<string, Waiting>();

  /** Keeps an ask. Returns the one to be answered instead, since its reader has asked anew, or null. */
  add(reader: string, asked: Waiting): Waiting | null {
    const name = `${asked.kind} ${reader}`;
    const older = this.#waiting.get(name) ?? null;
    this.#waiting.delete(name);
    this.#waiting.set(name, asked);
    if (older !== null || this.#waiting.size <= waiting_max) return older;
    const [first] = this.#waiting;
    this.#waiting.delete(first![0]);
    return first![1];
  }

  /** Takes out those that `isReady`. */
  take(isReady: (asked: Waiting) => boolean): readonly Waiting[] {
    const ready = [...this.#waiting].filter(([, asked]) => isReady(asked));
    for (const [name] of ready) this.#waiting.delete(name);
    return ready.map(([, asked]) => asked);
  }
}
