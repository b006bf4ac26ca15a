/** WAL goes to the object store and leaves the acceptor's disk; whoever needs it still has it. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { lsn } from '../../src/base/lsn.ts';
import { DirectoryStore } from '../../src/io/directory-store.ts';
import { parseSegmentName } from '../../src/postgres/wal-page.ts';
import { WalReader } from '../../src/postgres/wal-reader.ts';
import { WalRecord } from '../../src/postgres/wal-record.ts';
import { connectTo, startTestHost, type TestHost } from './host.ts';

const mebibyte = 2 ** 20;
const segmentSize = mebibyte;
const settings = {
  wal_segment_bytes: segmentSize,
  wal_keep_bytes: 2 * mebibyte,
  wal_idle_ms: 500,
  postgres_major: 18,
  open_layer_max_bytes: mebibyte,
};
const rounds = 6;
const look_ms = 50;

interface Started {
  readonly connectionString: string;
}

test(
  'window: WAL on the disk is bounded under load, all is archived, and branches can be cut below',
  { timeout: 300_000 },
  async (t) => {
    const host = await startTestHost(t, { settings });
    const [timeline] = readdirSync(join(host.directory, 'timelines')) as [string];
    const client = await host.connect();
    await client.query('create table t (round int, filler text)');
    await client.query('insert into t values (-1)');
    const { rows: positions } = await client.query('select pg_current_wal_lsn()::text');
    const [[early]] = positions as unknown as [[string]];
    for (let round = 0; round < rounds; round += 1) {
      await client.query(
        `insert into t select ${round}, repeat('x', 200) from generate_series(1, 20000)`,
      );
      while (localSegments(host, timeline).length > 4) await sleep(look_ms);
    }
    await client.end();
    const archived = await archivedSegments(host, timeline);
    ok(archived.length > rounds * 4, `segments: ${archived.length}`);
    await readsAsOneLog(host, archived);

    await host.json('branch', 'create', 'early', '--at', early);
    const branch = await host.json<Started>('endpoint', 'start', 'early');

    deepEqual(await rowsOf(branch.connectionString), [['-1', '1']]);
    equal((await rowsOf(host.connectionString)).length, rounds + 1);
    for (const name of ['early', 'main']) {
      const { code, stdout } = await host.cli('verify', name);
      equal(code, 0, stdout);
    }

    const store = new DirectoryStore(join(host.directory, 'store'));
    const kept = await store.list(`timelines/${timeline}/`);
    await host.json('endpoint', 'stop', 'early');
    await host.json('branch', 'delete', 'early');
    const left = await store.list('timelines/');
    deepEqual(
      left.filter((key) => !key.startsWith(`timelines/${timeline}/`)),
      [],
    );
    ok(kept.every((key) => left.includes(key) || key.endsWith('.partial')));
  },
);

function localSegments(host: TestHost, timeline: string): readonly string[] {
  return readdirSync(join(host.directory, 'timelines', timeline, 'wal'));
}

/** Keys of whole segments. */
async function archivedSegments(host: TestHost, timeline: string): Promise<readonly string[]> {
  const store = new DirectoryStore(join(host.directory, 'store'));
  const keys = await store.list(`timelines/${timeline}/wal/`);
  return keys.filter((key) => parseSegmentName(key.split('/').at(-1)!, segmentSize) !== null);
}

/** Fails where a record of the archive, read from its first page on, is not whole. */
async function readsAsOneLog(host: TestHost, keys: readonly string[]): Promise<void> {
  const store = new DirectoryStore(join(host.directory, 'store'));
  let reader: WalReader | null = null;
  const record = new WalRecord();
  for (const key of keys) {
    const { segment } = parseSegmentName(key.split('/').at(-1)!, segmentSize)!;
    const { bytes } = (await store.get(key))!;
    const begin = (segment + 1) * segmentSize - bytes.length;
    reader ??= new WalReader(lsn(begin), { major: 18, segmentSize, seek: true });
    equal(reader.position, begin, key);
    reader.push(bytes);
    while (reader.next(record)); // each is checked
    equal(reader.atEnd, 'needsBytes', key);
  }
}

async function rowsOf(connectionString: string): Promise<readonly (readonly (string | null)[])[]> {
  const client = await connectTo(connectionString);
  const { rows } = await client.query(
    'select round::text, count(*)::text from t group by round order by t.round',
  );
  await client.end();
  return rows;
}
