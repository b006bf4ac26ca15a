/**
 * PostgresClient: one connection to a Postgres server, over a Unix socket or TCP.
 *
 * Speaks the simple query protocol, text in and text out, and replication's copy-both mode. The
 * server must trust the connection: no passwords. What the server refuses is `postgres_error` with
 * its SQLSTATE; a connection that cannot be had or broke is `postgres_unreachable`.
 */
import { createConnection, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';
import { type BackendMessage } from 'pg-protocol/dist/messages.js';
import { Parser } from 'pg-protocol/dist/parser.js';
import { assert } from '../base/assert.ts';
import { Failure } from '../base/failure.ts';
import { PostgresFrames } from './postgres-frames.ts';

export interface PostgresClientOptions {
  /** A directory (Unix socket), when it begins with a slash, or a host name. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Further startup parameters, such as `application_name` and `replication`. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly timeout_ms: number;
}

/** What the last statement with a result returned; values as text. */
export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Who listens to copy-both mode. Called as bytes arrive, never while paused. */
export interface CopySink {
  /** One CopyData message. The bytes are the receiver's to keep. */
  onData(bytes: Buffer): void;
  /** Everything read from the socket at once has been handed over. */
  onReadDone(): void;
  /** The stream is over: null when the server ended it in order. Called once. */
  onEnd(failure: Failure | null): void;
}

/** What the parser's messages carry, each by its name. */
interface Row {
  readonly fields: readonly (string | null)[];
}
interface RowDescription {
  readonly fields: readonly { readonly name: string }[];
}
interface ServerError {
  readonly message: string;
  readonly code: string | undefined;
  readonly detail: string | undefined;
}

/** Type byte of CopyData, both ways: `d`. */
const copyData = 0x64;
/** What Node reads from a socket at a time, at most. */
const fullRead_bytes = 65_536;
/** After a full read, so much is gathered for the sink, unless nothing came for a few turns of the loop. */
const gatheredMax_bytes = 1_048_576;
const quietTurnsMax = 3;

/** What waits for the server's messages. */
interface Task {
  onMessage(message: BackendMessage): void;
  onGone(failure: Failure): void;
}

/** Connects. Fails with `postgres_unreachable` or, when refused, `postgres_error`. */
export async function connectPostgres(options: PostgresClientOptions): Promise<PostgresClient> {
  const { host, port, user, database, parameters } = options;
  const path = `${host}/.s.PGSQL.${port}`;
  const socket = createConnection(host.startsWith('/') ? { path } : { host, port });
  const client = new PostgresClient(socket);
  const timer = setTimeout(() => {
    client.destroy(new Failure('postgres_unreachable', { host, port, reason: 'timeout' }));
  }, options.timeout_ms);
  try {
    await client.startUp({ user, database, ...parameters });
  } catch (failure) {
    client.destroy(new Failure('postgres_unreachable', { host, port, reason: 'startup failed' }));
    throw failure;
  } finally {
    clearTimeout(timer);
  }
  return client;
}

export class PostgresClient {
  readonly #socket: Socket;
  readonly #frames = new PostgresFrames();
  readonly #parser = new Parser();
  #task: Task | null = null;
  /** The end of the queue: queries run one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #gone: Failure | null = null;
  readonly #whenClosed: Promise<void>;
  /** Set in copy-both mode. */
  #sink: CopySink | null = null;
  /** What full reads and those that followed brought, and whether anything came in the last turns. */
  #gathering: { bytes: number; quietTurns: number } | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      this.#onBytes(bytes as Buffer); // no encoding is set
    });
    socket.on('error', (error) => {
      this.destroy(new Failure('postgres_unreachable', { reason: error.message }, error));
    });
    this.#whenClosed = new Promise((resolve) => {
      socket.on('close', () => {
        this.destroy(new Failure('postgres_unreachable', { reason: 'connection closed' }));
        resolve();
      });
    });
  }

  get isOpen(): boolean {
    return this.#gone === null;
  }

  /** The startup exchange; `connectPostgres` calls it. */
  startUp(parameters: Record<string, string>): Promise<void> {
    return this.#run(serialize.startup(parameters), (resolve, reject) => ({
      onGone: reject,
      onMessage: (message) => {
        if (message.name === 'readyForQuery') resolve();
        else if (message.name === 'error') reject(asFailure(message));
        else if (message.name.startsWith('authentication') && message.name !== 'authenticationOk')
          reject(new Failure('postgres_unreachable', { reason: 'a password is wanted' }));
      },
    }));
  }

  /** Runs SQL. Queries given meanwhile wait their turn. Fails with `postgres_error`. */
  query(sql: string): Promise<QueryResult> {
    const result = this.#last.then(() => this.#queryNow(sql));
    this.#last = result.catch(ignore);
    return result;
  }

  /** Starts replication with `command`; from then on the connection is the sink's. */
  async startCopy(command: string, sink: CopySink): Promise<void> {
    await this.#last;
    let refused: Failure | null = null;
    await this.#run<undefined>(serialize.query(command), (resolve, reject) => ({
      onGone: reject,
      onMessage: (message) => {
        if (message.name === 'error') refused = asFailure(message);
        else if (message.name === 'readyForQuery') reject(refused ?? notCopying(command));
        else if (message.name === 'replicationStart') {
          this.#sink = sink;
          resolve(undefined);
        }
      },
    }));
  }

  /** Sends a message built by `copyMessage`. */
  send(message: Uint8Array): void {
    if (this.#gone === null) this.#socket.write(message);
  }

  /** Reads nothing more until `resume`: the server is held back by its full socket. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says goodbye and waits until the connection is closed. */
  async end(): Promise<void> {
    if (this.#gone === null) this.#socket.end(serialize.end());
    this.#socket.resume();
    await this.#whenClosed;
  }

  /** Closes at once; whoever waits hears `failure`. */
  destroy(failure: Failure): void {
    if (this.#gone !== null) return;
    this.#gone = failure;
    this.#socket.destroy();
    const task = this.#task;
    const sink = this.#sink;
    this.#task = null;
    this.#sink = null;
    task?.onGone(failure);
    sink?.onEnd(failure);
  }

  #queryNow(sql: string): Promise<QueryResult> {
    let columns: readonly string[] = [];
    let rows: (readonly (string | null)[])[] = [];
    let refused: Failure | null = null;
    return this.#run<QueryResult>(serialize.query(sql), (resolve, reject) => ({
      onGone: reject,
      onMessage: (message) => {
        if (message.name === 'rowDescription') {
          columns = as<RowDescription>(message).fields.map(({ name }) => name);
          rows = [];
        } else if (message.name === 'dataRow') {
          rows.push(as<Row>(message).fields);
        } else if (message.name === 'error') {
          refused = asFailure(message);
        } else if (message.name === 'readyForQuery') {
          if (refused === null) resolve({ columns, rows });
          else reject(refused);
        }
      },
    }));
  }

  /** Sends a request; the task made by `begin` hears the server until it settles. */
  #run<T>(
    request: Uint8Array,
    begin: (resolve: (value: T) => void, reject: (failure: Failure) => void) => Task,
  ): Promise<T> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    assert(this.#task === null, 'one request at a time');
    return new Promise<T>((resolve, reject) => {
      this.#task = begin(
        (value) => {
          this.#task = null;
          resolve(value);
        },
        (failure) => {
          this.#task = null;
          reject(failure);
        },
      );
      this.#socket.write(request);
    });
  }

  #onBytes(bytes: Buffer): void {
    this.#try(() => {
      this.#frames.push(bytes, (message) => {
        this.#onMessage(message);
      });
      this.#onReadDone(bytes.length);
    });
  }

  /**
   * A full read is followed by others: together they are one to the sink. A kernel holds a few of them;
   * whoever sends goes on while these are read.
   */
  #onReadDone(bytes: number): void {
    if (this.#gathering !== null) {
      this.#gathering.bytes += bytes;
      this.#gathering.quietTurns = 0;
    } else if (bytes < fullRead_bytes) {
      this.#sink?.onReadDone();
    } else {
      this.#gathering = { bytes, quietTurns: 0 };
      setImmediate(this.#gather);
    }
  }

  readonly #gather = (): void => {
    const gathering = this.#gathering!;
    gathering.quietTurns += 1;
    if (gathering.bytes < gatheredMax_bytes && gathering.quietTurns <= quietTurnsMax) {
      setImmediate(this.#gather);
      return;
    }
    this.#gathering = null;
    this.#try(() => this.#sink?.onReadDone());
  };

  #try(step: () => void): void {
    try {
      step();
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      this.destroy(failure);
    }
  }

  #onMessage(message: Buffer): void {
    if (this.#sink !== null && message[0] === copyData) this.#sink.onData(message.subarray(5));
    else
      this.#parser.parse(message, (parsed) => {
        if (this.#sink === null) this.#task?.onMessage(parsed);
        else this.#onCopyMessage(this.#sink, parsed);
      });
  }

  /** A server that shuts down completes the command, without a CopyDone. */
  #onCopyMessage(sink: CopySink, message: BackendMessage): void {
    const ends = ['error', 'copyDone', 'commandComplete'].includes(message.name);
    if (!ends) return;
    this.#sink = null;
    sink.onReadDone();
    sink.onEnd(message.name === 'error' ? asFailure(message) : null);
  }
}

/** A CopyData message with room for `size` bytes of payload, and where the payload begins. */
export function copyMessage(size: number): { readonly message: Buffer; readonly payload: number } {
  const payload = 5;
  const message = Buffer.allocUnsafe(payload + size);
  message[0] = copyData;
  message.writeUInt32BE(size + 4, 1);
  return { message, payload };
}

function notCopying(command: string): Failure {
  return new Failure('postgres_protocol_broken', { command });
}

function asFailure(message: BackendMessage): Failure {
  const error = as<ServerError>(message);
  return new Failure('postgres_error', {
    sqlstate: error.code ?? null,
    message: error.message,
    detail: error.detail ?? null,
  });
}

/** A message as its name says it is: the parser's types do not tell them apart. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- a cast with a name
function as<Message>(message: BackendMessage): Message {
  return message as unknown as Message;
}

function ignore(): void {
  // the query's own caller hears of it
}
