/**
 * Workload: every record an SP-GiST index can write. Keys are made by arithmetic, not at random, so
 * that every run does the same.
 */
import { type OracleServer } from './oracle-server.ts';
import { type SqlClient } from './oracle-client.ts';

/** Runs all of the parts below. */
export async function spgistWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await points(client);
  await text(client);
  await commonPrefixes(client);
  await longValues(client);
  await rangesAndAddresses(client);
  await nulls(client);
  await vacuumedRoot(client);
  await vacuumedChains(client);
  await builds(client);
  await unloggedToLogged(client);
}

/** Quad trees and k-d trees: the nodes of an inner tuple are there from the start. */
async function points(client: SqlClient): Promise<void> {
  await client.run([
    'create table sp (p point, b box, g polygon)',
    'create index on sp using spgist (p)',
    'create index on sp using spgist (p kd_point_ops)',
    'create index on sp using spgist (b) with (fillfactor = 60)',
    'create index on sp using spgist (g)',
    `insert into sp select point((i * 7919) % 10007, (i * 104729) % 10009),
         box(point(i % 97, i % 89), point(i % 97 + i % 5, i % 89 + i % 3)),
         polygon(box(point(i % 73, i % 71), point(i % 73 + 1, i % 71 + 2)))
       from generate_series(1, 1000) i`,
    // Equal keys: inner tuples whose nodes are all the same.
    `insert into sp select point(1, 1), box(point(1, 1), point(2, 2)), null
       from generate_series(1, 500) i`,
    'delete from sp where p[0] < 2500',
    'vacuum sp',
    `insert into sp select point((i * 7919) % 2503, i % 11), null, null
       from generate_series(1, 400) i`,
  ]);
}

/** Radix trees: nodes are added, to tuples that then no longer fit their page, and prefixes split. */
async function text(client: SqlClient): Promise<void> {
  await client.run([
    'create table st (k text)',
    'create index on st using spgist (k)',
    `insert into st select md5(i::text) from generate_series(1, 1500) i`,
    `insert into st select repeat(chr(97 + i % 3), i % 40) || md5((i * 7)::text)
       from generate_series(1, 1000) i`,
    `insert into st select chr(200 + i % 601) || chr(300 + i % 499) || i
       from generate_series(1, 2000) i`,
    `delete from st where k < '8'`,
    'vacuum st',
    `insert into st select md5((i * 13)::text) from generate_series(1, 600) i`,
  ]);
}

/** Long prefixes that differ ever later, and earlier ones after them. */
async function commonPrefixes(client: SqlClient): Promise<void> {
  await client.run([
    'create table sl (k text)',
    'create index on sl using spgist (k)',
    `insert into sl select repeat('abcdefgh', 100 - i % 97) || chr(65 + i % 23) || i % 31
       from generate_series(1, 700) i`,
    `insert into sl select left(repeat('abcdefgh', 200), 5 + (i * 131) % 1500) || chr(200 + i % 700)
       from generate_series(1, 1200) i`,
  ]);
}

/** Values too long for a page, which go to an inner tuple and a leaf at once. */
async function longValues(client: SqlClient): Promise<void> {
  await client.run([
    'create table sw (k text)',
    'create index on sw using spgist (k)',
    `insert into sw select md5(i::text) from generate_series(1, 300) i`,
    `insert into sw select chr(64 + i) || repeat(md5(i::text), 300) from generate_series(1, 3) i`,
  ]);
}

async function rangesAndAddresses(client: SqlClient): Promise<void> {
  await client.run([
    'create table sr (r int4range, a inet)',
    'create index on sr using spgist (r)',
    'create index on sr using spgist (a)',
    `insert into sr select int4range((i * 31) % 5003, (i * 31) % 5003 + i % 50),
         ('10.' || i % 7 || '.' || i % 251 || '.' || i % 241)::inet
       from generate_series(1, 800) i`,
    `insert into sr select 'empty', ('fd00::' || to_hex(i % 997))::inet
       from generate_series(1, 400) i`,
    `insert into sr select int4range(null, i), ('10.1.0.0/' || 16 + i % 8)::cidr
       from generate_series(1, 300) i`,
    'delete from sr where r @> 700 or isempty(r)',
    'vacuum sr',
  ]);
}

/** Nulls have a tree of their own; in included columns they have bitmaps. */
async function nulls(client: SqlClient): Promise<void> {
  await client.run([
    'create table sn (k text, n int)',
    'create index on sn using spgist (k) include (n)',
    `insert into sn select case when i % 3 = 0 then 'k' || i end, case when i % 5 > 0 then i end
       from generate_series(1, 2000) i`,
    'delete from sn where n % 4 = 1',
    'vacuum sn',
    'insert into sn select null, i from generate_series(1, 1500) i',
    'delete from sn where k is null',
    'vacuum sn',
    'insert into sn select null, i from generate_series(1, 100) i',
  ]);
}

/** Roots that are leaves. */
async function vacuumedRoot(client: SqlClient): Promise<void> {
  await client.run([
    'create table sv (k text, p point)',
    'create index on sv using spgist (k)',
    'create index on sv using spgist (p)',
    `insert into sv select 'a' || i, point(i, i) from generate_series(1, 40) i`,
    `delete from sv where p[0]::int % 3 = 0`,
    'vacuum sv',
    `insert into sv select null, null from generate_series(1, 20) i`,
    `delete from sv where k is null`,
    'vacuum sv',
  ]);
}

/** Chains that lose their head, some tuples or all; redirects that are cleared away. */
async function vacuumedChains(client: SqlClient): Promise<void> {
  await client.run([
    'create table sc (k text, n int)',
    'create index on sc using spgist (k)',
    `insert into sc select chr(97 + i % 26) || chr(97 + (i / 26) % 26) || i, i
       from generate_series(1, 2500) i`,
    'delete from sc where n % 2 = 0',
    'vacuum sc',
    'select txid_current()',
    'vacuum sc',
    `insert into sc select chr(97 + i % 26) || 'zz' || i, i from generate_series(1, 800) i`,
    `delete from sc where k < 'm'`,
    'vacuum sc',
    // Too wide for the pages of their chains, which are empty but for a dead head.
    `insert into sc select chr(97 + i % 12) || chr(97 + i % 26) || repeat('x', 3000), i
       from generate_series(1, 40) i`,
    `insert into sc select chr(97 + i % 13) || i, i from generate_series(1, 200) i`,
    'delete from sc',
    'vacuum sc',
    'vacuum sc',
    `insert into sc select chr(97 + i % 26) || i, i from generate_series(1, 200) i`,
  ]);
}

async function builds(client: SqlClient): Promise<void> {
  await client.run([
    'create index on st using spgist (k) with (fillfactor = 80)',
    'create index on sp using spgist (p)',
    'create index concurrently on sr using spgist (r) where not isempty(r)',
    'reindex table sn',
    'insert into st select md5((i * 17)::text) from generate_series(1, 500) i',
  ]);
}

async function unloggedToLogged(client: SqlClient): Promise<void> {
  await client.run([
    'create unlogged table su (k text)',
    'create index on su using spgist (k)',
    'insert into su select md5(i::text) from generate_series(1, 800) i',
    'alter table su set logged',
    'insert into su select md5((i * 3)::text) from generate_series(1, 400) i',
  ]);
}
