/**
 * PeerLink: one thread's way to the actors of another host: asks and tells go out, answers come back.
 *
 * Owns:    a connection, made when something is to be sent and made anew after it broke.
 * Promise: what is sent over one connection arrives in order. When it breaks, everything that waits
 *          for an answer fails at once; nothing is sent a second time.
 *
 * Back-pressure: what the other host does not take waits here, up to a limit; beyond it tells are
 * dropped and asks refused. Attempts to connect that fail are made ever less often.
 */
import { ensure, type Failure } from '../../base/failure.ts';
import { connectPeer, type PeerAddress, type PeerConnection } from '../../io/peer-connection.ts';
import {
  frameKinds,
  packFrameInParts,
  unpackFrame,
  type Frame,
  type FrameParts,
} from '../kernel/frame.ts';
import { localPath } from './peer-path.ts';
import { type PeerWorld } from './peer-world.ts';

const firstPause_ms = 50;
const lastPause_ms = 1_000;
/** Of asks and tells that wait for the connection, or for the other host to take them. */
const unsentMax_bytes = 64 * 2 ** 20;

export class PeerLink {
  readonly #world: PeerWorld;
  readonly #target: PeerAddress;
  readonly #closing = new AbortController();
  /** Of this link, among the threads and links of the kernel. */
  readonly #index: number;
  #connection: PeerConnection | null = null;
  #connecting = false;
  /** Waits for the connection that is being made. */
  #waiting: FrameParts[] = [];
  #waiting_bytes = 0;
  /** The failure of the last attempt: until `again_ms` nobody waits for another. */
  #failure: Failure | null = null;
  #pause_ms = firstPause_ms;
  #again_ms = 0;

  constructor(world: PeerWorld, target: PeerAddress, index: number) {
    this.#world = world;
    this.#target = target;
    this.#index = index;
  }

  /** False for a tell that is dropped. For an ask, fails with `peer_unreachable` or `ring_full`. */
  send(frame: Frame, waits: { readonly settled: boolean } | null): boolean {
    const parts = packFrameInParts(this.#addressed(frame));
    const fits = this.#unsent_bytes + sizeOf(parts) <= unsentMax_bytes;
    if (frame[0] === frameKinds.ask) ensure(fits, 'ring_full', { peer: this.#target.host });
    else if (!fits && waits === null) return false;
    if (this.#connection !== null) {
      this.#connection.send(parts.packed, parts.tail);
      return true;
    }
    return this.#sendLater(frame, parts);
  }

  /** Ends the connection, also one that is being made. There will be none any more. */
  close(): void {
    this.#closing.abort();
  }

  get #unsent_bytes(): number {
    return this.#connection?.unsent_bytes ?? this.#waiting_bytes;
  }

  #sendLater(frame: Frame, parts: FrameParts): boolean {
    if (frame[0] === frameKinds.forget) return true; // with the connection its ask has gone
    if (!this.#connecting) {
      if (this.#failure !== null && this.#world.clock.monotonic_ms() < this.#again_ms) {
        if (frame[0] === frameKinds.ask) throw this.#failure;
        return false;
      }
      void this.#connect();
    }
    this.#waiting.push({ ...parts, packed: parts.packed.slice() }); // packed bytes are reused
    this.#waiting_bytes += sizeOf(parts);
    return true;
  }

  async #connect(): Promise<void> {
    this.#connecting = true;
    const { self, onFrame } = this.#world;
    const { signal } = this.#closing;
    try {
      this.#connection = await connectPeer(
        self,
        { ...this.#target, signal },
        {
          onMessage: (bytes, tail) => {
            onFrame(this.#index, unpackFrame(bytes, tail));
          },
          onClose: (failure) => {
            this.#connection = null;
            this.#world.onGone(this.#index, failure);
          },
        },
      );
      this.#failure = null;
      this.#pause_ms = firstPause_ms;
      for (const { packed, tail } of this.#takeWaiting()) this.#connection.send(packed, tail);
    } catch (error) {
      this.#failed(error as Failure); // connectPeer fails with nothing else
    } finally {
      this.#connecting = false;
    }
  }

  #failed(failure: Failure): void {
    const { clock, log } = this.#world;
    if (failure.kind === 'invalid' && this.#failure?.code !== failure.code)
      log('error', `peer ${this.#target.host}`, 'not connected', { failure: failure.message });
    this.#failure = failure;
    this.#again_ms = clock.monotonic_ms() + this.#pause_ms;
    this.#pause_ms = Math.min(2 * this.#pause_ms, lastPause_ms);
    this.#takeWaiting();
    this.#world.onGone(this.#index, failure);
  }

  #takeWaiting(): readonly FrameParts[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waiting_bytes = 0;
    return waiting;
  }

  /** To an actor of the other host, from one of ours. */
  #addressed(frame: Frame): Frame {
    const { host } = this.#world.self;
    if (frame[0] === frameKinds.tell)
      return [0, localPath(frame[1]), `${host}:${frame[2]}`, frame[3]];
    if (frame[0] === frameKinds.ask)
      return [1, frame[1], localPath(frame[2]), `${host}:${frame[3]}`, frame[4]];
    return frame;
  }
}

function sizeOf({ packed, tail }: FrameParts): number {
  return packed.length + tail.length;
}
