/** A table with room in it, and what a Postgres knows of that. */
import { type PostgresClient } from '../../src/io/postgres-client.ts';

export type Rows = readonly (readonly (string | null)[])[];

/** Blocks of which the map says that they have room. */
export const free = `select blkno, avail from pg_freespace('t') where avail > 0 order by blkno`;
/** Blocks of which the map says something else than the page. A category is 32 bytes. */
export const wrong = `select blkno, avail, (upper - lower - 4) / 32 * 32
  from pg_freespace('t'), page_header(get_raw_page('t', blkno::int))
  where avail <> (upper - lower - 4) / 32 * 32 order by blkno`;
export const size = `select pg_relation_size('t')`;
export const insert = `insert into t select n, repeat('y', 300) from generate_series(1, 500) n`;

/** Every other row of `t` is gone, and VACUUM has seen it. */
export async function halfEmptyTable(client: PostgresClient, kind = ''): Promise<void> {
  await client.query('create extension pg_freespacemap; create extension pageinspect');
  await client.query(`create ${kind} table t (n int, body text)`);
  await client.query(`insert into t select n, repeat('x', 300) from generate_series(1, 3000) n`);
  await client.query('delete from t where n % 2 = 0');
  await client.query('vacuum t');
}

export async function rows(client: PostgresClient, sql: string): Promise<Rows> {
  return (await client.query(sql)).rows;
}

/** Where the log is, in bytes. */
export async function position(client: PostgresClient): Promise<number> {
  return Number((await rows(client, `select pg_current_wal_lsn() - '0/0'`))[0]![0]);
}
