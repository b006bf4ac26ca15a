/**
 * A workload for ingest: everything whose effect is not in the blocks of its records.
 */
import { type OracleServer } from '../redo/oracle-server.ts';
import { type SqlClient } from '../redo/oracle-client.ts';

/** What a comparison needs to know of it. */
export interface Done {
  /** Id of the database whose pages were logged one by one to copy them. */
  readonly byLog: number;
  /** Relation of the sequence, of which Postgres logs more than it has given out. */
  readonly sequence: number;
}

/** Runs it all. Leaves a prepared transaction, an open one, and work that no checkpoint covers. */
export async function runWorkload(server: OracleServer): Promise<Done> {
  const client = await server.connect();
  await client.query('CHECKPOINT');
  await relations(client);
  await visibility(client);
  await ginIndex(client);
  await hashAndBrinIndexes(client);
  await gistIndexes(client);
  await subtransactions(client);
  await multixacts(client);
  await preparedTransactions(client);
  await databases(server, client);
  await catalogs(client);
  await origins(client);
  await client.query(`SELECT pg_switch_wal()`);
  await leftOpen(server);
  return {
    byLog: await number(client, `SELECT oid FROM pg_database WHERE datname = 'by_log'`),
    sequence: await number(client, `SELECT pg_relation_filenode('counted')`),
  };
}

async function number(client: SqlClient, sql: string): Promise<number> {
  return Number((await client.query(sql))[0]![0]);
}

/** Created, filled, truncated, dropped, rolled back. */
async function relations(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE kept (id int PRIMARY KEY, body text)`,
    `INSERT INTO kept SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i`,
    `CREATE TABLE dropped AS SELECT * FROM kept`,
    `CREATE TABLE truncated AS SELECT * FROM kept`,
    `CREATE TABLE emptied (id int)`,
    `CREATE UNLOGGED TABLE unlogged AS SELECT * FROM kept`,
    `DROP TABLE dropped`,
    `TRUNCATE truncated`,
    `INSERT INTO truncated SELECT * FROM kept LIMIT 10`,
    `CREATE SEQUENCE counted`,
    `SELECT nextval('counted') FROM generate_series(1, 100)`,
    `BEGIN; CREATE TABLE rolled_back AS SELECT * FROM kept; ROLLBACK`,
    `SELECT count(lo_create(0)) FROM generate_series(1, 9000)`, // more oids than one log record covers
    `SELECT pg_logical_emit_message(true, 'prefix', 'text')`,
  ]);
}

/** Bits set by vacuum, cleared by every kind of heap record, and truncated with the heap. */
async function visibility(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE seen (id int, body text) WITH (fillfactor = 70)`,
    `INSERT INTO seen SELECT i, repeat('y', 200) FROM generate_series(1, 8000) i`,
    `VACUUM (FREEZE) seen`,
    `DELETE FROM seen WHERE id % 97 = 0`,
    `UPDATE seen SET body = body || 'z' WHERE id % 89 = 0`,
    `UPDATE seen SET body = repeat(md5(id::text), 60) WHERE id % 211 = 0`,
    `BEGIN; SELECT 1 FROM seen WHERE id % 301 = 0 FOR UPDATE; COMMIT`,
    `VACUUM seen`,
    `DELETE FROM seen WHERE id BETWEEN 1000 AND 1200`,
    `VACUUM seen`,
    `INSERT INTO seen SELECT i, 'small' FROM generate_series(1, 300) i`,
    `COPY seen FROM PROGRAM 'seq 1 500 | sed "s/$/\tcopied/"'`,
    `CREATE TABLE shrunk (id int, body text)`,
    `INSERT INTO shrunk SELECT i, repeat('y', 500) FROM generate_series(1, 20000) i`,
    `VACUUM (FREEZE) shrunk`,
    `DELETE FROM shrunk WHERE id > 777`,
    `VACUUM shrunk`, // truncates heap, map and free-space map
    `INSERT INTO shrunk SELECT i, repeat('y', 500) FROM generate_series(1, 2000) i`,
  ]);
}

/** Built, filled by way of its pending list and past it, vacuumed. */
async function ginIndex(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE tagged AS SELECT i AS id, ARRAY[1, i % 9] AS tags FROM generate_series(1, 9000) i`,
    `CREATE INDEX tagged_tags ON tagged USING gin (tags)`,
    `INSERT INTO tagged SELECT i, ARRAY[1, i] FROM generate_series(1, 700) i`,
    `DELETE FROM tagged WHERE id % 3 = 0`,
    `VACUUM tagged`,
    `ALTER INDEX tagged_tags SET (fastupdate = off)`,
    `INSERT INTO tagged SELECT i, ARRAY[1, i] FROM generate_series(1, 700) i`,
    `ALTER INDEX tagged_tags SET (fastupdate = on)`,
    `INSERT INTO tagged SELECT i, ARRAY[1, i] FROM generate_series(1, 100) i`, // stay pending
  ]);
}

/** Split and squeezed; made unlogged, so that it has an initial fork. Ranges come and go. */
async function hashAndBrinIndexes(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE hashed (id int, body text)`,
    `CREATE INDEX ON hashed USING hash (id) WITH (fillfactor = 10)`,
    `CREATE INDEX ON hashed USING hash (body)`,
    `CREATE INDEX hashed_brin ON hashed USING brin (id, body) WITH (pages_per_range = 1)`,
    `INSERT INTO hashed SELECT i % 700, repeat('h', i % 40) FROM generate_series(1, 6000) i`,
    `SELECT brin_summarize_new_values('hashed_brin')`,
    `DELETE FROM hashed WHERE id > 100`,
    `VACUUM hashed`,
    `INSERT INTO hashed SELECT i, repeat('g', i % 900) FROM generate_series(1, 900) i`,
    `SELECT brin_desummarize_range('hashed_brin', 3)`,
    `CREATE UNLOGGED TABLE hashed_unlogged (id int)`,
    `CREATE INDEX ON hashed_unlogged USING hash (id)`,
    `CREATE INDEX ON hashed_unlogged USING brin (id)`,
    `INSERT INTO hashed_unlogged SELECT generate_series(1, 100)`,
  ]);
}

/** Built, filled, vacuumed, with pages that become empty and come back. */
async function gistIndexes(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE placed AS SELECT point(i, i % 9) AS at, md5(i::text) AS name
       FROM generate_series(1, 2000) i`,
    `CREATE INDEX ON placed USING gist (at)`,
    `CREATE INDEX ON placed USING spgist (name)`,
    `INSERT INTO placed SELECT point(i, i % 7), 'n' || i FROM generate_series(1, 2000) i`,
    `DELETE FROM placed WHERE at[0] < 1500`,
    `VACUUM placed`,
    `INSERT INTO placed SELECT point(-i, i % 7), md5((i * 3)::text) FROM generate_series(1, 1500) i`,
  ]);
}

/** More xids in one commit than a clog page holds; also aborted ones. */
async function subtransactions(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE nested (id int)`,
    nested(20_000, 'COMMIT'),
    nested(3_000, 'ROLLBACK'),
    nested(20_000, 'COMMIT'),
    `BEGIN; INSERT INTO nested VALUES (1); SAVEPOINT a; INSERT INTO nested VALUES (2);
     ROLLBACK TO a; INSERT INTO nested VALUES (3); COMMIT`,
  ]);
}

/** One transaction of `count` subtransactions. */
function nested(count: number, end: 'COMMIT' | 'ROLLBACK'): string {
  return `BEGIN; DO $$ BEGIN FOR i IN 1..${count} LOOP
    BEGIN INSERT INTO nested VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END;
  END LOOP; END $$; ${end}`;
}

/** Enough of them to fill pages of offsets and of members. */
async function multixacts(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE shared (id int PRIMARY KEY, n int)`,
    `INSERT INTO shared SELECT i, 0 FROM generate_series(1, 3000) i`,
    `DO $$ DECLARE each record; BEGIN FOR each IN SELECT id FROM shared LOOP
       PERFORM 1 FROM shared WHERE id = each.id FOR KEY SHARE;
       BEGIN UPDATE shared SET n = n + 1 WHERE id = each.id;
       EXCEPTION WHEN division_by_zero THEN NULL; END;
     END LOOP; END $$`,
    `VACUUM (FREEZE) shared`,
  ]);
}

async function preparedTransactions(client: SqlClient): Promise<void> {
  await client.run([
    `CREATE TABLE prepared (id int)`,
    `CREATE TABLE gone_with_commit (id int)`,
    `BEGIN; INSERT INTO prepared VALUES (1); SAVEPOINT a; INSERT INTO prepared VALUES (2);
     DROP TABLE gone_with_commit; PREPARE TRANSACTION 'committed'`,
    `BEGIN; CREATE TABLE gone_with_abort (id int); INSERT INTO prepared VALUES (3);
     PREPARE TRANSACTION 'rolled back'`,
    `BEGIN; INSERT INTO prepared VALUES (4); SAVEPOINT b; INSERT INTO prepared VALUES (5);
     PREPARE TRANSACTION 'left prepared'`,
    `COMMIT PREPARED 'committed'`,
    `ROLLBACK PREPARED 'rolled back'`,
  ]);
}

async function databases(server: OracleServer, client: SqlClient): Promise<void> {
  await client.query(`CREATE DATABASE template STRATEGY file_copy`);
  const inTemplate = await server.connect('template');
  await inTemplate.run([
    `CREATE TABLE copied (id int PRIMARY KEY)`,
    `INSERT INTO copied SELECT generate_series(1, 3000)`,
    `VACUUM copied`,
    `VACUUM FULL pg_class`,
  ]);
  await inTemplate.close();
  await client.run([
    `CREATE DATABASE by_files TEMPLATE template STRATEGY file_copy`,
    `CREATE DATABASE by_log TEMPLATE template STRATEGY wal_log`,
    `CREATE DATABASE short_lived STRATEGY file_copy`,
    `DROP DATABASE short_lived`,
  ]);
  const inCopy = await server.connect('by_files');
  await inCopy.run([`DELETE FROM copied WHERE id < 100`, `INSERT INTO copied VALUES (1)`]);
  await inCopy.close();
}

/** Mapped catalogs move, in one database and shared. */
async function catalogs(client: SqlClient): Promise<void> {
  await client.run([
    `VACUUM FULL pg_class`,
    `VACUUM FULL pg_database`,
    `REINDEX TABLE pg_attribute`,
  ]);
}

async function origins(client: SqlClient): Promise<void> {
  await client.run([
    `SELECT pg_replication_origin_create('first'), pg_replication_origin_create('second'),
       pg_replication_origin_create('third')`,
    `SELECT pg_replication_origin_advance('second', '5/50')`,
    `SELECT pg_replication_origin_advance('third', '6/60')`,
    `SELECT pg_replication_origin_drop('third')`,
    `SELECT pg_replication_origin_session_setup('first')`,
    `BEGIN; SELECT pg_replication_origin_xact_setup('7/70', '2020-01-01'); INSERT INTO nested VALUES (4);
     COMMIT`,
    `SELECT pg_replication_origin_session_reset()`,
  ]);
}

/** Running when the server ends: what it wrote is in WAL, its end is not. */
async function leftOpen(server: OracleServer): Promise<void> {
  const open = await server.connect();
  await open.query(`BEGIN; INSERT INTO kept SELECT i, 'open' FROM generate_series(9000, 9500) i`);
  const other = await server.connect();
  await other.run([`INSERT INTO kept VALUES (9999, 'last')`, `DELETE FROM kept WHERE id = 1`]);
}
