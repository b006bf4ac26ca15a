/**
 * Workload: every record a BRIN index can write. Ranges of one heap block, and rows of a block each,
 * make summaries as many as rows.
 */
import { type SqlClient } from './oracle-client.ts';
import { type OracleServer } from './oracle-server.ts';

/** Runs all of the parts below. */
export async function brinWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await growingSummaries(client);
  await operatorClasses(client);
  await extendedRangeMap(client);
  await unloggedToLogged(client);
}

/** Summaries are made, widened where they stand, moved to other pages, and taken away. */
async function growingSummaries(client: SqlClient): Promise<void> {
  await client.run([
    'create table bg (n int, k text, pad text)',
    'alter table bg alter k set storage plain, alter pad set storage plain',
    'create index bg_k on bg using brin (k) with (pages_per_range = 1)',
    'create index bg_n on bg using brin (n) with (pages_per_range = 4)',
    `insert into bg select i, 'k' || i, repeat('x', 3500) from generate_series(1, 300) i`,
    `select brin_summarize_new_values('bg_k'), brin_summarize_new_values('bg_n')`,
    // Room is left on the pages, so longer keys go to blocks that have summaries.
    `insert into bg select -i, repeat(chr(97 + i % 26), 10 + i % 5), '' from generate_series(1, 200) i`,
    `insert into bg select i, repeat(chr(97 + i % 26), 300), '' from generate_series(1, 60) i`,
    `delete from bg where n % 2 = 0`,
    'vacuum bg',
    `insert into bg select i, repeat(chr(97 + i % 26), 900), '' from generate_series(1, 200) i`,
    `select brin_desummarize_range('bg_k', block) from generate_series(3, 90, 7) block`,
    `select brin_desummarize_range('bg_n', 8)`,
    `select brin_summarize_range('bg_k', 10), brin_summarize_range('bg_n', 8)`,
    `update bg set k = repeat('z', 1200) where n % 31 = 0`,
    'vacuum bg',
    'reindex table bg',
  ]);
}

async function operatorClasses(client: SqlClient): Promise<void> {
  await client.run([
    `create table bo (i int, t text, d timestamptz, f float8, b box, a inet, r int4range,
       u uuid, pad text)`,
    'alter table bo alter pad set storage plain',
    `create index bo_minmax on bo using brin (i, t, d, u) with (pages_per_range = 1)`,
    `create index bo_multi on bo using brin (i int4_minmax_multi_ops (values_per_range = 16),
       f float8_minmax_multi_ops, d timestamptz_minmax_multi_ops, a inet_minmax_multi_ops)
       with (pages_per_range = 1)`,
    `create index bo_inclusion on bo using brin (b, a inet_inclusion_ops, r) with (pages_per_range = 1)`,
    `create index bo_bloom on bo using brin (i int4_bloom_ops, t text_bloom_ops,
       u uuid_bloom_ops (n_distinct_per_range = 20)) with (pages_per_range = 2)`,
    operatorClassRows(1, 120),
    `select brin_summarize_new_values(oid) from pg_class where relname like 'bo\\_%'
       and relkind = 'i'`,
    operatorClassRows(2_000, 2_120),
    `select brin_summarize_new_values(oid) from pg_class where relname like 'bo\\_%'
       and relkind = 'i'`,
    `update bo set i = -i, f = -f, b = box(point(-i, -i), point(i, i)), a = '::1', t = 'zz'
       where i % 9 = 0`,
    'insert into bo (i) values (null), (7)',
    `insert into bo (i, r) values (8, 'empty')`,
    'delete from bo where i % 5 = 0',
    'vacuum bo',
    operatorClassRows(1, 100),
  ]);
}

function operatorClassRows(first: number, last: number): string {
  return `insert into bo select i, md5(i::text), timestamptz '2020-01-01Z' + i * interval '1 h',
    (i * 7919) % 1009, box(point(i, i), point(i + 3, i + 4)), ('10.0.0.0'::inet + i),
    int4range(i, i + 10), md5(i::text)::uuid, repeat('x', 1500) from generate_series(${first}, ${last}) i`;
}

/** More ranges than a page of the range map holds: it takes over a page that has summaries. */
async function extendedRangeMap(client: SqlClient): Promise<void> {
  await client.run([
    'create table br (n int, pad text)',
    'alter table br alter pad set storage plain',
    'create index br_n on br using brin (n) with (pages_per_range = 1)',
    `insert into br select i, repeat('x', 7000) from generate_series(1, 1100) i`,
    `select brin_summarize_new_values('br_n')`,
    `insert into br select i, repeat('x', 7000) from generate_series(1, 400) i`,
    `select brin_summarize_new_values('br_n')`,
    `select brin_desummarize_range('br_n', 1400)`,
    'create index on br using brin (n) with (pages_per_range = 1)',
  ]);
}

async function unloggedToLogged(client: SqlClient): Promise<void> {
  await client.run([
    'create unlogged table bu (n int)',
    'create index on bu using brin (n)',
    'insert into bu select i from generate_series(1, 1000) i',
    'alter table bu set logged',
    'insert into bu select i from generate_series(1, 1000) i',
  ]);
}
