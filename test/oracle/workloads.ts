/**
 * Workloads beyond those of single managers: what applications do, in the forms that log differently.
 */
import { type OracleServer } from '../postgres/redo/oracle-server.ts';
import { type SqlClient } from '../postgres/redo/oracle-client.ts';

/** Constraints, storage parameters, rewrites and large objects. */
export async function applicationWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await constraints(client);
  await rewrites(client);
  await concurrentIndexes(client);
  await largeObjects(client);
  await savepoints(client);
  await messages(client);
}

async function constraints(client: SqlClient): Promise<void> {
  await client.run([
    `create table parent (id int primary key, code text unique deferrable initially deferred)
       with (fillfactor = 30)`,
    `create table child (id int primary key, parent int references parent on delete cascade
       deferrable initially deferred, amount numeric check (amount >= 0)) with (fillfactor = 95)`,
    `insert into parent select i, 'code ' || i from generate_series(1, 2000) i`,
    `insert into child select i, 1 + i % 2000, i from generate_series(1, 6000) i`,
    `begin; update parent set code = 'code ' || (id % 2000 + 1); commit`,
    `begin; insert into child values (9001, 9001, 1); insert into parent values (9001, 'late'); commit`,
    `delete from parent where id % 50 = 0`,
    `update child set amount = amount + 1 where id % 3 = 0`,
    `update child set parent = parent + 1 where parent % 50 = 7 and parent < 1990`,
    `vacuum (analyze) child`,
  ]);
}

async function rewrites(client: SqlClient): Promise<void> {
  await client.run([
    `create unlogged table volatile (id int primary key, body text)`,
    `insert into volatile select i, repeat(md5(i::text), 1 + i % 90) from generate_series(1, 1500) i`,
    `create index on volatile (left(body, 40) text_pattern_ops)`,
    `alter table volatile set logged`,
    `update volatile set body = 'short' where id % 2 = 0`,
    `alter table volatile set unlogged`,
    `insert into volatile select i, 'unlogged' from generate_series(5000, 5500) i`,
    `alter table volatile set logged`,
    `delete from volatile where id % 5 = 0`,
    `create materialized view seen_from_afar as select id, length(body) size from volatile`,
    `create unique index on seen_from_afar (id)`,
    `refresh materialized view seen_from_afar`,
    `delete from volatile where id % 7 = 0`,
    `refresh materialized view concurrently seen_from_afar`,
    `alter table volatile add column extra bigint default 7, alter body set storage external`,
    `update volatile set body = repeat(md5(id::text), 400) where id % 10 = 1`,
    `alter table volatile alter extra type text using extra::text`,
    `cluster volatile using volatile_pkey`,
    `vacuum (full, analyze) volatile`,
    `truncate volatile`,
    `begin; create table brief (id int); insert into brief select generate_series(1, 500);
       truncate brief; insert into brief select generate_series(1, 300); commit`,
    `begin; create table never (id int); insert into never select generate_series(1, 500); rollback`,
    `create temp table passing as select generate_series(1, 500) i`,
  ]);
}

async function concurrentIndexes(client: SqlClient): Promise<void> {
  await client.run([
    `create table indexed (id int, word text)`,
    `insert into indexed select i, 'word ' || i % 100 from generate_series(1, 4000) i`,
    `create index concurrently indexed_id on indexed (id)`,
    `create unique index concurrently indexed_both on indexed (word, id) include (id)`,
    `create index indexed_part on indexed (id) where id % 2 = 0`,
    `create index indexed_made on indexed (lower(word))`,
    `reindex table concurrently indexed`,
    `reindex index concurrently indexed_id`,
    `reindex table indexed`,
    `drop index concurrently indexed_part`,
  ]);
}

async function largeObjects(client: SqlClient): Promise<void> {
  await client.run([
    `select lo_from_bytea(40000 + i, convert_to(repeat(md5(i::text), 200), 'utf8'))
       from generate_series(1, 20) i`,
    `select lo_put(40000 + i, 3000, 'overwritten') from generate_series(1, 20, 2) i`,
    `begin; select lo_truncate(lo_open(40003, x'60000'::int), 2500); commit`,
    `select lo_unlink(40000 + i) from generate_series(1, 20, 3) i`,
    `vacuum pg_largeobject`,
  ]);
}

async function savepoints(client: SqlClient): Promise<void> {
  await client.run([
    `create table saved (id int)`,
    `begin; insert into saved values (1); savepoint a; insert into saved values (2); savepoint b;
       insert into saved values (3); rollback to b; insert into saved values (4); release a;
       savepoint c; delete from saved where id = 1; rollback to c; commit`,
    `begin; insert into saved values (5); savepoint a; insert into saved values (6); rollback`,
    `begin; insert into saved values (7); savepoint s; insert into saved values (8);
       prepare transaction 'with savepoint'`,
    `commit prepared 'with savepoint'`,
    `begin; truncate saved; savepoint s; drop table saved; rollback to s;
       prepare transaction 'with files'`,
    `rollback prepared 'with files'`,
  ]);
}

async function messages(client: SqlClient): Promise<void> {
  await client.run([
    `select pg_logical_emit_message(true, 'prefix', repeat('of a transaction ', 2000))`,
    `select pg_logical_emit_message(false, '', 'at once')`,
    `begin; select pg_logical_emit_message(true, 'never', 'said'); rollback`,
    `select pg_create_restore_point('here')`,
    `select pg_backup_start('a backup', true), pg_backup_stop()`,
  ]);
}

const extensions = [
  ...['btree_gin', 'btree_gist', 'citext', 'cube', 'hstore', 'intarray', 'isn', 'ltree', 'pg_trgm'],
  ...['seg', 'bloom', 'earthdistance', 'lo', 'unaccent', 'fuzzystrmatch', 'tablefunc'],
];

/** Types and operator classes that come with Postgres as extensions, in every index kind they know. */
export async function extensionWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.run([
    ...extensions.map((name) => `create extension ${name}`),
    `create table things (id int, tags hstore, path ltree, numbers int[], box cube, size seg,
       name citext, code isbn, word text, during int4range)`,
    `create index on things using gin (tags)`,
    `create index on things using gist (tags)`,
    `create index on things using hash (tags)`,
    `create index on things using gist (path)`,
    `create index on things (path)`,
    `create index on things using gin (numbers gin__int_ops)`,
    `create index on things using gist (numbers gist__intbig_ops)`,
    `create index on things using gist (numbers gist__int_ops)`,
    `create index on things using gist (box)`,
    `create index on things using gist (size)`,
    `create unique index on things (name, id)`,
    `create index on things (code)`,
    `create index on things using gin (word gin_trgm_ops)`,
    `create index on things using gist (word gist_trgm_ops)`,
    `create index on things using gin (id, (word || ''))`,
    `create index on things using gist (id, word)`,
    `create index on things using bloom (id, word)`,
    `alter table things add exclude using gist (id with =, during with &&)`,
    things(1, 700),
    `update things set tags = tags || 'changed=>yes', numbers = numbers + id where id % 3 = 0`,
    `delete from things where id % 4 = 1`,
    `vacuum things`,
    things(701, 1_200),
    `insert into things (id, during) values (1, '[1,2)') on conflict do nothing`,
    `vacuum (freeze, analyze) things`,
    `reindex table concurrently things`,
  ]);
}

/** Rows with ids from `first` to `last`. */
function things(first: number, last: number): string {
  return `insert into things select i, hstore('k' || i % 50, 'v' || i) || hstore('i', i::text),
      ('top.n' || i % 9 || '.n' || i % 31 || '.n' || i)::ltree, array[i, i % 7, i % 101, i / 3],
      cube(array[i % 40, i % 60], array[i % 40 + 2, i % 60 + i % 5]),
      ((i % 90) || ' .. ' || (i % 90 + i % 6))::seg, 'Name ' || i % 400, null, md5((i % 300)::text),
      int4range(i, i + 3)
    from generate_series(${first}, ${last}) i`;
}

/** Relations that vacuum cuts and that stay as short: in the middle, and to nothing. */
export async function truncationWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.run([
    `create table shortened (id int, body text)`,
    `insert into shortened select i, repeat('s', 200) from generate_series(1, 3000) i`,
    `create table emptied as select * from shortened`,
    `vacuum (freeze) shortened, emptied`,
    `delete from shortened where id > 700`,
    `delete from emptied`,
    `vacuum shortened, emptied`,
  ]);
}

/** Many sessions share, lock and change the same few rows: multixacts of many members. */
export async function lockStormWorkload(server: OracleServer): Promise<void> {
  const sessions = await Promise.all(Array.from({ length: 6 }, async () => server.connect()));
  await sessions[0]!.run([
    `create table stormy (id int primary key, n int) with (fillfactor = 50)`,
    `insert into stormy select i, 0 from generate_series(1, 40) i`,
  ]);
  for (let round = 0; round < 12; round += 1)
    await Promise.all(sessions.map(async (session, at) => stormRound(session, at, round)));
  await sessions[0]!.run([`vacuum (freeze) stormy`, `select sum(n) from stormy`]);
}

/** Rows are always taken in order, so that nobody waits in a circle. */
async function stormRound(session: SqlClient, at: number, round: number): Promise<void> {
  const strength = ['for share', 'for key share', 'for share', 'for no key update'][
    (at + round) % 4
  ]!;
  const rows = `select 1 from stormy where id between ${round} and ${round + 12} order by id ${strength}`;
  await session.run([
    `begin; ${rows}; savepoint s; ${rows}; rollback to s; commit`,
    `update stormy set n = n + 1 where id = ${1 + ((round * 7 + at) % 40)}`,
    `begin; savepoint s; update stormy set n = n - 1 where id = ${1 + ((round * 3 + at) % 40)};
       release s; commit`,
  ]);
}

/** Statements about settings that are logged: full_page_writes changes while the server runs. */
export async function settingsWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  const [[before]] = (await client.query('show full_page_writes')) as [[string]];
  for (const value of [before === 'on' ? 'off' : 'on', before]) {
    await client.query(`alter system set full_page_writes = ${value}`);
    await client.query('select pg_reload_conf(), pg_sleep(0.3)');
    await client.query('checkpoint');
    await client.query('create table if not exists settled (id int)');
    await client.query('insert into settled select generate_series(1, 300)');
  }
  await client.query('alter system reset all');
}

/** Past the end of xids and multixact ids, and then everything older is thrown away. */
export async function wraparoundWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.run([
    `create table turning (id int primary key, n int)`,
    `insert into turning select i, 0 from generate_series(1, 2500) i`,
    nested(`select 1 from turning where id = i for key share`, 2_500),
    `vacuum turning`,
    `update turning set n = n - 1 where id % 3 = 0`,
    `begin; insert into turning values (-1, 0); prepare transaction 'beyond'`,
    `commit prepared 'beyond'`,
  ]);
  await freezeAll(server);
  await client.run([`insert into turning values (-2, 0)`, `checkpoint`]);
}

/** One transaction with two subtransactions for each row: half of them make a multixact. */
function nested(lock: string, count: number): string {
  return `do $$ begin for i in 1..${count} loop
    perform ${lock.replace('select ', '')};
    begin update turning set n = n + 1 where id = i; exception when division_by_zero then null; end;
  end loop; end $$`;
}

/** Freezes every database, so that the logs of transactions can be cut. */
export async function freezeAll(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.query(`update pg_database set datallowconn = true`);
  const names = await client.query(`select datname from pg_database`);
  for (const [name] of names) {
    const each = await server.connect(name!);
    await each.query('vacuum (freeze)');
    await each.close();
  }
  await client.query('checkpoint');
  await client.query('vacuum (freeze)');
}
