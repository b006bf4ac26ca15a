/**
 * Server: where a Postgres listens, and connecting to it.
 */
import { connectPostgres, type PostgresClient } from '../src/io/postgres-client.ts';

export interface Server {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

const timeout_ms = 30_000;

export function connect(server: Server): Promise<PostgresClient> {
  return connectPostgres({ ...server, user: 'postgres', parameters: {}, timeout_ms });
}

/** Runs statements on a connection of their own; rows of the last. */
export async function sql(
  server: Server,
  ...statements: readonly string[]
): Promise<readonly (readonly (string | null)[])[]> {
  const client = await connect(server);
  try {
    let rows: readonly (readonly (string | null)[])[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}
