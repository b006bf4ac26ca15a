/**
 * StockServer: a stock Postgres whose commits wait for a proposer, and the end of the log it starts
 * from, where a timeline can begin.
 */
import {
  chmodSync,
  chownSync,
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CreateTimeline } from '../../../src/actors/acceptor/protocol.ts';
import { type Follow } from '../../../src/actors/proposer/protocol.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { connectPostgres, type PostgresClient } from '../../../src/io/postgres-client.ts';
import { stockHome } from '../../postgres/stock-home.ts';
import {
  runInitdb,
  startPostgres,
  type PostgresProcess,
} from '../../../src/io/postgres-process.ts';
import { parseSegmentName, walPageStart } from '../../../src/postgres/wal-page.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { WalRecord } from '../../../src/postgres/wal-record.ts';

const segmentSize = 16_777_216;
const nobody = { uid: 65_534, gid: 65_534 };
const settings = `
listen_addresses = ''
fsync = off
full_page_writes = off
wal_level = replica
synchronous_commit = on
synchronous_standby_names = 'stemma'
shared_buffers = 16MB
max_wal_size = 64MB
autovacuum = off
wal_sender_timeout = 0
`;

export class StockServer {
  readonly major: number;
  readonly root: string;
  #process: PostgresProcess | null = null;
  readonly #clients: PostgresClient[] = [];

  /** `initdb`; nothing runs yet. */
  constructor(major: number) {
    this.major = major;
    this.root = mkdtempSync(join(tmpdir(), 'stock-'));
    chmodSync(this.root, 0o755);
    chownSync(this.root, nobody.uid, nobody.gid);
    runInitdb(stockHome(major), this.data, nobody, { major, segment_bytes: 2 ** 24 });
    const sockets = `unix_socket_directories = '${this.root}'\n`;
    appendFileSync(join(this.data, 'postgresql.conf'), settings + sockets);
  }

  get data(): string {
    return join(this.root, 'data');
  }

  get follow(): Follow {
    const address = { host: this.root, port: 5_432, user: 'postgres' };
    return { kind: 'follow', address, applicationName: 'stemma', slot: 'stemma' };
  }

  /** A timeline that goes on where the stopped server's log ends. */
  timeline(): CreateTimeline {
    const directory = join(this.data, 'pg_wal');
    const name = readdirSync(directory)
      .filter((each) => parseSegmentName(each, segmentSize) !== null)
      .sort()[0]!;
    const { segment } = parseSegmentName(name, segmentSize)!;
    const bytes = readFileSync(join(directory, name));
    const begin = lsn(segment * segmentSize);
    const reader = readAll(this.major, begin, bytes);
    return {
      kind: 'createTimeline',
      startLsn: reader.recordEnd,
      lastRecordStart: reader.lastRecordStart,
      major: this.major,
      systemId: bytes.readBigUInt64LE(24).toString(),
      segmentSize,
      head: bytes.subarray(walPageStart(reader.recordEnd) - begin, reader.recordEnd - begin),
    };
  }

  async start(): Promise<void> {
    this.#process = await startPostgres({
      home: stockHome(this.major),
      dataDirectory: this.data,
      identity: nobody,
      startTimeout_ms: 30_000,
      unblock: null,
      onExit: () => undefined,
    });
  }

  async connect(): Promise<PostgresClient> {
    const { address } = this.follow;
    const client = await connectPostgres({
      ...address,
      database: 'postgres',
      parameters: {},
      timeout_ms: 10_000,
    });
    this.#clients.push(client);
    return client;
  }

  /** Clean shutdown. */
  async stop(): Promise<void> {
    await this.#process?.stop(30_000);
    this.#process = null;
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#process = null;
  }

  /** What its `pg_wal` has of [begin, end), while those segments are kept. */
  wal(begin: Lsn, end: Lsn): Buffer {
    const directory = join(this.data, 'pg_wal');
    const parts: Buffer[] = [];
    for (const name of readdirSync(directory).sort()) {
      const parsed = parseSegmentName(name, segmentSize);
      if (parsed === null) continue;
      const first = parsed.segment * segmentSize;
      const from = Math.max(begin - first, 0);
      const to = Math.min(end - first, segmentSize);
      if (from < to) parts.push(readFileSync(join(directory, name)).subarray(from, to));
    }
    return Buffer.concat(parts);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.root, { recursive: true, force: true });
  }
}

function readAll(major: number, begin: Lsn, bytes: Uint8Array): WalReader {
  const reader = new WalReader(begin, { major, segmentSize });
  const record = new WalRecord();
  reader.push(bytes);
  while (reader.next(record));
  return reader;
}
