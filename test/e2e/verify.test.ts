/** What storage would rebuild is what Postgres has, block by block; and a difference is found. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo, startTestHost, type TestHost } from './host.ts';
import {
  accountSums,
  bulkLoad,
  makeAccounts,
  makeDatabases,
  prepareTransactions,
  runAccounts,
  runAll,
} from './workload.ts';

interface Report {
  readonly blocks: number;
  readonly differences: number;
  readonly first: readonly string[];
}

/**
 * A buffer pool of a quarter of the data, every written page dropped as soon as it may be, and images
 * of whatever a layer has much of.
 */
const eager = {
  shared_buffers_bytes: 2 ** 21,
  overlay_target_bytes: 0,
  trim_sample_ms: 50,
  open_layer_max_bytes: 2 ** 20,
  image_min_pages: 2,
};
const load = { seed: 7, clients: 4, transactions: 150 };

for (const postgres_major of [18, 15]) {
  test(
    `verify: Postgres ${postgres_major} has what storage has after loads, copies and deaths`,
    { timeout: 300_000 },
    async (t) => {
      const host = await startTestHost(t, { settings: { ...eager, postgres_major } });
      function connect(database: string): ReturnType<typeof connectTo> {
        return connectTo(host.connectionString, database);
      }
      await makeAccounts(connect);
      await runAccounts(connect, load);
      await verifyIsZero(host, 'after the load');
      await bulkLoad(connect);
      await verifyIsZero(host, 'after the bulk load');
      await makeDatabases(connect);
      await prepareTransactions(connect);
      await verifyIsZero(host, 'after making databases');
      const sums = await accountSums(connect);
      assert.ok(sums[0] === sums[1] && sums[1] === sums[2], `sums ${sums.join(' ')}`);
      await killPostgres(host);
      await verifyIsZero(host, 'after the death of Postgres');
      await runAll(connect, 'postgres', [`commit prepared 'left'`]);
      await runAccounts(connect, { ...load, seed: 8, transactions: 50 });
      host.kill('SIGKILL');
      await host.ended;
      await host.start();
      await verifyIsZero(host, 'after the death of the host');
      assert.deepEqual(await column(host, 'postgres', 'select id from promised order by id'), [
        '1',
        '2',
        '4',
        '5',
      ]);
      for (const database of ['by_files', 'by_log']) {
        assert.deepEqual(await column(host, database, 'select count(*) from copied'), ['2700']);
      }
    },
  );
}

test('verify: a byte that is not what storage has is reported', { timeout: 120_000 }, async (t) => {
  const host = await startTestHost(t, {});
  const client = await host.connect();
  await client.query(
    `create table victim as select n, md5(n::text) from generate_series(1, 500) n`,
  );
  await client.query('vacuum (freeze) victim');
  const { rows } = await client.query(`select pg_relation_filepath('victim')`);
  await client.query('checkpoint');
  await client.end();
  const path = rows[0]![0]!;
  await verifyIsZero(host, 'before');
  changeByte(join(host.mounts()[0]!, path), 2 * 8_192 + 8_000);
  const { code, stdout } = await host.cli('verify', 'main', '--json');
  const report = JSON.parse(stdout) as Report;
  assert.equal(report.differences, 1);
  assert.match(report.first[0]!, new RegExp(`^${path} block 2: byte 8000`));
  assert.equal(code, 1);
});

async function verifyIsZero(host: TestHost, when: string): Promise<void> {
  const { code, stdout, stderr } = await host.cli('verify', 'main', '--json');
  assert.equal(stderr, '', when);
  const { differences, first, blocks } = JSON.parse(stdout) as Report;
  assert.deepEqual({ differences, first }, { differences: 0, first: [] }, when);
  assert.equal(code, 0);
  assert.ok(blocks > 500, `${blocks} blocks were compared ${when}`);
}

/** Kills it, and waits until the host has started another. */
async function killPostgres(host: TestHost): Promise<void> {
  const { pid } = await host.endpoint('main');
  process.kill(pid!, 'SIGKILL');
  for (;;) {
    const again = await host.endpoint('main');
    if (again.pid !== null && again.pid !== pid) return;
    await sleep(50);
  }
}

async function column(host: TestHost, database: string, sql: string): Promise<(string | null)[]> {
  const client = await connectTo(host.connectionString, database);
  const { rows } = await client.query(sql);
  await client.end();
  return rows.map((row) => row[0]!);
}

/** Through the mount, from outside of the host: the kernel's cache sees it too. */
function changeByte(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.of(byte[0]! ^ 0xff), 0, 1, at);
  closeSync(file);
}
