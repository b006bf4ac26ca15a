/**
 * PageChannel: how a blocking thread asks another for pages and sleeps until it has them.
 *
 * One channel has one asker, which has no event loop, and one server, which has. A request is written
 * in place, a bell rung; the server, woken by the bell, fills the pages in place and wakes the asker.
 * The state word carries the request's number too, so that an answer to a request that was given up
 * can never pass for the answer to the next one.
 *
 * ```
 * i32 × 16   number × 4 + state, timeline, kind, tablespace, database, relation, fork, first block, count,
 *            size of the failure text
 * f64        floor, at byte 64
 * text       failure, 1024 bytes, at byte 128
 * pages      8192 bytes × 256, at byte 8192
 * ```
 */
import { setImmediate } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import { Failure } from '../base/failure.ts';
import { type KeyFamily, type KeyKind } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';

const pageSize = 8_192;
/** Pages one request may ask for: 2 MiB. */
export const channelPagesMax = 256;
const pagesAt = pageSize;
const floorAt = 64;
const textAt = 128;
const textMax = 1_024;

const states = { idle: 0, requested: 1, done: 2, failed: 3 } as const;
const stateBits = 2;
const stateMask = 3;
const at = {
  state: 0,
  timeline: 1,
  kind: 2,
  tablespace: 3,
  database: 4,
  relation: 5,
  fork: 6,
  firstBlock: 7,
  count: 8,
  textSize: 9,
} as const;

export interface PageRequest {
  /** The timeline's number. */
  readonly timeline: number;
  readonly family: KeyFamily;
  readonly firstBlock: number;
  /** At most `channelPagesMax`. */
  readonly count: number;
  /** A version at or after this LSN. */
  readonly floor: Lsn;
}

/** Memory of one channel. Only what is asked for is ever touched. */
export function allocatePageChannel(): SharedArrayBuffer {
  return new SharedArrayBuffer(pagesAt + channelPagesMax * pageSize);
}

/** The bell of all channels of one server. */
export function allocateBell(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** The asker's end. */
export class PageAsker {
  readonly #fields: Int32Array;
  readonly #floor: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #bell: Int32Array;
  /** Of the last request, modulo 2^30. */
  #number: number;

  constructor(memory: SharedArrayBuffer, bell: SharedArrayBuffer) {
    this.#fields = new Int32Array(memory, 0, 16);
    this.#floor = new Float64Array(memory, floorAt, 1);
    this.#bytes = new Uint8Array(memory);
    this.#bell = new Int32Array(bell);
    this.#number = Atomics.load(this.#fields, at.state) >> stateBits; // a predecessor's last
  }

  /**
   * Sleeps until the pages are there, or `timeout_ms` is over. They are valid until the next request.
   * Fails with `pages_timed_out` or, with what the server said, `pages_refused`.
   */
  ask(request: PageRequest, timeout_ms: number): Uint8Array {
    const fields = this.#fields;
    assert(request.count > 0 && request.count <= channelPagesMax, 'a request fits its channel');
    this.#write(request);
    this.#number += 1;
    const requested = (this.#number << stateBits) | states.requested;
    Atomics.store(fields, at.state, requested);
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
    const outcome = Atomics.wait(fields, at.state, requested, timeout_ms);
    const idle = requested ^ states.requested;
    const settled = Atomics.exchange(fields, at.state, idle);
    if (settled === requested) {
      assert(outcome === 'timed-out', 'an asker is woken by an answer');
      throw new Failure('pages_timed_out', { timeout_ms });
    }
    const state = settled & stateMask;
    if (state === states.failed) throw new Failure('pages_refused', { reason: this.#readText() });
    assert(state === states.done, 'a request ends done or failed');
    return this.#bytes.subarray(pagesAt, pagesAt + request.count * pageSize);
  }

  #write({ timeline, family, firstBlock, count, floor }: PageRequest): void {
    const fields = this.#fields;
    fields[at.timeline] = timeline;
    fields[at.kind] = family.kind;
    fields[at.tablespace] = family.tablespace;
    fields[at.database] = family.database;
    fields[at.relation] = family.relation;
    fields[at.fork] = family.fork;
    fields[at.firstBlock] = firstBlock;
    fields[at.count] = count;
    this.#floor[0] = floor;
  }

  #readText(): string {
    const size = this.#fields[at.textSize]!;
    return new TextDecoder().decode(this.#bytes.slice(textAt, textAt + size));
  }
}

/**
 * The server's end: a request as it was written, and the memory its pages go to. `waiting` picks the
 * request up; `finish` and `refuse` settle the one picked up last.
 */
export class PageChannel {
  readonly #fields: Int32Array;
  readonly #floor: Float64Array;
  readonly #bytes: Uint8Array;
  #picked = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#fields = new Int32Array(memory, 0, 16);
    this.#floor = new Float64Array(memory, floorAt, 1);
    this.#bytes = new Uint8Array(memory);
  }

  get waiting(): boolean {
    this.#picked = Atomics.load(this.#fields, at.state);
    return (this.#picked & stateMask) === states.requested;
  }

  /** Tells the request picked up last from others. */
  get picked(): number {
    return this.#picked;
  }

  get request(): PageRequest {
    const fields = this.#fields;
    return {
      timeline: fields[at.timeline]! >>> 0,
      family: {
        kind: fields[at.kind]! as KeyKind,
        tablespace: fields[at.tablespace]! >>> 0,
        database: fields[at.database]! >>> 0,
        relation: fields[at.relation]! >>> 0,
        fork: fields[at.fork]!,
      },
      firstBlock: fields[at.firstBlock]! >>> 0,
      count: fields[at.count]!,
      floor: this.#floor[0]! as Lsn,
    };
  }

  /** Where the `count` pages of the request go. */
  pages(count: number): Uint8Array {
    return this.#bytes.subarray(pagesAt, pagesAt + count * pageSize);
  }

  finish(): void {
    this.#settle(states.done);
  }

  refuse(reason: string): void {
    const text = new TextEncoder().encode(reason).subarray(0, textMax);
    this.#bytes.set(text, textAt);
    this.#fields[at.textSize] = text.length;
    this.#settle(states.failed);
  }

  /** An asker that gave up meanwhile is idle or waits for another request, and stays so. */
  #settle(state: number): void {
    const fields = this.#fields;
    assert((this.#picked & stateMask) === states.requested, 'a request is picked up, then settled');
    const settled = (this.#picked & ~stateMask) | state;
    const before = Atomics.compareExchange(fields, at.state, this.#picked, settled);
    if (before === this.#picked) Atomics.notify(fields, at.state);
  }
}

/**
 * Calls `serve` whenever the bell rings, and as long as it says that there is more to do, until stopped.
 * Keeps no event loop alive.
 */
export class BellListener {
  readonly #bell: Int32Array;
  #listening = true;

  constructor(memory: SharedArrayBuffer) {
    this.#bell = new Int32Array(memory);
  }

  stop(): void {
    this.#listening = false;
    this.ring();
  }

  /** Has `serve` called, soon. */
  ring(): void {
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }

  /** Calls `serve` at once, too. Resolves when stopped; rejects when `serve` throws. */
  async listen(serve: () => boolean): Promise<void> {
    while (this.#listening) {
      const rung = Atomics.load(this.#bell, 0);
      const more = serve();
      const wait = more ? null : Atomics.waitAsync(this.#bell, 0, rung);
      if (wait?.async === true) await wait.value;
      else await setImmediate(); // the loop's other work has its turn first
    }
  }
}
