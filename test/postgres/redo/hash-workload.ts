/**
 * Workload: every record a hash index can write but for one variant: a second bitmap page comes with
 * the 32,768th overflow page, which is too many for a test.
 *
 * A small fillfactor makes buckets split after a few dozen tuples.
 */
import { type SqlClient } from './oracle-client.ts';
import { type OracleServer } from './oracle-server.ts';

/** Runs all of the parts below. */
export async function hashWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await splits(client);
  await manyBuckets(client);
  await overflowChains(client);
  await squeezedBuckets(client);
  await deadTuples(client);
  await textKeys(client);
  await unloggedToLogged(client);
  await concurrentInserts(server);
}

/** Buckets split one by one, through several splitpoints; what moved is cleaned away. */
async function splits(client: SqlClient): Promise<void> {
  await client.run([
    'create table hs (a int, b bigint)',
    'vacuum hs', // known to be empty, so that the index begins with two buckets
    'create index on hs using hash (a) with (fillfactor = 10)',
    'insert into hs select i, i from generate_series(1, 1000) i',
    'create index on hs using hash (b)',
    'delete from hs where a % 3 = 0',
    'vacuum hs',
    'insert into hs select i, i from generate_series(1, 300) i',
    'delete from hs',
    'vacuum hs',
  ]);
}

/** An index that begins with so many buckets that they were allocated in phases. */
async function manyBuckets(client: SqlClient): Promise<void> {
  for (const tuples of [20_000, 30_000, 60_000]) {
    await client.run([
      `create table hm${tuples} (a int)`,
      `insert into hm${tuples} select i from generate_series(1, 50) i`,
      `vacuum hm${tuples}`,
      `update pg_class set reltuples = ${tuples} where relname = 'hm${tuples}'`,
      `create index on hm${tuples} using hash (a) with (fillfactor = 10)`,
    ]);
  }
}

/** Two buckets take overflow pages in turn; freed ones are found in the bitmap and used again. */
async function overflowChains(client: SqlClient): Promise<void> {
  await client.run([
    'create table ho (a int, n int)',
    'create index on ho using hash (a)',
    'insert into ho select i % 2, i from generate_series(1, 1800) i',
    'delete from ho where n % 3 <> 0',
    'vacuum ho',
    'insert into ho select 0, i from generate_series(1, 400) i',
  ]);
}

/** Of long chains little is left in different places, so tuples move from page to page. */
async function squeezedBuckets(client: SqlClient): Promise<void> {
  await client.run(['create table hq (a int, n int)', 'create index on hq using hash (a)']);
  // 407 tuples fill a page.
  await squeezed(client, 1_700, 'n < 30');
  await squeezed(client, 1_300, 'n > 1250');
  await squeezed(client, 1_700, 'n % 2 = 0');
  await squeezed(client, 1_700, 'n between 300 and 700 or n > 1660');
  await squeezed(client, 1_700, 'n < 480 or n > 1680');
  await squeezed(client, 1_200, 'n <= 600 or n > 1000');
  await squeezed(client, 600, 'n % 2 = 0');
}

/** So many equal keys, of which those are left that meet the condition. */
async function squeezed(client: SqlClient, rows: number, left: string): Promise<void> {
  await client.run([
    `insert into hq select 7, i from generate_series(1, ${rows}) i`,
    `delete from hq where not (${left})`,
    'vacuum hq',
    'truncate hq',
  ]);
}

/** Scans mark tuples dead, and an insertion that needs their room clears them away. */
async function deadTuples(client: SqlClient): Promise<void> {
  await client.run([
    'create table hd (a int, n int)',
    'create index on hd using hash (a)',
    'insert into hd select 5, i from generate_series(1, 600) i',
    'delete from hd where n % 2 = 0',
    'set enable_seqscan = off',
    'set enable_bitmapscan = off',
    'select count(*) from hd where a = 5',
    'insert into hd select 5, i from generate_series(1, 400) i',
    'delete from hd where n % 3 = 0',
    'select count(*) from hd where a = 5',
    'reset all',
    'vacuum hd',
    'insert into hd select 5, i from generate_series(1, 100) i',
  ]);
}

async function textKeys(client: SqlClient): Promise<void> {
  await client.run([
    'create table ht (k text, u uuid)',
    'create index on ht using hash (k) with (fillfactor = 20)',
    'create index on ht using hash (u)',
    `insert into ht select repeat('k', i % 300), md5((i % 50)::text)::uuid
       from generate_series(1, 500) i`,
    'update ht set k = k || 1 where length(k) < 100',
    'delete from ht where length(k) % 2 = 0',
    'vacuum ht',
  ]);
}

async function unloggedToLogged(client: SqlClient): Promise<void> {
  await client.run([
    'create unlogged table hu (a int)',
    'create index on hu using hash (a)',
    'insert into hu select i from generate_series(1, 300) i',
    'alter table hu set logged',
    'insert into hu select i from generate_series(1, 200) i',
  ]);
}

/** Several sessions split buckets and add overflow pages at once. */
async function concurrentInserts(server: OracleServer): Promise<void> {
  const [first, ...others] = await Promise.all([1, 2, 3].map(async () => server.connect()));
  await first!.run([
    'create table hc (a int)',
    'create index on hc using hash (a) with (fillfactor = 10)',
  ]);
  const sessions = [first!, ...others];
  await Promise.all(
    sessions.map(async (session, index) => {
      for (let round = 0; round < 3; round += 1)
        await session.query(
          `insert into hc select (i % 7) * ${index} + i from generate_series(1, 100) i`,
        );
    }),
  );
}
