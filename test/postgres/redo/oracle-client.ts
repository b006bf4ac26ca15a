/**
 * SqlClient: one connection to a Postgres on a unix socket, for workloads. Simple queries only, rows
 * as text.
 */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { DatabaseError, parse, serialize } from 'pg-protocol';

type Row = readonly (string | null)[];

export class SqlClient {
  readonly #socket: Socket;
  #rows: Row[] = [];
  #error: Error | null = null;
  #done: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    void parse(socket, (message) => {
      this.#onMessage(message);
    });
    socket.on('error', (error) => {
      this.#onEnd(error);
    });
    socket.on('close', () => {
      this.#onEnd(new Error('the server closed the connection'));
    });
  }

  /** Connects as superuser `postgres`, whom the server must trust. */
  static async connect(socketPath: string, database: string): Promise<SqlClient> {
    const socket = createConnection(socketPath);
    await once(socket, 'connect');
    const client = new SqlClient(socket);
    await client.#roundTrip(serialize.startup({ user: 'postgres', database }));
    return client;
  }

  /** Runs statements; the rows of all of them. Throws `DatabaseError` when one fails. */
  async query(sql: string): Promise<readonly Row[]> {
    return this.#roundTrip(serialize.query(sql));
  }

  /** Runs statements one by one, each in its own transaction. */
  async run(statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.query(statement);
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.end(serialize.end());
    this.#socket.resume();
    await closed;
  }

  #roundTrip(bytes: Uint8Array): Promise<readonly Row[]> {
    this.#rows = [];
    this.#error = null;
    return new Promise((resolve, reject) => {
      this.#done = () => {
        if (this.#error === null) resolve(this.#rows);
        else reject(this.#error);
      };
      this.#socket.write(bytes);
    });
  }

  #onMessage(message: { readonly name: string }): void {
    if (message instanceof DatabaseError) this.#error = message;
    else if (message.name === 'dataRow')
      this.#rows.push((message as unknown as { fields: Row }).fields);
    else if (message.name === 'readyForQuery') this.#finish();
    // A startup error is not followed by readyForQuery, but by the end of the connection.
  }

  #onEnd(error: Error): void {
    if (this.#done === null) return;
    this.#error ??= error;
    this.#finish();
  }

  #finish(): void {
    const done = this.#done;
    this.#done = null;
    done?.();
  }
}
