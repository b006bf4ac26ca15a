/**
 * Workload: every record a B-tree can write. Keys are made by arithmetic, not at random, so that
 * every run does the same.
 */
import { type OracleServer } from './oracle-server.ts';
import { type SqlClient } from './oracle-client.ts';

/** Runs all of the parts below. */
export async function btreeWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await uniqueKeys(client);
  await duplicates(client);
  await withoutDeduplication(client);
  await deepTree(client);
  await longKeys(client);
  await includedColumns(client);
  await bottomUpDeletion(client);
  await deletedPages(client);
  await concurrentDuplicates(server);
}

/** Leaf inserts in and out of order, splits to the left and right, new roots. */
async function uniqueKeys(client: SqlClient): Promise<void> {
  await client.run([
    'create table u (a int primary key, b int unique)',
    'insert into u select i, (i * 7919) % 20011 from generate_series(1, 6000) i',
    'insert into u select -i, -((i * 7919) % 20011) from generate_series(1, 1500) i',
    'create index on u (b desc)',
  ]);
}

/** Posting lists: merged, split by a TID in their middle, shrunk and deleted by VACUUM. */
async function duplicates(client: SqlClient): Promise<void> {
  await client.run([
    'create table d (a int, b int) with (fillfactor = 70)',
    'create index d_a on d (a)',
    'create index d_b on d (b)',
    'insert into d select i % 40, i % 3 from generate_series(1, 6000) i',
    // Freed heap space makes new TIDs fall among old ones.
    'delete from d where ctid in (select ctid from d where a % 5 = 1 limit 900)',
    'vacuum d',
    'insert into d select i % 40, i % 3 from generate_series(1, 3000) i',
    'delete from d where (b + a) % 7 = 2',
    'vacuum d',
    'insert into d select 5, 1 from generate_series(1, 2500) i',
    'create index on d (a, b)',
    'reindex table d',
    // Of pairs one goes: what is left is no posting list any more.
    'create table pair (a int)',
    'create index on pair (a)',
    'insert into pair select i / 2 from generate_series(2, 1001) i',
    'insert into pair select 7 from generate_series(1, 400) i',
    'delete from pair where ctid in (select max(ctid) from pair group by a)',
    'vacuum pair',
  ]);
}

async function withoutDeduplication(client: SqlClient): Promise<void> {
  await client.run([
    'create table n (a int)',
    'create index on n (a) with (deduplicate_items = off)',
    'insert into n select i % 25 from generate_series(1, 3000) i',
    'delete from n where a < 10',
    'vacuum n',
  ]);
}

/** Wide keys and a small fillfactor: many levels, so also splits of inner pages. */
async function deepTree(client: SqlClient): Promise<void> {
  await client.run([
    'create table t (k text)',
    'alter table t alter k set storage plain',
    'create index t_k on t (k) with (fillfactor = 10)',
    `insert into t select lpad(((i * 7919) % 10007)::text, 8, '0') || repeat('x', 1800)
       from generate_series(1, 900) i`,
    `insert into t select lpad(i::text, 8, '0') || repeat('y', 1900) from generate_series(1, 500) i`,
  ]);
}

/** Pivot tuples cut short, and some whose heap TID must stay. */
async function longKeys(client: SqlClient): Promise<void> {
  await client.run([
    'create table v (a text, b text, c int)',
    'create index on v (a, b, c)',
    'create index on v (b, a)',
    `insert into v select repeat(chr(97 + i % 5), i % 60), md5((i % 211)::text), i % 3
       from generate_series(1, 3000) i`,
    `insert into v select 'same', 'same', 1 from generate_series(1, 1200) i`,
  ]);
}

async function includedColumns(client: SqlClient): Promise<void> {
  await client.run([
    'create table c (a int, b text, primary key (a) include (b))',
    `insert into c select i, repeat('z', i % 50) from generate_series(1, 2000) i`,
    'create unique index on c (b, a) include (a)',
    'delete from c where a % 3 = 0',
    'vacuum c',
  ]);
}

/** Tuples marked dead by scans, and versions of rows that insertions clear away. */
async function bottomUpDeletion(client: SqlClient): Promise<void> {
  await client.run([
    'create table m (a int primary key, b int, c int)',
    'create index m_b on m (b)',
    'create index m_c on m (c)',
    'insert into m select i, i % 10, i from generate_series(1, 800) i',
  ]);
  for (let round = 0; round < 8; round += 1) await client.query('update m set c = c + 1000');
  await client.run([
    'delete from m where a % 2 = 0',
    'set enable_seqscan = off',
    'set enable_bitmapscan = off',
    'select count(*) from (select b from m where b >= 0 order by b) q',
    'select count(*) from (select a from m where a >= 0 order by a) q',
    'insert into m select i, i % 10, i from generate_series(1000, 2500) i',
    'reset all',
  ]);
}

/** Leaves and whole subtrees become empty, are unlinked, and come back for new keys. */
async function deletedPages(client: SqlClient): Promise<void> {
  await client.run([
    'create table e (k text)',
    'alter table e alter k set storage plain',
    'create index e_k on e (k) with (fillfactor = 10)',
    `insert into e select lpad(i::text, 8, '0') || repeat('w', 1700) from generate_series(1, 1200) i`,
    `delete from e where k between '00000100' and '00001150'`,
    'vacuum e',
    'select txid_current()',
    'vacuum e',
    `insert into e select lpad(i::text, 8, '0') || repeat('v', 1700) from generate_series(1, 600) i`,
    `delete from e where k > '00000003'`,
    'vacuum e',
    'delete from e',
    'vacuum e',
    'select txid_current()',
    'vacuum e',
    `insert into e select lpad(i::text, 8, '0') || repeat('u', 1500) from generate_series(1, 300) i`,
  ]);
}

/** Several sessions insert equal keys at once. */
async function concurrentDuplicates(server: OracleServer): Promise<void> {
  const [first, ...others] = await Promise.all([1, 2, 3].map(async () => server.connect()));
  await first!.run(['create table p (a int)', 'create index on p (a)']);
  const sessions = [first!, ...others];
  await Promise.all(
    sessions.map(async (session) => {
      for (let round = 0; round < 10; round += 1)
        await session.query('insert into p select i % 7 from generate_series(1, 100) i');
    }),
  );
}
