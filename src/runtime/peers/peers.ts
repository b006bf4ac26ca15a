/**
 * Peers: other hosts, as one thread reaches them. It stands in front of the thread's own directory and
 * transport: a path that names another host goes over a link to it, and to the kernel a link, like
 * each connection of another host to us, is one more thread with a number of its own.
 */
import { systemClock } from '../../io/clock.ts';
import {
  listenForPeers,
  type ConnectionListener,
  type PeerAddress,
  type PeerConnection,
  type PeerServer,
} from '../../io/peer-connection.ts';
import { packFrameInParts, unpackFrame, type Frame } from '../kernel/frame.ts';
import { type Directory, type Kernel, type Transport } from '../kernel/kernel.ts';
import { PeerLink } from './peer-link.ts';
import { hostOfPath } from './peer-path.ts';
import { type PeersOptions, type PeerWorld } from './peer-world.ts';

/** Threads are numbered from 0; links from here, and what calls us behind them. */
const firstLink = 1_000;
const firstCaller = 1_000_000;

/** What a thread has for its own host. */
interface Within {
  readonly directory: Directory;
  readonly transport: Transport;
}

// four parameters: a kernel and its peers know each other, so the kernel comes late
export function connectPeers(
  options: PeersOptions,
  within: Within,
  log: PeerWorld['log'],
  kernel: () => Kernel,
): Peers {
  const world: PeerWorld = {
    self: options.self,
    clock: systemClock,
    log,
    onFrame: (thread, frame) => {
      kernel().onFrame(thread, frame);
    },
    onGone: (thread, failure) => {
      kernel().onPartnerGone(thread, failure);
    },
  };
  return new Peers(world, options.hosts, within);
}

export class Peers implements Directory, Transport {
  readonly #world: PeerWorld;
  readonly #within: Within;
  readonly #linkOf = new Map<string, number>();
  readonly #links: readonly PeerLink[];
  readonly #callers = new Map<number, PeerConnection>();
  #callersSeen = 0;
  #server: PeerServer | null = null;

  constructor(world: PeerWorld, hosts: readonly PeerAddress[], within: Within) {
    this.#world = world;
    this.#within = within;
    this.#links = hosts.map((host, index) => new PeerLink(world, host, firstLink + index));
    for (const [index, { host }] of hosts.entries()) this.#linkOf.set(host, firstLink + index);
  }

  /** Takes calls of other hosts. Fails with `address_in_use` or `address_refused`. */
  async listen(address: string, port: number): Promise<void> {
    const { self, log } = this.#world;
    this.#server = await listenForPeers(self, {
      address,
      port,
      onPeer: (connection) => this.#called(connection),
      onStranger: (failure) => {
        log('warn', 'peers', 'a call was refused', { failure: failure.message });
      },
    });
  }

  close(): void {
    this.#server?.close();
    for (const link of this.#links) link.close();
  }

  threadOf(path: string): number | null {
    const host = hostOfPath(path);
    if (host === null) return this.#within.directory.threadOf(path);
    return this.#linkOf.get(host) ?? null;
  }

  send(thread: number, frame: Frame, waits: { readonly settled: boolean } | null): boolean {
    if (thread < firstLink) return this.#within.transport.send(thread, frame, waits);
    if (thread < firstCaller) return this.#links[thread - firstLink]!.send(frame, waits);
    const { packed, tail } = packFrameInParts(frame);
    this.#callers.get(thread)?.send(packed, tail); // one who has gone waits for nothing
    return true;
  }

  #called(connection: PeerConnection): ConnectionListener {
    const index = firstCaller + this.#callersSeen;
    this.#callersSeen += 1;
    this.#callers.set(index, connection);
    const { onFrame, onGone } = this.#world;
    return {
      onMessage: (bytes, tail) => {
        onFrame(index, unpackFrame(bytes, tail));
      },
      onClose: (failure) => {
        this.#callers.delete(index);
        onGone(index, failure);
      },
    };
  }
}
