/**
 * Workload: every record a GiST index can write. Keys are made by arithmetic, not at random, so that
 * every run does the same.
 */
import { type OracleServer } from './oracle-server.ts';
import { type SqlClient } from './oracle-client.ts';

/** Runs all of the parts below. */
export async function gistWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await points(client);
  await boxes(client);
  await ranges(client);
  await addresses(client);
  await documents(client);
  await longKeys(client);
  await exclusion(client);
  await builds(client);
  await deletedPages(client);
  await unloggedToLogged(client);
  await client.query(`set wal_consistency_checking = ''`);
  await killedTuples(client);
}

/** Inserts into leaves, splits of leaves, roots and inner pages. */
async function points(client: SqlClient): Promise<void> {
  await client.run([
    'create table gp (p point)',
    'create index on gp using gist (p)',
    `insert into gp select point((i * 7919) % 10007, (i * 104729) % 10009)
       from generate_series(1, 2000) i`,
    'delete from gp where p[0] < 3000',
    'vacuum gp',
    'insert into gp select point(i % 100, i % 7) from generate_series(1, 800) i',
  ]);
}

/** Inserts that make the keys above them larger, and such that do not. */
async function boxes(client: SqlClient): Promise<void> {
  await client.run([
    'create table gb (b box, c circle, p polygon)',
    'create index on gb using gist (b) with (fillfactor = 50)',
    'create index on gb using gist (c)',
    'create index on gb using gist (p)',
    `insert into gb select box(point(i % 97, i % 89), point(i % 97 + i % 5, i % 89 + i % 3)),
         circle(point(i % 83, i % 79), i % 10),
         polygon(box(point(i % 73, i % 71), point(i % 73 + 1, i % 71 + 2)))
       from generate_series(1, 600) i`,
    `update gb set b = box(point(-1000, -1000), point(1000, 1000)) where (b[0])[0] = 5`,
  ]);
}

async function ranges(client: SqlClient): Promise<void> {
  await client.run([
    'create table gr (r int4range, m int4multirange)',
    'create index on gr using gist (r)',
    'create index on gr using gist (m)',
    `insert into gr select int4range((i * 31) % 5003, (i * 31) % 5003 + i % 50),
         int4multirange(int4range(i % 17, i % 17 + 3), int4range(i % 17 + 20, i % 17 + 25))
       from generate_series(1, 1000) i`,
    `insert into gr select 'empty', '{}' from generate_series(1, 200)`,
    'insert into gr select int4range(null, i), null from generate_series(1, 200) i',
    `delete from gr where r @> 700`,
    'vacuum gr',
  ]);
}

async function addresses(client: SqlClient): Promise<void> {
  await client.run([
    'create table gi (a inet)',
    'create index on gi using gist (a inet_ops)',
    `insert into gi select ('10.' || i % 7 || '.' || i % 251 || '.' || i % 241)::inet
       from generate_series(1, 800) i`,
    `insert into gi select ('fd00::' || to_hex(i % 997))::inet from generate_series(1, 400) i`,
  ]);
}

/** Signatures; wide keys, so few to a page. */
async function documents(client: SqlClient): Promise<void> {
  await client.run([
    'create table gd (words tsvector, query tsquery)',
    'create index on gd using gist (words tsvector_ops (siglen = 400))',
    'create index on gd using gist (words)',
    'create index on gd using gist (query)',
    `insert into gd select to_tsvector('simple', string_agg('w' || (i * j) % 4001, ' ')),
         to_tsquery('simple', 'w' || i % 31 || ' & w' || i % 37)
       from generate_series(1, 300) i, generate_series(1, 25) j group by i`,
    `delete from gd where words @@ 'w12'`,
    'vacuum gd',
  ]);
}

/** A few keys to a page, so that inner pages and roots of inner pages split. */
async function longKeys(client: SqlClient): Promise<void> {
  await client.run([
    'create extension if not exists btree_gist',
    'create table gl (k text)',
    'alter table gl alter k set storage plain',
    'create index on gl using gist (k)',
    // A prefix that does not compress: inner keys are cut after what their tuples have in common.
    `insert into gl select prefix || lpad(((i * 7919) % 10007)::text, 8, '0')
       from (select string_agg(md5(i::text), '') prefix from generate_series(1, 19) i) p,
         generate_series(1, 500) i`,
  ]);
}

async function exclusion(client: SqlClient): Promise<void> {
  await client.run([
    `create table ge (room int, during tsrange,
       exclude using gist (room with =, during with &&) deferrable)`,
    `insert into ge select i % 20, tsrange(timestamp '2020-01-01' + i * interval '1 hour',
         timestamp '2020-01-01' + i * interval '1 hour' + interval '30 minutes')
       from generate_series(1, 500) i`,
    `update ge set during = tsrange(lower(during) + interval '10 years',
       upper(during) + interval '10 years') where room = 3`,
  ]);
}

/** Sorted (points have an order), with buffers, and one tuple at a time. */
async function builds(client: SqlClient): Promise<void> {
  await client.run([
    'create index on gp using gist (p) with (fillfactor = 90)',
    'create index on gb using gist (b) with (buffering = on)',
    'create index on gb using gist (b, c) with (buffering = off)',
    'create index on gr using gist (r) include (m)',
    'create index concurrently on gp using gist (p) where p[0] > 5000',
    'reindex table gr',
    `insert into gp select point((i * 7919) % 10007, i % 11) from generate_series(1, 1000) i`,
  ]);
}

/**
 * Tuples that scans mark dead, and insertions into their full pages clear away (XLOG_GIST_DELETE).
 *
 * Redo of that record sets a flag that the server did not, so a stock server that recovers stops at
 * one whose page is to be checked. Hence a workload of its own, and in `gistWorkload` no checking.
 */
export async function gistKilledTuples(server: OracleServer): Promise<void> {
  await killedTuples(await server.connect());
}

async function killedTuples(client: SqlClient): Promise<void> {
  await client.run([
    'drop table if exists gk',
    'create table gk (p point, n int)',
    'create index on gk using gist (p)',
    'insert into gk select point(i % 40, i % 41), i from generate_series(1, 1000) i',
    'delete from gk where n % 2 = 0',
    'set enable_seqscan = off',
    'set enable_bitmapscan = off',
    `select count(*) from (select p from gk where p <@ box '(0,0),(100,100)'
       order by p <-> point '(0,0)') q`,
    `select count(*) from gk where p <@ box '(0,0),(100,100)'`,
    'insert into gk select point(i % 40, i % 41), i from generate_series(1, 1000) i',
    'reset enable_seqscan',
    'reset enable_bitmapscan',
  ]);
}

/** Pages become empty, are deleted, and come back for new tuples. */
async function deletedPages(client: SqlClient): Promise<void> {
  await client.run([
    'create table ga (p point)',
    'create index on ga using gist (p)',
    'insert into ga select point(i, i % 3) from generate_series(1, 3000) i',
    'delete from ga where p[0] between 200 and 2700',
    'vacuum ga',
    'select txid_current()',
    'vacuum ga',
    'insert into ga select point(i + 10000, i % 3) from generate_series(1, 1500) i',
    'delete from ga',
    'vacuum ga',
    'insert into ga select point(i, i % 3) from generate_series(1, 300) i',
  ]);
}

async function unloggedToLogged(client: SqlClient): Promise<void> {
  await client.run([
    'create unlogged table gu (p point)',
    'create index on gu using gist (p)',
    'insert into gu select point(i % 70, i % 71) from generate_series(1, 1200) i',
    'alter table gu set logged',
    'insert into gu select point(i % 70, i % 71) from generate_series(1, 600) i',
  ]);
}

/**
 * For a server with `wal_level = minimal`: until its transaction ends, an index on a new table is not
 * logged, and splits take positions in the log without a record of theirs.
 */
export async function gistUnloggedSplits(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.query(
    `begin;
     create table gm (p point);
     create index on gm using gist (p);
     insert into gm select point(i % 70, i % 71) from generate_series(1, 1500) i;
     commit`,
  );
  await client.run(['insert into gm select point(i % 70, i % 71) from generate_series(1, 500) i']);
}
