/**
 * ReplicationStream: WAL out of one running Postgres, by its physical replication protocol
 * (https://www.postgresql.org/docs/current/protocol-replication.html).
 *
 * Owns:    the connection. Promise: bytes come out contiguous and in order.
 *
 * A permanent slot keeps Postgres from recycling WAL we lack, across restarts of Postgres too: the
 * data directory it lives in is this Postgres's own, and is laid out anew for the next one.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, lsn, lsnZero, type Lsn } from '../../base/lsn.ts';
import { connectPostgres, copyMessage, type PostgresClient } from '../../io/postgres-client.ts';
import {
  replicationMessages,
  statusSize,
  walHeaderSize,
  writeTimestamp,
  writeU64,
} from '../../io/replication-messages.ts';
import { type Follow } from './protocol.ts';

export interface StreamListener {
  /** There is something to `take`. Not called again until it was taken. */
  onArrived(): void;
  onEnd(end: StreamEnd): void;
}

export interface StreamEnd {
  readonly reason: string;
  /** Postgres has shut down, and all that it wrote had been acknowledged before. */
  readonly orderly: boolean;
}

interface Arrived {
  readonly begin: Lsn;
  readonly bytes: Uint8Array;
}

const connectTimeout_ms = 5_000;
/** More than this untaken means that nobody listens any more: the proposer began anew without us. */
const untakenBytesMax = 67_108_864;
const duplicateObject = '42710';

/** Connects and starts streaming at `from`. */
export async function openStream(
  follow: Follow,
  from: Lsn,
  listener: StreamListener,
): Promise<ReplicationStream> {
  const { address, applicationName, slot } = follow;
  const client = await connectPostgres({
    ...address,
    database: 'replication',
    parameters: { replication: 'true', application_name: applicationName },
    timeout_ms: connectTimeout_ms,
  });
  try {
    await makeSlot(client, slot);
    const stream = new ReplicationStream(client, from, listener);
    const command = `START_REPLICATION SLOT ${quoted(slot)} PHYSICAL ${formatLsn(from)} TIMELINE 1`;
    await client.startCopy(command, stream);
    return stream;
  } catch (failure) {
    client.destroy(new Failure('postgres_stream_closed', {}));
    throw failure;
  }
}

export class ReplicationStream {
  readonly #client: PostgresClient;
  readonly #listener: StreamListener;
  #next: Lsn;
  #pieces: Uint8Array[] = [];
  #untaken = 0;
  #announced = false;
  #ended: StreamEnd | null = null;
  #replyWanted = false;
  #received: Lsn = lsnZero;
  #committed: Lsn = lsnZero;
  #now_ms = 0;

  constructor(client: PostgresClient, from: Lsn, listener: StreamListener) {
    this.#client = client;
    this.#listener = listener;
    this.#next = from;
  }

  /** How it ended; null while it has not. */
  get ended(): StreamEnd | null {
    return this.#ended;
  }

  /** Everything that arrived since the last call, in one piece; null when there is nothing. */
  take(): Arrived | null {
    const pieces = this.#pieces;
    this.#announced = false;
    if (pieces.length === 0) return null;
    this.#pieces = [];
    this.#untaken = 0;
    const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    return { begin: lsn(this.#next - bytes.length), bytes };
  }

  /** Tells Postgres how far we are: it returns commits up to `committed`. */
  report(received: Lsn, committed: Lsn, now_ms: number): void {
    this.#received = received;
    this.#committed = committed;
    this.#now_ms = now_ms;
    this.#sendStatus();
  }

  pause(): void {
    this.#client.pause();
  }

  resume(): void {
    this.#client.resume();
  }

  close(): void {
    this.#client.destroy(new Failure('postgres_stream_closed', {}));
  }

  onData(bytes: Buffer): void {
    if (bytes[0] === replicationMessages.wal) this.#onWal(bytes);
    else if (bytes[0] === replicationMessages.keepalive) this.#replyWanted = bytes.at(-1) === 1;
    else ensure(false, 'postgres_protocol_broken', { kind: bytes[0] ?? null });
  }

  onReadDone(): void {
    if (this.#replyWanted) {
      this.#replyWanted = false;
      this.#sendStatus();
    }
    if (this.#untaken > untakenBytesMax) this.close();
    if (this.#pieces.length === 0 || this.#announced) return;
    this.#announced = true;
    this.#listener.onArrived();
  }

  onEnd(failure: Failure | null): void {
    const orderly = failure === null;
    this.#ended = { orderly, reason: orderly ? 'ended by the server' : failure.message };
    this.#listener.onEnd(this.#ended);
  }

  #onWal(bytes: Buffer): void {
    const begin = Number(bytes.readBigUInt64BE(1));
    ensure(begin === this.#next, 'postgres_protocol_broken', {
      begin: formatLsn(lsn(begin)),
      expected: formatLsn(this.#next),
    });
    const data = bytes.subarray(walHeaderSize);
    if (data.length === 0) return;
    this.#pieces.push(data);
    this.#untaken += data.length;
    this.#next = lsn(begin + data.length);
  }

  #sendStatus(): void {
    const { message, payload } = copyMessage(statusSize);
    let at = message.writeUInt8(replicationMessages.status, payload);
    for (const position of [this.#received, this.#committed, this.#committed])
      at = writeU64(message, position, at);
    at = writeTimestamp(message, this.#now_ms, at);
    message.writeUInt8(0, at);
    this.#client.send(message);
  }
}

async function makeSlot(client: PostgresClient, slot: string): Promise<void> {
  try {
    await client.query(`CREATE_REPLICATION_SLOT ${quoted(slot)} PHYSICAL RESERVE_WAL`);
  } catch (failure) {
    const exists = failure instanceof Failure && failure.values['sqlstate'] === duplicateObject;
    if (!exists) throw failure;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
