/**
 * Workloads for the small resource managers: sequences, generic records, full-page images.
 */
import { type OracleServer } from './oracle-server.ts';

/** Created, advanced beyond what is logged ahead, set, restarted and altered. */
export async function sequenceWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.run([
    'create sequence s1',
    'create sequence s2 increment by -3 minvalue -1000000 maxvalue 7 start 5 cache 10',
    `select nextval('s1') from generate_series(1, 100)`,
    `select nextval('s2') from generate_series(1, 300)`,
    `select setval('s1', 4711), setval('s2', -5, false)`,
    'alter sequence s1 restart with 9 increment by 2',
    'checkpoint',
    `select nextval('s1')`,
    'create table with_serial (a serial, b bigserial, c int)',
    'insert into with_serial (c) select i from generate_series(1, 200) i',
    'truncate with_serial restart identity',
    'insert into with_serial (c) values (1)',
    'drop sequence s2',
  ]);
}

/** A bloom index logs what changed on a page as ranges of bytes. */
export async function genericWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.run([
    'create extension bloom',
    'create table g (a int, b int)',
    'insert into g select i, i % 17 from generate_series(1, 2000) i',
    'create index on g using bloom (a, b)',
    'insert into g select i, i % 13 from generate_series(1, 2500) i',
    'delete from g where a % 3 = 0',
    'vacuum g',
    'insert into g select i, i % 11 from generate_series(1, 1500) i',
  ]);
}

/** Images: whole relations written at once, and copied databases. */
export async function imageWorkload(server: OracleServer): Promise<void> {
  const client = await server.connect();
  await client.run([
    'create table f (a int, b text)',
    `insert into f select i, md5(i::text) from generate_series(1, 1500) i`,
    'create index on f (b)',
    'create table f2 as select * from f',
    'alter table f add column c int default 5',
    'alter table f alter a type bigint',
    'cluster f using f_b_idx',
    'vacuum full f2',
    'checkpoint',
    'select count(*) from f',
    'update f set c = c + 1 where a % 10 = 0',
    'truncate f2',
    'insert into f2 values (1)',
  ]);
}
