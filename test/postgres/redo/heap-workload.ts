/**
 * Workloads that reach every record of the heap and heap2 managers that touches a page, most of them
 * in several forms. Each is one story told to a server of its own; together they take seconds.
 */
import { type SqlClient } from './oracle-client.ts';
import { type OracleServer } from './oracle-server.ts';

/** Everything that a server writes whatever its `wal_level`. */
export async function heapWorkload(server: OracleServer): Promise<void> {
  const sql = await server.connect();
  await insertRows(sql);
  await copyRows(sql, server.root);
  await updateRows(sql);
  await deleteRows(sql);
  await toastRows(sql);
  await pruneAndVacuum(sql);
  await freezeRows(sql);
  await updateInPlace(sql);
  await lockRows(server);
  await insertSpeculatively(server);
  await shrinkTable(sql);
}

/** What only `wal_level=logical` writes: truncations, command ids, rewritten catalogs. */
export async function heapLogicalWorkload(server: OracleServer): Promise<void> {
  const sql = await server.connect();
  await sql.run([
    `SELECT pg_create_logical_replication_slot('stemma', 'pgoutput')`,
    `CREATE TABLE logged (id int PRIMARY KEY, note text)`,
    `INSERT INTO logged SELECT n, 'row ' || n FROM generate_series(1, 500) n`,
    `UPDATE logged SET note = note || ' changed' WHERE id % 3 = 0`,
    `UPDATE logged SET id = id + 1000 WHERE id % 5 = 0`,
    `ALTER TABLE logged REPLICA IDENTITY FULL`,
    `DELETE FROM logged WHERE id % 7 = 0`,
    `TRUNCATE logged`,
    `VACUUM FULL pg_class`,
    `SELECT pg_drop_replication_slot('stemma')`,
  ]);
}

/** Full pages, empty ones made by the first insert, nulls, aborted transactions and subtransactions. */
async function insertRows(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE filled (id int, a text, b int, c text)`,
    `INSERT INTO filled SELECT n, repeat('x', n % 90), nullif(n % 4, 0), nullif('c' || n % 3, 'c1')
       FROM generate_series(1, 3000) n`,
    `INSERT INTO filled DEFAULT VALUES`,
    `BEGIN; INSERT INTO filled SELECT n FROM generate_series(1, 200) n; ROLLBACK`,
    `BEGIN; INSERT INTO filled VALUES (-1); SAVEPOINT s; INSERT INTO filled VALUES (-2);
       ROLLBACK TO s; INSERT INTO filled VALUES (-3); COMMIT`,
    `CREATE TABLE plain (id int, a text)`,
    `ALTER TABLE plain ALTER a SET STORAGE PLAIN`,
    // One tuple fills a page; the largest that fits; one byte of data.
    `INSERT INTO plain SELECT n, repeat('p', n) FROM unnest(ARRAY[8000, 8124, 4000, 4000, 1]) n`,
    `CREATE TABLE narrow AS SELECT FROM generate_series(1, 1000)`,
    `CREATE TABLE wide (${Array.from({ length: 300 }, (_, n) => `c${String(n)} int`).join(', ')})`,
    `INSERT INTO wide (c0, c299) SELECT n, n FROM generate_series(1, 50) n`,
  ]);
}

/** Multi-inserts into new and into used pages, and frozen ones. */
async function copyRows(sql: SqlClient, directory: string): Promise<void> {
  const file = `'${directory}/rows.copy'`;
  await sql.run([
    `COPY (SELECT n, repeat('y', n % 50), n % 9 FROM generate_series(1, 4000) n) TO ${file}`,
    `CREATE TABLE copied (id int, a text, b int)`,
    `INSERT INTO copied SELECT n, 'first', n FROM generate_series(1, 20) n`,
    `COPY copied FROM ${file}`,
    `DELETE FROM copied WHERE id % 3 = 0`,
    `VACUUM copied`,
    `COPY copied FROM ${file}`,
    `CREATE TABLE born_frozen (id int, a text, b int)`,
    `BEGIN; TRUNCATE born_frozen; COPY born_frozen FROM ${file} (FREEZE); COMMIT`,
    `UPDATE born_frozen SET b = -b WHERE id % 100 = 0`,
  ]);
}

/** HOT and not, on one page and across two, with and without a shared prefix or suffix. */
async function updateRows(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE updated (id int PRIMARY KEY, head text, body text, tail text)
       WITH (fillfactor = 60)`,
    `INSERT INTO updated SELECT n, repeat('h', 20), repeat('b', n % 40), repeat('t', 30)
       FROM generate_series(1, 1500) n`,
    `UPDATE updated SET body = body || '!' WHERE id % 2 = 0`,
    `UPDATE updated SET head = 'other' WHERE id % 3 = 0`,
    `UPDATE updated SET tail = 'other' WHERE id % 5 = 0`,
    `UPDATE updated SET head = NULL WHERE id % 7 = 0`,
    `UPDATE updated SET head = 'back', tail = NULL WHERE id % 14 = 0`,
    `UPDATE updated SET id = id + 10000 WHERE id % 11 = 0`,
    // Too big for the page the old version is on: the new one makes a page of its own.
    `UPDATE updated SET body = repeat('B', 1800) WHERE id % 13 = 0`,
    `UPDATE updated SET body = body || 'x'`,
    `VACUUM updated`,
    `UPDATE updated SET body = 'visible no more' WHERE id % 17 = 0`,
    `BEGIN; UPDATE updated SET tail = 'never' WHERE id < 100; ROLLBACK`,
    `UPDATE updated SET tail = 'after all' WHERE id < 100`,
  ]);
}

/** Deletes, also of rows on all-visible pages, and rows that move to another partition. */
async function deleteRows(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE deleted (id int PRIMARY KEY, a text)`,
    `INSERT INTO deleted SELECT n, repeat('d', n % 60) FROM generate_series(1, 2000) n`,
    `VACUUM deleted`,
    `DELETE FROM deleted WHERE id % 2 = 0`,
    `BEGIN; DELETE FROM deleted WHERE id % 3 = 0; ROLLBACK`,
    // Deleted after an update that came to nothing left its mark on them.
    `CREATE TABLE hesitant (id int PRIMARY KEY, a text) WITH (fillfactor = 40)`,
    `INSERT INTO hesitant SELECT n, 'here' FROM generate_series(1, 200) n`,
    `BEGIN; UPDATE hesitant SET a = 'gone' WHERE id % 2 = 0; ROLLBACK`,
    `DELETE FROM hesitant WHERE id % 4 = 0`,
    `CREATE TABLE parted (id int, a text) PARTITION BY RANGE (id)`,
    `CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (1000)`,
    `CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (1000) TO (3000)`,
    `INSERT INTO parted SELECT n, 'p' FROM generate_series(1, 900) n`,
    `UPDATE parted SET id = id + 1000 WHERE id % 4 = 0`,
  ]);
}

async function toastRows(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE toasted (id int PRIMARY KEY, a text)`,
    `ALTER TABLE toasted ALTER a SET STORAGE EXTERNAL`,
    `INSERT INTO toasted SELECT n, repeat(md5(n::text), 300) FROM generate_series(1, 60) n`,
    `UPDATE toasted SET a = a || 'more' WHERE id % 2 = 0`,
    `UPDATE toasted SET id = id + 100 WHERE id % 3 = 0`,
    `DELETE FROM toasted WHERE id % 5 = 0`,
    `VACUUM toasted`,
  ]);
}

/** Redirects, dead items, unused ones, and the line pointers that a second pass takes away. */
async function pruneAndVacuum(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE pruned (id int PRIMARY KEY, a text) WITH (fillfactor = 50)`,
    `INSERT INTO pruned SELECT n, repeat('r', n % 100) FROM generate_series(1, 800) n`,
    ...Array.from(
      { length: 8 },
      (_, round) => `UPDATE pruned SET a = 'round ${String(round)}' WHERE id % 4 <> 0`,
    ),
    `SELECT sum(length(a)) FROM pruned`,
    `DELETE FROM pruned WHERE id % 3 = 0`,
    `SELECT sum(length(a)) FROM pruned`,
    `VACUUM pruned`,
    `INSERT INTO pruned SELECT n, 'again' FROM generate_series(2000, 2300) n`,
    // All items of the last pages: their line pointers go.
    `DELETE FROM pruned WHERE ctid >= '(20,1)'`,
    `VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) pruned`,
    `CREATE TABLE unindexed (id int, a text)`,
    `INSERT INTO unindexed SELECT n, repeat('u', n % 100) FROM generate_series(1, 1500) n`,
    `DELETE FROM unindexed WHERE id % 3 <> 0`,
    `VACUUM (TRUNCATE OFF) unindexed`,
    `INSERT INTO unindexed SELECT n, 'again' FROM generate_series(1, 400) n`,
    `DELETE FROM unindexed`,
    `VACUUM unindexed`,
    `INSERT INTO unindexed SELECT n, 'after truncation' FROM generate_series(1, 400) n`,
  ]);
}

/** Freezing alone, freezing with pruning, and what clears the map's frozen bit afterwards. */
async function freezeRows(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE frozen (id int PRIMARY KEY, a text)`,
    `INSERT INTO frozen SELECT n, repeat('f', n % 70) FROM generate_series(1, 1500) n`,
    `BEGIN; UPDATE frozen SET a = 'lost' WHERE id % 9 = 0; ROLLBACK`,
    `BEGIN; SELECT count(*) FROM (SELECT 1 FROM frozen WHERE id % 5 = 0 FOR UPDATE) s; ROLLBACK`,
    `VACUUM (FREEZE) frozen`,
    `SELECT count(*) FROM (SELECT 1 FROM frozen WHERE id % 50 = 0 FOR UPDATE) s`,
    `UPDATE frozen SET a = 'thawed' WHERE id % 6 = 0`,
    `DELETE FROM frozen WHERE id % 10 = 0`,
    `VACUUM (FREEZE) frozen`,
    `VACUUM (FREEZE)`,
  ]);
}

/** Statistics in the catalogs are written over the old ones. */
async function updateInPlace(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE measured (id int, a text)`,
    `INSERT INTO measured SELECT n, 'm' FROM generate_series(1, 2000) n`,
    `ANALYZE measured`,
    `CREATE INDEX measured_id ON measured (id)`,
    `DELETE FROM measured WHERE id < 500`,
    `VACUUM (ANALYZE) measured`,
  ]);
}

/**
 * Truncated pages that come back. Of the map only the bits of pages that stayed are left: nothing
 * after this may vacuum them again.
 */
async function shrinkTable(sql: SqlClient): Promise<void> {
  await sql.run([
    `CREATE TABLE shrunken (id int, a text)`,
    `INSERT INTO shrunken SELECT n, repeat('s', 100) FROM generate_series(1, 1500) n`,
    `VACUUM (FREEZE) shrunken`,
    `DELETE FROM shrunken WHERE id > 330`,
    `VACUUM shrunken`,
    `INSERT INTO shrunken SELECT n, repeat('s', 100) FROM generate_series(1, 1500) n`,
  ]);
}

/** Row locks by one and by several transactions, and locks that follow an update. */
async function lockRows(server: OracleServer): Promise<void> {
  const first = await server.connect();
  const second = await server.connect();
  await first.run([
    `CREATE TABLE locked (id int PRIMARY KEY, a text)`,
    `INSERT INTO locked SELECT n, 'l' FROM generate_series(1, 100) n`,
    `VACUUM (FREEZE) locked`,
    `CREATE TABLE referring (id int REFERENCES locked)`,
    `INSERT INTO referring SELECT n FROM generate_series(1, 100, 3) n`,
  ]);
  for (const strength of ['KEY SHARE', 'SHARE', 'NO KEY UPDATE', 'UPDATE'])
    await first.query(`BEGIN; SELECT * FROM locked WHERE id < 30 FOR ${strength}; COMMIT`);

  await first.query(`BEGIN; SELECT * FROM locked WHERE id < 60 FOR SHARE`);
  await second.query(`BEGIN; SELECT * FROM locked WHERE id < 40 FOR KEY SHARE; COMMIT`);
  await second.query(`BEGIN; SELECT * FROM locked WHERE id < 40 FOR SHARE`);
  await first.query(`COMMIT`);
  await second.query(`COMMIT`);

  // The lock goes on from the old version to the new one, on the same page and on another.
  await first.query(`BEGIN; UPDATE locked SET a = 'new' WHERE id < 20`);
  await first.query(`UPDATE locked SET a = repeat('long', 1500) WHERE id BETWEEN 40 AND 50`);
  await second.query(`BEGIN; SELECT * FROM locked WHERE id < 60 FOR KEY SHARE`);
  await first.query(`COMMIT`);
  await second.query(`COMMIT`);
  await second.query(`UPDATE locked SET id = id + 1000 WHERE id = 77`);
  await first.query(`DELETE FROM locked WHERE id = 20`);
  await first.query(`VACUUM (FREEZE) locked`);
}

/** ON CONFLICT: insertions that stay, and one that loses against another after it began. */
async function insertSpeculatively(server: OracleServer): Promise<void> {
  const waiter = await server.connect();
  const holder = await server.connect();
  await holder.run([
    `CREATE FUNCTION key_of(a text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
     BEGIN
       IF current_setting('stemma.calls', true) <> '' THEN
         PERFORM set_config('stemma.calls', (current_setting('stemma.calls')::int + 1)::text, false);
         IF current_setting('stemma.calls')::int = 2 THEN
           PERFORM pg_advisory_lock(1), pg_advisory_unlock(1);
         END IF;
       END IF;
       RETURN a;
     END $$`,
    `CREATE TABLE upserted (a text, b text)`,
    `ALTER TABLE upserted ALTER b SET STORAGE EXTERNAL`,
    `CREATE UNIQUE INDEX upserted_key ON upserted (key_of(a))`,
    `INSERT INTO upserted SELECT n % 50, n FROM generate_series(1, 100) n ON CONFLICT DO NOTHING`,
    `INSERT INTO upserted SELECT n % 60, n FROM generate_series(60, 119) n
       ON CONFLICT (key_of(a)) DO UPDATE SET b = excluded.b`,
    `SELECT pg_advisory_lock(1)`,
  ]);
  // The key is computed once to look for a conflict and once to insert it: there the waiter waits.
  await waiter.query(`SET stemma.calls = 0`);
  const losing = waiter.query(
    `INSERT INTO upserted VALUES ('contested', repeat('big', 3000)) ON CONFLICT DO NOTHING`,
  );
  await untilSomebodyWaits(holder);
  await holder.query(`INSERT INTO upserted VALUES ('contested', 'won')`);
  await holder.query(`SELECT pg_advisory_unlock(1)`);
  await losing;
  await holder.query(`VACUUM upserted`);
}

async function untilSomebodyWaits(sql: SqlClient): Promise<void> {
  const waiting = `SELECT count(*), pg_sleep(0.01) FROM pg_locks
                   WHERE locktype = 'advisory' AND NOT granted`;
  for (let tries = 0; tries < 1_000; tries += 1) {
    const [row] = await sql.query(waiting);
    if (row?.[0] === '1') return;
  }
  throw new Error('the speculative insertion did not come to its index');
}
