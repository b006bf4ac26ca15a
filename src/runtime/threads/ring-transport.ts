/**
 * RingTransport: the kernel's transport between worker threads: a ring per ordered pair, MessagePack,
 * and a bell that is rung only when the receiver sleeps.
 *
 * Back-pressure: a tell that finds no room is refused; asks and answers wait in order, and nothing
 * overtakes them. Beyond `waitingMax` per thread asks are refused too. A sleeping thread is kept alive by its
 * heartbeat, since `Atomics.waitAsync` holds no event loop open.
 */
import { ensure } from '../../base/failure.ts';
import {
  frameKinds,
  packFrame,
  unpackFrame,
  unpackFrameCopying,
  type Frame,
} from '../kernel/frame.ts';
import { type Transport } from '../kernel/kernel.ts';
import { type Pulse } from './pulse.ts';
import { RingConsumer, RingProducer, smallMessage_max } from './ring.ts';

/** The two rings between this thread and another. */
export interface RingPair {
  readonly thread: number;
  readonly inbound: SharedArrayBuffer;
  readonly outbound: SharedArrayBuffer;
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly waits: { readonly settled: boolean };
}

interface Peer {
  readonly inbound: RingConsumer;
  readonly outbound: RingProducer;
  readonly waiting: Waiting[];
  /** How much of the first waiting message is in the ring already. */
  sent: number;
}

const waitingMax = 4_096;
/** The longest WAL record Postgres makes (`XLogRecordMaxSize`, 1020 MiB) goes in one message. */
const messageLength_max = 1_024 * 2 ** 20;
/** Messages taken before the event loop gets its turn. */
const drainMax = 512;

export class RingTransport implements Transport {
  readonly #self: number;
  readonly #pulse: Pulse;
  readonly #peers: (Peer | null)[] = [];
  #onFrame: (thread: number, frame: Frame) => void = () => undefined;
  #closed = false;
  /** Of one message, in bytes. */
  readonly #longest: number;

  constructor(self: number, pulse: Pulse, longest = messageLength_max) {
    this.#self = self;
    this.#pulse = pulse;
    this.#longest = longest;
  }

  connect({ thread, inbound, outbound }: RingPair): void {
    this.#peers[thread] = {
      inbound: new RingConsumer(inbound),
      outbound: new RingProducer(outbound),
      waiting: [],
      sent: 0,
    };
    this.#pulse.ring(this.#self);
  }

  /** The thread is gone. What it sent is taken, what waited for it is dropped. */
  disconnect(thread: number): void {
    const peer = this.#peers[thread];
    if (peer != null) this.#drain(thread, peer, Infinity);
    this.#peers[thread] = null;
  }

  /** Begins to receive. */
  listen(onFrame: (thread: number, frame: Frame) => void): void {
    this.#onFrame = onFrame;
    this.#work();
  }

  close(): void {
    this.#closed = true;
    this.#pulse.ring(this.#self);
  }

  send(thread: number, frame: Frame, waits: { readonly settled: boolean } | null): boolean {
    const peer = this.#peers[thread];
    if (peer == null) return false;
    const bytes = packFrame(frame);
    ensure(bytes.length <= this.#longest, 'message_too_large', { length: bytes.length });
    if (peer.waiting.length === 0 && peer.outbound.fits(bytes.length)) {
      peer.outbound.write(bytes, 0);
      this.#pulse.ring(thread);
      return true;
    }
    if (waits === null) return false;
    // Answers and what follows an ask are bounded by the asks.
    const refusable = frame[0] === frameKinds.ask;
    ensure(!refusable || peer.waiting.length < waitingMax, 'ring_full', { thread });
    peer.waiting.push({ bytes: bytes.slice(), waits }); // packed bytes are reused
    this.#flush(thread, peer);
    return true;
  }

  readonly #work = (): void => {
    while (!this.#closed) {
      if (this.#drainAll()) {
        setImmediate(this.#work);
        return;
      }
      this.#pulse.fallAsleep(this.#self);
      if (this.#hasMail()) {
        this.#pulse.stayAwake(this.#self);
        continue;
      }
      if (this.#pulse.sleep(this.#self, this.#work)) return;
    }
  };

  /** True when there may be more. */
  #drainAll(): boolean {
    let more = false;
    for (const [thread, peer] of this.#peers.entries()) {
      if (peer == null) continue;
      this.#flush(thread, peer);
      if (this.#drain(thread, peer, drainMax)) more = true;
    }
    return more;
  }

  #drain(thread: number, peer: Peer, max: number): boolean {
    let taken = 0;
    while (taken < max) {
      const bytes = peer.inbound.next();
      if (bytes === null) break;
      taken += 1;
      const small = bytes.length <= smallMessage_max;
      this.#onFrame(thread, small ? unpackFrameCopying(bytes) : unpackFrame(bytes));
    }
    if (peer.inbound.takeWaiting()) this.#pulse.ring(thread);
    return taken === max;
  }

  #hasMail(): boolean {
    return this.#peers.some(
      (peer) => peer != null && (!peer.inbound.empty || this.#canFlush(peer)),
    );
  }

  #canFlush(peer: Peer): boolean {
    return peer.waiting.length > 0 && peer.outbound.hasRoom;
  }

  /** Moves what waits into the ring, in order; asks for a wake when the ring is full. */
  #flush(thread: number, peer: Peer): void {
    if (peer.waiting.length === 0) return;
    do {
      this.#moveWaiting(peer);
      if (peer.waiting.length > 0) peer.outbound.awaitRoom();
      // Room made before the consumer could see that we wait would never be announced.
    } while (this.#canFlush(peer));
    this.#pulse.ring(thread);
  }

  /** Skips asks that have expired meanwhile. */
  #moveWaiting(peer: Peer): void {
    for (let first = peer.waiting[0]; first !== undefined; first = peer.waiting[0]) {
      if (peer.sent > 0 || !first.waits.settled) {
        peer.sent = peer.outbound.write(first.bytes, peer.sent);
        if (peer.sent < first.bytes.length) return;
      }
      peer.waiting.shift();
      peer.sent = 0;
    }
  }
}
