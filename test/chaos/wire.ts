/**
 * Wire: a TCP connection's way between two hosts, as a process in between can spoil it: it stalls without
 * a word, drops what goes one way, or is cut after so many bytes.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { type TestContext } from 'node:test';

/** `forth` is from the caller to the called. */
export type Direction = 'forth' | 'back';

const address = '127.0.0.1';

/** Listens on a free port, for the host that listens on `port`. */
export async function layWire(test: TestContext, port: number): Promise<Wire> {
  const server = createServer();
  server.listen(0, address);
  await once(server, 'listening');
  const wire = new Wire(server, port);
  test.after(() => {
    wire.close();
  });
  return wire;
}

export class Wire {
  /** Where the caller calls. */
  readonly port: number;
  readonly #server: Server;
  readonly #target: number;
  /** With the direction of what is read from each. */
  readonly #sockets = new Map<Socket, Direction>();
  readonly #stalled = new Set<Direction>();
  readonly #dropped = new Set<Direction>();
  #cut: { readonly direction: Direction; left: number } | null = null;
  #cuts = 0;

  constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.#join(socket);
    });
  }

  /** Times it was cut. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Nothing more goes that way; what comes meanwhile waits, and nobody is told. */
  stall(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#stalled.add(direction);
    for (const [socket, direction] of this.#sockets)
      if (this.#stalled.has(direction)) socket.pause();
  }

  /** What goes that way is lost, though both ends stay connected. */
  drop(direction: Direction): void {
    this.#dropped.add(direction);
  }

  /** Breaks the connection when so many bytes more have gone that way. */
  cutAfter(bytes: number, direction: Direction): void {
    this.#cut = { direction, left: bytes };
  }

  /** As a wire should be. Connections that lost something are broken, as they would be in time. */
  mend(): void {
    const lost = this.#dropped.size > 0;
    this.#stalled.clear();
    this.#dropped.clear();
    this.#cut = null;
    for (const socket of this.#sockets.keys()) {
      if (lost) socket.destroy();
      else socket.resume();
    }
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #join(caller: Socket): void {
    const called = connect({ host: address, port: this.#target, noDelay: true });
    caller.setNoDelay(true);
    this.#sockets.set(caller, 'forth').set(called, 'back');
    for (const socket of [caller, called]) {
      socket.on('error', () => undefined); // the close that follows says it
      socket.on('close', () => {
        this.#sockets.delete(socket);
        caller.destroy();
        called.destroy();
      });
    }
    this.#carry(caller, called, 'forth');
    this.#carry(called, caller, 'back');
  }

  #carry(from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (bytes: Buffer) => {
      const cut = this.#cut?.direction === direction ? this.#cut : null;
      const whole = cut === null || bytes.length < cut.left;
      if (!this.#dropped.has(direction)) to.write(whole ? bytes : bytes.subarray(0, cut.left));
      if (cut !== null) cut.left -= bytes.length;
      if (!whole) {
        this.#cut = null;
        this.#cuts += 1;
        to.end(() => from.destroy());
      }
    });
    if (this.#stalled.has(direction)) from.pause();
  }
}
