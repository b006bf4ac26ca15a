/**
 * Workload: what makes Postgres write every kind of page and drop, truncate and copy files.
 */
import { type PostgresClient } from '../../src/io/postgres-client.ts';
import { SeededRandom } from '../../src/io/random.ts';

/** Opens a client of a database of one endpoint. */
export type Connect = (database: string) => Promise<PostgresClient>;

const accounts = 30_000;
const tellers = 10;

/** What pgbench makes: a table larger than a small buffer pool, and two that all clients fight for. */
export async function makeAccounts(connect: Connect): Promise<void> {
  await runAll(connect, 'postgres', [
    `create table account (id int primary key, balance int not null, filler char(84))`,
    `create table teller (id int primary key, balance int not null)`,
    `create table history (teller int, account int, delta int, at timestamptz default now())`,
    `insert into account select n, 0, '' from generate_series(1, ${accounts}) n`,
    `insert into teller select n, 0 from generate_series(1, ${tellers}) n`,
    `create index on account (balance)`,
    `create index on history using gin ((array[teller, account]))`,
    `vacuum analyze account`,
  ]);
}

/** What pgbench runs: `clients` at once, `transactions` each. */
export async function runAccounts(
  connect: Connect,
  { seed, clients, transactions }: { seed: number; clients: number; transactions: number },
): Promise<void> {
  const random = new SeededRandom(seed);
  const work = Array.from({ length: clients }, async () => {
    const client = await connect('postgres');
    for (let done = 0; done < transactions; done += 1) await client.query(transfer(random));
    await client.end();
  });
  await Promise.all(work);
}

/** Balances of accounts, tellers and history: three times the same number, if nothing was lost. */
export async function accountSums(connect: Connect): Promise<readonly (string | null)[]> {
  const client = await connect('postgres');
  const { rows } = await client.query(`select (select sum(balance) from account),
    (select sum(balance) from teller), (select sum(delta) from history)`);
  await client.end();
  return rows[0]!;
}

function transfer(random: SeededRandom): string {
  const account = 1 + random.below(accounts);
  const teller = 1 + random.below(tellers);
  const delta = random.below(10_001) - 5_000;
  return `begin;
    update account set balance = balance + ${delta} where id = ${account};
    select balance from account where id = ${account};
    update teller set balance = balance + ${delta} where id = ${teller};
    insert into history values (${teller}, ${account}, ${delta});
    commit`;
}

/** Loaded at once, indexed, thinned out, vacuumed, rewritten; truncated, dropped, rolled back. */
export async function bulkLoad(connect: Connect): Promise<void> {
  await runAll(connect, 'postgres', [
    `create table bulk (id int, name text, body text)`,
    `insert into bulk select n, md5(n::text), repeat('x', n % 400) from generate_series(1, 20000) n`,
    `create unique index on bulk (id)`,
    `create index on bulk (name, id)`,
    `create index on bulk (length(body))`,
    `create index on bulk using hash (name)`,
    `create index on bulk using brin (id, name) with (pages_per_range = 2)`,
    `create index on bulk using gist (point(id, length(body)))`,
    `create index on bulk using spgist (name)`,
    `delete from bulk where id % 3 = 0`,
    `vacuum (freeze) bulk`,
    `update bulk set body = body || 'y' where id % 7 = 0`,
    `delete from bulk where id > 15000`,
    `vacuum bulk`,
    `reindex table bulk`,
    `create table toasted as
       select n, string_agg(md5((n * i)::text), '') as body
       from generate_series(1, 50) n, generate_series(1, 200) i group by n`,
    `create table emptied as select * from bulk`,
    `truncate emptied`,
    `insert into emptied select * from bulk limit 100`,
    `begin; truncate emptied; insert into emptied select * from bulk limit 10; rollback`,
    `create table dropped as select * from bulk`,
    `drop table dropped`,
    `create unlogged table unlogged as select * from bulk`,
    `create sequence counted`,
    `select nextval('counted') from generate_series(1, 100)`,
    `create table tagged as
       select n, array[1, n % 50] as tags from generate_series(1, 20000) n`,
    `create index on tagged using gin (tags)`,
    `delete from tagged where n between 8000 and 19000 or n % 5 = 0`,
    `vacuum tagged`,
    `insert into tagged select n, array[1, n] from generate_series(1, 3000) n`,
    `vacuum full bulk`,
    `insert into bulk select n, md5(n::text), '' from generate_series(30001, 32000) n`,
    `vacuum full pg_class`,
  ]);
}

/** Databases made both ways, one of them dropped again. */
export async function makeDatabases(connect: Connect): Promise<void> {
  await runAll(connect, 'postgres', [`create database model strategy file_copy`]);
  await runAll(connect, 'model', [
    `create table copied (id int primary key)`,
    `insert into copied select generate_series(1, 3000)`,
    `vacuum copied`,
  ]);
  await runAll(connect, 'postgres', [
    `create database by_files template model strategy file_copy`,
    `create database by_log template model strategy wal_log`,
    `create database short_lived template model strategy file_copy`,
    `drop database short_lived`,
  ]);
  for (const database of ['by_files', 'by_log']) {
    await runAll(connect, database, [`delete from copied where id % 10 = 0`]);
  }
}

/** One of each end, and one that nobody has ended yet. */
export async function prepareTransactions(connect: Connect): Promise<void> {
  await runAll(connect, 'postgres', [
    `create table promised (id int primary key)`,
    `begin; insert into promised values (1); savepoint a; insert into promised values (2);
     prepare transaction 'committed'`,
    `begin; insert into promised values (3); prepare transaction 'rolled back'`,
    `begin; insert into promised values (4); savepoint b; insert into promised values (5);
     prepare transaction 'left'`,
    `commit prepared 'committed'`,
    `rollback prepared 'rolled back'`,
  ]);
}

/** Runs statements one by one on a connection of their own. */
export async function runAll(
  connect: Connect,
  database: string,
  statements: readonly string[],
): Promise<void> {
  const client = await connect(database);
  for (const statement of statements) await client.query(statement);
  await client.end();
}
