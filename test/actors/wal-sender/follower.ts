/**
 * Follower: a client of the wal-sender that notes what it is sent, and says what it is told to say.
 */
import { ok } from 'node:assert/strict';
import { lsn, formatLsn, type Lsn } from '../../../src/base/lsn.ts';
import { type Failure } from '../../../src/base/failure.ts';
import {
  connectPostgres,
  copyMessage,
  type CopySink,
  type PostgresClient,
} from '../../../src/io/postgres-client.ts';
import {
  replicationMessages,
  statusSize,
  walHeaderSize,
} from '../../../src/io/replication-messages.ts';

export interface FollowerOptions {
  /** `127.0.0.1:7433`. */
  readonly address: string;
  readonly branch: string;
}

/** A connection for physical replication, before any command. */
export function connectFollower({ address, branch }: FollowerOptions): Promise<PostgresClient> {
  const [host, port] = address.split(':');
  return connectPostgres({
    host: host!,
    port: Number(port),
    user: 'postgres',
    database: 'replication',
    parameters: { replication: 'true', options: `-c stemma.branch=${branch}` },
    timeout_ms: 10_000,
  });
}

export class Follower implements CopySink {
  readonly client: PostgresClient;
  readonly from: Lsn;
  /** Of each message of WAL, its end. */
  readonly ends: Lsn[] = [];
  /** Of each message of WAL, how far the server said WAL goes. */
  readonly claimed: Lsn[] = [];
  readonly keepalives: { readonly sent: Lsn; readonly replyWanted: boolean }[] = [];
  /** How the stream ended; undefined while it has not. */
  ended: Failure | null | undefined = undefined;
  readonly #pieces: Buffer[] = [];
  #size = 0;
  #wake: () => void = () => undefined;

  constructor(client: PostgresClient, from: Lsn) {
    this.client = client;
    this.from = from;
  }

  static async start(options: FollowerOptions, from: Lsn): Promise<Follower> {
    const follower = new Follower(await connectFollower(options), from);
    await follower.begin();
    return follower;
  }

  begin(): Promise<void> {
    const command = `START_REPLICATION PHYSICAL ${formatLsn(this.from)} TIMELINE 1`;
    return this.client.startCopy(command, this);
  }

  get position(): Lsn {
    return lsn(this.from + this.#size);
  }

  /** How often it was asked for a sign of life. */
  get pings(): number {
    return this.keepalives.filter(({ replyWanted }) => replyWanted).length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** Waits until what has come in makes it so. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  /** Waits for WAL up to `end`. */
  reach(end: Lsn): Promise<void> {
    return this.until(() => this.position >= end || this.ended !== undefined);
  }

  /** Asks for a keepalive, and waits for it: whatever was sent before it has come. */
  async sync(): Promise<Lsn> {
    const before = this.keepalives.length;
    this.status(true);
    await this.until(() => this.keepalives.length > before || this.ended !== undefined);
    return this.keepalives.at(-1)!.sent;
  }

  status(replyWanted: boolean): void {
    const { message, payload } = copyMessage(statusSize);
    message.fill(0, payload);
    message[payload] = replicationMessages.status;
    message[message.length - 1] = replyWanted ? 1 : 0;
    this.client.send(message);
  }

  /** Hot-standby feedback, about nothing in particular. */
  feedback(): void {
    const { message, payload } = copyMessage(25);
    message.fill(0, payload);
    message[payload] = replicationMessages.feedback;
    this.client.send(message);
  }

  onData(bytes: Buffer): void {
    const first = Number(bytes.readBigUInt64BE(1));
    if (bytes[0] === replicationMessages.keepalive) {
      this.keepalives.push({ sent: lsn(first), replyWanted: bytes.at(-1) === 1 });
      return;
    }
    ok(bytes[0] === replicationMessages.wal && first === this.position, 'WAL is contiguous');
    const data = bytes.subarray(walHeaderSize);
    this.#pieces.push(data);
    this.#size += data.length;
    this.ends.push(this.position);
    this.claimed.push(lsn(Number(bytes.readBigUInt64BE(9))));
  }

  onReadDone(): void {
    this.#wake();
  }

  onEnd(failure: Failure | null): void {
    this.ended = failure;
    this.#wake();
  }
}
