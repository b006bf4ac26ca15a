/**
 * Workload: every record a GIN index can write, over the operator classes that stock packages have.
 * Keys are made by arithmetic, not at random, so that every run does the same. Tables that must be
 * long are made at once, and their index after them, which takes few records.
 */
import { type OracleServer } from './oracle-server.ts';
import { type SqlClient } from './oracle-client.ts';

/** Runs all of the parts below. */
export async function ginWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  // The heaps' own records have workloads of their own.
  await client.query('set wal_consistency_checking = gin');
  await pendingList(client);
  await textSearch(client);
  await documents(client);
  await extensionClasses(client);
  await postingTree(client);
  await scatteredTids(client);
  await emptiedPostingTree(client);
  await wideKeys(client);
  await concurrentInserts(server);
}

/** New entries wait in a list of pages; VACUUM, a full list and a function move them into the tree. */
async function pendingList(client: SqlClient): Promise<void> {
  await client.run([
    'create table p (a int[])',
    'create index p_a on p using gin (a) with (fastupdate = on, gin_pending_list_limit = 64)',
    // Each goes onto the list's last page.
    'insert into p select array[i % 50, i % 7 + 100, i] from generate_series(1, 300) i',
    // Lists of several pages at once.
    `insert into p select array_agg(k + i) from generate_series(1, 1200) k, generate_series(1, 2) i
       group by i`,
    'vacuum p',
    // The list outgrows its limit, and is emptied in passing.
    'insert into p select array[i, i + 1, i + 2] from generate_series(1, 700) i',
    `select gin_clean_pending_list('p_a')`,
    'insert into p select array[i] from generate_series(1, 100) i',
    'alter index p_a set (fastupdate = off)',
    'insert into p select array[i] from generate_series(1, 50) i',
    'vacuum p',
    'delete from p',
    'vacuum p',
  ]);
}

/** Words: inserted tuple by tuple, built at once, and as a changing document. */
async function textSearch(client: SqlClient): Promise<void> {
  await client.run([
    'create table w (id int, words tsvector)',
    'create index on w using gin (words) with (fastupdate = off)',
    `insert into w select i, to_tsvector('simple', 'every ' || md5((i % 90)::text) || ' word' || i ||
       ' w' || i % 13) from generate_series(1, 400) i`,
    `update w set words = to_tsvector('simple', 'changed ' || id % 19) where id % 5 = 0`,
    'delete from w where id % 7 = 0',
    'vacuum w',
    'create index on w using gin (words)',
    `insert into w values (0, null), (0, to_tsvector('simple', ''))`,
    'reindex table w',
  ]);
}

/** Both classes of jsonb. */
async function documents(client: SqlClient): Promise<void> {
  await client.run([
    'create table j (id int, doc jsonb)',
    'create index on j using gin (doc jsonb_ops) with (fastupdate = off)',
    'create index on j using gin (doc jsonb_path_ops) with (fastupdate = off)',
    'create index on j using gin (doc)',
    `insert into j select i, jsonb_build_object('id', i, 'kind', i % 4, 'tags',
       jsonb_build_array('t' || i % 17, i % 29, null, i % 2 = 0)) from generate_series(1, 120) i`,
    `update j set doc = doc || '{"more": {"deep": [1, 2, {"er": true}]}}' where id % 3 = 0`,
    'delete from j where id % 4 = 1',
    'vacuum j',
    `insert into j select i, '{}' from generate_series(1, 20) i`,
    'insert into j values (0, null)',
  ]);
}

/** Trigrams, and several columns of scalar types. */
async function extensionClasses(client: SqlClient): Promise<void> {
  await client.run([
    'create extension if not exists pg_trgm',
    'create extension if not exists btree_gin',
    'create table x (a int, b text, c timestamptz, d numeric)',
    'create index on x using gin (b gin_trgm_ops) with (fastupdate = off)',
    'create index on x using gin (a, b, c, d) with (fastupdate = off)',
    'create index on x using gin (a, b gin_trgm_ops)',
    `insert into x select i % 40, md5((i % 90)::text), '2020-01-01'::timestamptz + i * interval '1 hour',
       i / 3.0 from generate_series(1, 90) i`,
    `insert into x values (null, null, null, null), (1, '', null, 0)`,
    'delete from x where a % 3 = 0',
    'vacuum x',
    `insert into x select i % 5, 'again ' || i, now(), 1 from generate_series(1, 30) i`,
  ]);
}

/** A key's list becomes a tree, whose leaf fills up and splits; then its segments shrink and grow. */
async function postingTree(client: SqlClient): Promise<void> {
  await client.run([
    'create table t as select array[1, 2 + i % 3] a, i k from generate_series(1, 2600) i',
    'create index t_a on t using gin (a) with (fastupdate = off)',
    'insert into t select array[1], 0 from generate_series(1, 300) i',
    'alter index t_a set (fastupdate = on)',
    // Many TIDs of one key at once: whole segments are inserted, and pages split.
    'insert into t select array[1], -i from generate_series(1, 3500) i',
    'vacuum t',
    // Freed heap space makes new TIDs fall among old ones, in every segment.
    'delete from t where k % 4 = 0',
    'vacuum t',
    'insert into t select array[1], i from generate_series(1, 900) i',
    'vacuum t',
    'alter index t_a set (fastupdate = off)',
    'delete from t where k % 3 = 1',
    'vacuum t',
    'insert into t select array[1], i from generate_series(1, 600) i',
    'delete from t where k between -2500 and -500',
    'vacuum t',
    'insert into t select array[1, 5], i from generate_series(1, 600) i',
  ]);
}

/** Distances between TIDs of every width: rows with a key are rare, one or a few to a page. */
async function scatteredTids(client: SqlClient): Promise<void> {
  await client.run([
    'create table s (k int, a int[], filler text)',
    'alter table s alter filler set storage plain',
    `insert into s select i, array[i % 2], repeat('f', 1500) from generate_series(1, 1200) i`,
    `insert into s select i, array[2 + i % 300 / 299], repeat('f', 7000) from generate_series(1, 1200) i`,
    'create index s_a on s using gin (a) with (fastupdate = off)',
    'delete from s where k % 2 = 0 and k % 97 <> 0',
    'vacuum s',
    `insert into s select i, array[0, 1, 2, 3], 'short' from generate_series(1, 900) i`,
    'delete from s where k % 3 <> 0',
    'vacuum s',
    `insert into s select i, array[0, 3], 'short' from generate_series(1, 300) i`,
  ]);
}

/** Leaves of a posting tree become empty, are deleted, and are used again; full ones split. */
async function emptiedPostingTree(client: SqlClient): Promise<void> {
  await client.run([
    'create table e with (fillfactor = 80) as select i k, array[7] a from generate_series(1, 36000) i',
    'alter table e reset (fillfactor)',
    'vacuum e',
    'create index e_a on e using gin (a) with (fastupdate = off)',
    // Into the space left on the first pages, so among TIDs of full leaves.
    'insert into e select i, array[7] from generate_series(1, 100) i',
    'delete from e where k between 7000 and 26000',
    'vacuum e',
    'select txid_current()',
    'vacuum e',
    'insert into e select i, array[7, 8] from generate_series(1, 500) i',
    'truncate e',
    'insert into e select i, array[7] from generate_series(1, 100) i',
  ]);
}

/** Wide keys, which do not compress: an entry tree of several levels. */
async function wideKeys(client: SqlClient): Promise<void> {
  const wide = `(select string_agg(md5(i::text || w), '') from generate_series(1, 50) w)`;
  await client.run([
    'create table k (n int, a text[])',
    'create index k_a on k using gin (a) with (fastupdate = off)',
    `insert into k select i, array[${wide}] from generate_series(1, 200) i`,
    'delete from k where n % 3 = 0',
    'vacuum k',
    `insert into k select i, array[${wide}] from generate_series(150, 260) i`,
  ]);
}

/** Several sessions insert equal keys at once, by way of the pending list and past it. */
async function concurrentInserts(server: OracleServer): Promise<void> {
  const sessions = await Promise.all([1, 2, 3].map(async () => server.connect()));
  await sessions[0]!.run([
    'create table c (a int[])',
    'create index on c using gin (a) with (fastupdate = off)',
    'create index on c using gin (a) with (gin_pending_list_limit = 64)',
  ]);
  await Promise.all(
    sessions.map(async (session) => {
      for (let round = 0; round < 5; round += 1)
        await session.query(
          'insert into c select array[1, i % 7, i] from generate_series(1, 50) i',
        );
    }),
  );
}
