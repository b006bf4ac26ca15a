/**
 * PeerConnection: an authenticated connection between two hosts, over which whole messages go.
 *
 * Both sides prove that they know the cluster's secret, in three messages of JSON:
 *
 * ```
 * caller  { "stemma": 2, "from": "a", "to": "b", "nonce": … }
 * called  { "nonce": …, "proof": HMAC-SHA-256(secret, "called", hello, nonce) }
 * caller  { "proof": HMAC-SHA-256(secret, "caller", hello, nonce) }
 * ```
 *
 * Who answers with a proof has chosen a nonce of its own, so nothing can be replayed; the role is part
 * of what is proved, so nothing can be reflected. What follows is neither encrypted nor signed: hosts
 * of a cluster share a network they trust, as replication of Postgres without TLS does.
 */
import { Buffer } from 'node:buffer';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { ensure, Failure } from '../base/failure.ts';
import { frameMessage, MessageReader, type MessageListener } from './message-stream.ts';

/** What hosts of one cluster know of each other. */
export interface PeerIdentity {
  /** This host's name. */
  readonly host: string;
  readonly secret: string;
}

export interface PeerAddress {
  /** The other host's name. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

/** Whom to call, and when not to any more. */
export interface PeerCall extends PeerAddress {
  readonly signal: AbortSignal;
}

export interface ConnectionListener {
  /** The bytes are the listener's. */
  readonly onMessage: MessageListener;
  /** Once, however it ends. */
  onClose(failure: Failure): void;
}

/** What a stranger says may be anything. */
interface Hello {
  readonly stemma: unknown;
  readonly from: unknown;
  readonly to: unknown;
  readonly nonce: unknown;
}
interface Welcome {
  readonly nonce: unknown;
  readonly proof: unknown;
}

const noTail = new Uint8Array(0);
/** Of the handshake and of what follows it: hosts that say another one do not understand each other. */
const version = 2;
const nonceSize = 32;
/** Before anybody is known: longer ones are no handshake. */
const handshakeLength_max = 1_024;
/** The longest WAL record Postgres makes (`XLogRecordMaxSize`, 1020 MiB) goes in one message. */
const messageLength_max = 1_024 * 2 ** 20;
const handshakeTimeout_ms = 5_000;
/** Callers that have not proved anything yet. */
const strangersMax = 64;
/** A host that lost its power says nothing: the kernel asks after so long, a few times. */
const keepAliveDelay_ms = 5_000;

/** A connection whose other end has proved who it is. */
export class PeerConnection {
  readonly peer: string;
  readonly #socket: Socket;

  constructor(peer: string, socket: Socket) {
    this.peer = peer;
    this.#socket = socket;
  }

  /** Bytes given to `send` that the kernel has not taken. */
  get unsent_bytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * Sends a message; the bytes may be reused at once, a tail's never. Nothing happens when it is closed.
   */
  send(bytes: Uint8Array, tail: Uint8Array = noTail): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (tail.length === 0) {
      socket.write(frameMessage(bytes));
      return;
    }
    socket.cork();
    socket.write(frameMessage(bytes, tail));
    socket.write(tail);
    socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/**
 * Calls another host. Fails with `peer_unreachable` (also when it does not answer in time, or the call is
 * ended by its signal, as is the connection), and with `peer_refused` when it does not know the secret or is
 * another host.
 */
export function connectPeer(
  self: PeerIdentity,
  target: PeerCall,
  listener: ConnectionListener,
): Promise<PeerConnection> {
  const { host: peer, address, port, signal } = target;
  const hello = { stemma: version, from: self.host, to: peer, nonce: newNonce() };
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true, signal });
    const conversation = new Conversation(socket, peer, (bytes) => {
      const { nonce, proof } = parseMessage(bytes) as Welcome;
      ensureProof(self.secret, 'called', { ...hello, called: nonce, proof });
      sendMessage(socket, { proof: prove(self.secret, 'caller', hello, nonce) });
      resolve(conversation.accept(listener));
    });
    conversation.onFailure = reject;
    socket.once('connect', () => {
      sendMessage(socket, hello);
    });
  });
}

export interface PeerServer {
  readonly port: number;
  close(): void;
}

export interface PeerServerOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly onPeer: (connection: PeerConnection) => ConnectionListener;
  /** Somebody called who is no peer. */
  readonly onStranger: (failure: Failure) => void;
}

/** Takes calls of other hosts. Fails with `address_in_use` or `address_refused`. */
export async function listenForPeers(
  self: PeerIdentity,
  { address, port, onPeer, onStranger }: PeerServerOptions,
): Promise<PeerServer> {
  const strangers = new Set<Socket>();
  const known = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    if (strangers.size >= strangersMax) {
      socket.destroy();
      return;
    }
    strangers.add(socket);
    socket.once('close', () => {
      strangers.delete(socket);
      known.delete(socket);
    });
    const conversation = welcome(self, socket, () => {
      strangers.delete(socket);
      known.add(socket);
      conversation.acceptAs(onPeer);
    });
    conversation.onFailure = onStranger;
  });
  const bound = await listen(server, address, port);
  return {
    port: bound,
    close: () => {
      server.close();
      for (const socket of [...strangers, ...known]) socket.destroy();
    },
  };
}

/** The called side of the handshake. */
function welcome(self: PeerIdentity, socket: Socket, onKnown: () => void): Conversation {
  const called = newNonce();
  let hello: Hello | null = null;
  const conversation = new Conversation(socket, '?', (bytes) => {
    if (hello === null) {
      hello = parseMessage(bytes) as Hello;
      const fits = hello.stemma === version && hello.to === self.host;
      ensure(fits, 'peer_refused', { version: String(hello.stemma), ...names(hello) });
      sendMessage(socket, { nonce: called, proof: prove(self.secret, 'called', hello, called) });
      return;
    }
    const { proof } = parseMessage(bytes) as { readonly proof: unknown };
    ensureProof(self.secret, 'caller', { ...hello, called, proof });
    conversation.peer = String(hello.from);
    onKnown();
  });
  return conversation;
}

/** A socket and what is said on it: first the handshake, then messages. */
class Conversation {
  peer: string;
  onFailure: (failure: Failure) => void = () => undefined;
  readonly #socket: Socket;
  readonly #reader: MessageReader;
  #listener: ConnectionListener | null = null;

  constructor(socket: Socket, peer: string, onHandshake: (bytes: Uint8Array) => void) {
    this.#socket = socket;
    this.peer = peer;
    this.#reader = new MessageReader(handshakeLength_max, (bytes, tail) => {
      if (this.#listener === null) onHandshake(bytes);
      else this.#listener.onMessage(bytes, tail);
    });
    socket.setTimeout(handshakeTimeout_ms, () => socket.destroy(timedOut));
    socket.setKeepAlive(true, keepAliveDelay_ms);
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    let cause: Error | null = null;
    socket.on('error', (error) => {
      cause = error;
    });
    socket.once('close', () => {
      this.#closed(cause);
    });
  }

  accept(listener: ConnectionListener): PeerConnection {
    return this.acceptAs(() => listener);
  }

  /** The other end is known: what comes from now on is for the listener. */
  acceptAs(onPeer: (connection: PeerConnection) => ConnectionListener): PeerConnection {
    const connection = new PeerConnection(this.peer, this.#socket);
    this.#socket.setTimeout(0);
    this.#reader.length_max = messageLength_max;
    this.#listener = onPeer(connection);
    return connection;
  }

  /** A stranger's bytes are the stranger's fault: they end the conversation and nothing else. */
  #take(bytes: Buffer): void {
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#socket.destroy(error);
    }
  }

  #closed(cause: Error | null): void {
    const { peer } = this;
    const why = cause?.message ?? 'closed';
    const refused = cause instanceof Failure && cause.code === 'peer_refused';
    const failure = refused ? cause : new Failure('peer_unreachable', { peer, why }, cause);
    if (this.#listener === null) this.onFailure(failure);
    else this.#listener.onClose(failure);
  }
}

const timedOut = new Error('no answer to the handshake');

function newNonce(): string {
  return randomBytes(nonceSize).toString('hex');
}

// four parameters: they are what is proved
function prove(secret: string, role: 'caller' | 'called', hello: Hello, called: unknown): string {
  const { from, to, nonce } = hello;
  const said = JSON.stringify([version, role, from, to, nonce, called]);
  return createHmac('sha256', secret).update(said).digest('hex');
}

interface Proved extends Hello {
  readonly called: unknown;
  readonly proof: unknown;
}

function ensureProof(secret: string, role: 'caller' | 'called', proved: Proved): void {
  const expected = Buffer.from(prove(secret, role, proved, proved.called));
  const given = Buffer.from(String(proved.proof));
  const holds = given.length === expected.length && timingSafeEqual(given, expected);
  ensure(holds, 'peer_refused', { ...names(proved), why: 'another secret' });
}

function names({ from, to }: Hello): { readonly from: string; readonly to: string } {
  return { from: String(from), to: String(to) };
}

function sendMessage(socket: Socket, message: object): void {
  socket.write(frameMessage(Buffer.from(JSON.stringify(message))));
}

function parseMessage(bytes: Uint8Array): object {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString());
    ensure(typeof parsed === 'object' && parsed !== null, 'peer_refused', { why: 'no handshake' });
    return parsed;
  } catch (cause) {
    throw new Failure('peer_refused', { why: 'no handshake' }, cause);
  }
}

function listen(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'EADDRINUSE' ? 'address_in_use' : 'address_refused';
      reject(new Failure(code, { address, port, reason: cause.message }, cause));
    });
    server.listen({ host: address, port, exclusive: true }, () => {
      const bound = server.address();
      resolve(bound !== null && typeof bound === 'object' ? bound.port : port);
    });
  });
}
