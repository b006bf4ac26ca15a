/**
 * PostgresServer: the server's side of Postgres's wire protocol, version 3.0, on a TCP port. What is
 * said on a connection is its user's; here are its beginning, its messages and its bounds.
 *
 * Owns:    the listening socket and the connections made to it.
 * Promise: nothing is read that nobody asks for, and `write` waits while the client does not read:
 *          neither side's slowness fills memory.
 * Never:   encrypts, or asks for a password.
 */
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { BufferReader } from 'pg-protocol/dist/buffer-reader.js';
import { ensure, Failure } from '../base/failure.ts';
import { PostgresFrames } from './postgres-frames.ts';
import { negotiateVersion, protocolVersion } from './postgres-replies.ts';

export interface PostgresServerOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** More are dropped at once. */
  readonly connectionsMax: number;
  readonly onConnection: (connection: PostgresConnection) => void;
  /** A connection could not be taken, for want of descriptors, say. */
  readonly onTrouble: (reason: string) => void;
}

export interface PostgresServer {
  /** With the port it has: `127.0.0.1:7433`. */
  readonly address: string;
  /** Stops listening, and settles when every connection has ended: that is their users' to do. */
  close(): Promise<void>;
}

/** Parameters a client connects with, such as `user` and `options`. */
export type StartupParameters = ReadonlyMap<string, string>;

/** A message of a client after its startup. */
export interface ClientMessage {
  /** One letter. */
  readonly type: string;
  readonly payload: Buffer;
}

/** `MAX_STARTUP_PACKET_LENGTH`. */
const startupSizeMax = 10_000;
/** Commands and reports of where a standby is: short. */
const messageSizeMax = 65_536;
/** What waits for the network before `write` makes its caller wait. */
const unsent_bytes = 262_144;
const tcpKeepalive_ms = 60_000;
/** Asked for before the startup, each once at most: encryption by TLS and by GSSAPI. */
const encryptionRequests: readonly number[] = [80_877_103, 80_877_104];
const cancelRequest = 80_877_102;
const no = Buffer.from('N');
const nothing = Buffer.alloc(0);
/** Names of protocol extensions begin so. */
const extensionPrefix = '_pq_.';

/** Listens. Fails with `address_in_use` or `address_refused`. */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const server = createServer({ noDelay: true, highWaterMark: unsent_bytes }, (socket) => {
    socket.setKeepAlive(true, tcpKeepalive_ms);
    options.onConnection(new PostgresConnection(socket));
  });
  server.maxConnections = options.connectionsMax;
  await listen(server, options);
  server.on('error', (error) => {
    options.onTrouble(error.message);
  });
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : options.port;
  const host = isIPv6(options.address) ? `[${options.address}]` : options.address;
  return { address: `${host}:${port}`, close: () => close(server) };
}

/** One client. */
export class PostgresConnection {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer, undefined>;
  readonly #frames = new PostgresFrames(messageSizeMax);
  /** Whole messages that were read and not yet asked for: of one chunk. */
  readonly #messages: Buffer[] = [];
  /** What was read behind a startup packet. */
  #rest: Buffer = nothing;

  constructor(socket: Socket) {
    this.#socket = socket;
    // No encoding is set: bytes come.
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    socket.on('error', ignore); // `close` follows
  }

  /** Whether what is written may still arrive. */
  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /**
   * The startup: what the client wants, or null when it went away or came to cancel something.
   * Encryption is declined, and so is what a later protocol would have.
   */
  async startUp(): Promise<StartupParameters | null> {
    for (let declined = 0; ; declined += 1) {
      const packet = await this.#startupPacket();
      const asked = packet?.readUInt32BE(0) ?? cancelRequest;
      if (packet === null || asked === cancelRequest) return null;
      if (!encryptionRequests.includes(asked)) return this.#negotiate(asked, packet);
      ensure(declined < encryptionRequests.length, 'postgres_protocol_broken', { asked });
      await this.write(no);
    }
  }

  /** The next message, or null when the client has gone. Fails with `postgres_protocol_broken`. */
  async next(): Promise<ClientMessage | null> {
    while (this.#messages.length === 0) {
      const chunk = await this.#read();
      if (chunk === null) return null;
      this.#frames.push(chunk, (message) => this.#messages.push(message));
    }
    const message = this.#messages.shift()!;
    return { type: String.fromCharCode(message[0]!), payload: message.subarray(5) };
  }

  /** Sends bytes in order; settles when there is room for more, or nobody to send to. */
  async write(...parts: readonly Uint8Array[]): Promise<void> {
    if (!this.isOpen) return;
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
    if (this.#socket.writableNeedDrain) await this.#room();
  }

  /** Says something last, and closes. Settles when the client has closed as well. */
  async end(...parts: readonly Uint8Array[]): Promise<void> {
    if (this.isOpen) {
      for (const part of parts) this.#socket.write(part);
      this.#socket.end();
    }
    while ((await this.#read()) !== null); // what it still says is of no use
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  async #negotiate(version: number, packet: Buffer): Promise<StartupParameters> {
    ensure(version >>> 16 === protocolVersion >>> 16, 'postgres_protocol_broken', { version });
    const parameters = readParameters(packet.subarray(4));
    const extensions = [...parameters.keys()].filter((name) => name.startsWith(extensionPrefix));
    const wantsMore = version > protocolVersion || extensions.length > 0;
    if (wantsMore) await this.write(negotiateVersion(extensions));
    return parameters;
  }

  /** A message without a type, from behind its length on. */
  async #startupPacket(): Promise<Buffer | null> {
    let got = nothing;
    for (;;) {
      if (got.length >= 4) {
        const size = got.readUInt32BE(0);
        const fits = size >= 8 && size <= startupSizeMax;
        ensure(fits, 'postgres_protocol_broken', { length: size });
        if (got.length >= size) {
          this.#rest = got.subarray(size);
          return got.subarray(4, size);
        }
      }
      const chunk = await this.#read();
      if (chunk === null) return null;
      got = Buffer.concat([got, chunk]);
    }
  }

  /** The next bytes, or null when there will be none, for whatever reason. */
  async #read(): Promise<Buffer | null> {
    const rest = this.#rest;
    this.#rest = nothing;
    if (rest.length > 0) return rest;
    try {
      return (await this.#chunks.next()).value ?? null;
    } catch {
      return null; // reset, or closed by us
    }
  }

  #room(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      function done(): void {
        socket.off('drain', done).off('close', done);
        resolve();
      }
      socket.on('drain', done).on('close', done);
    });
  }
}

/** Names and values, each ended by a zero, up to an empty name. */
function readParameters(bytes: Buffer): StartupParameters {
  ensure(bytes.at(-1) === 0, 'postgres_protocol_broken', { startup: 'is not ended' });
  const reader = new BufferReader();
  reader.setBuffer(0, bytes);
  const parameters = new Map<string, string>();
  for (let name = reader.cstring(); name !== ''; name = reader.cstring())
    parameters.set(name, reader.cstring());
  return parameters;
}

async function listen(server: Server, { address, port }: PostgresServerOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen({ host: address, port }, () => {
    resolve(undefined);
  });
  try {
    await promise;
  } catch (cause) {
    const inUse = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const code = inUse ? 'address_in_use' : 'address_refused';
    throw new Failure(code, { address, port, reason: String(cause) }, cause);
  } finally {
    server.off('error', reject);
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}

function ignore(): void {
  // an error of a socket is met where it is read or written
}
