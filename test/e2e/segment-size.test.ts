/** Projects whose WAL segments have another size than the usual one. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { startTestHost } from './host.ts';

for (const [size, segment_bytes] of Object.entries({ '1MB': 2 ** 20, '64MB': 2 ** 26 })) {
  test(
    `segments of ${size}: a branch has what its parent wrote`,
    { timeout: 120_000 },
    async (t) => {
      const settings = { wal_segment_bytes: segment_bytes };
      const host = await startTestHost(t, { settings });
      const client = await host.connect();
      await client.query('create table t as select generate_series(1, 100000) n');
      const { rows } = await client.query('show wal_segment_size');
      await client.end();

      await host.json('branch', 'create', 'dev');
      await host.stop();
      await host.start();
      await host.json('endpoint', 'start', 'dev');

      deepEqual(rows, [[size]]);
      const { code, stdout } = await host.cli('verify', 'dev');
      equal(code, 0, stdout);
    },
  );
}
