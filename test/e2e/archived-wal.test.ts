/** WAL goes to the object store and leaves the acceptor's disk; whoever needs it still has it. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { lsn } from '../../src/base/lsn.ts';
import { DirectoryStore } from '../../src/io/directory-store.ts';
import { parseSegmentName } from '../../src/postgres/wal-page.ts';
import { WalReader } from '../../src/postgres/wal-reader.ts';
import { WalRecord } from '../../src/postgres/wal-record.ts';
import { Bank } from './bank.ts';
import { startTestCluster } from './cluster.ts';
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
const deaths = 5;
const seed = Number(process.env['STEMMA_SEED'] ?? 20_261_126);

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

test(
  'window: a host killed at any moment between storing and removing loses nothing',
  { timeout: 400_000 },
  async (t) => {
    const host = await startTestHost(t, { settings });
    const [timeline] = readdirSync(join(host.directory, 'timelines')) as [string];
    const bank = new Bank(seed, () => host.connect());
    await bank.setUp();
    const filler = await host.connect();
    await filler.query('create table t (round int, filler text)');
    await filler.end();
    let archived = 0;
    for (let round = 0; round < deaths; round += 1) {
      bank.open(2);
      const client = await host.connect();
      const load = client.query(
        `insert into t select ${round}, repeat('x', 200) from generate_series(1, 40000)`,
      );
      const lost = load.catch((error: unknown) => {
        ok(error instanceof Failure);
      });
      while ((await archivedSegments(host, timeline)).length <= archived + round) await sleep(7);
      host.kill('SIGKILL');
      await host.ended;
      await lost;
      await host.start();
      await bank.close();
      await bank.check();
      archived = (await archivedSegments(host, timeline)).length;
    }
    while (localSegments(host, timeline).length > 6) await sleep(look_ms);

    await readsAsOneLog(host, await archivedSegments(host, timeline));
    const { code, stdout } = await host.cli('verify', 'main');
    equal(code, 0, stdout);
  },
);

test(
  'window: an acceptor that was away while it moved catches up from the archive',
  { timeout: 400_000 },
  async (t) => {
    const cluster = await startTestCluster(t, { settings });
    const { a, b, c } = cluster;
    const [timeline] = readdirSync(join(a.directory, 'timelines')) as [string];
    const client = await a.connect();
    await client.query('create table t (round int, filler text)');
    await c.stop(); // it keeps no pages
    for (let round = 0; round < rounds; round += 1) {
      await client.query(
        `insert into t select ${round}, repeat('x', 200) from generate_series(1, 20000)`,
      );
      for (const host of [a, b])
        while (localSegments(host, timeline).length > 5) await sleep(look_ms);
    }

    await c.start();
    await caughtUp(a);
    await client.end();
    a.kill('SIGKILL');
    await a.ended;

    const { connectionString } = await c.json<Started>('endpoint', 'start', 'main'); // with b's vote
    equal((await rowsOf(connectionString)).length, rounds);
    const { code, stdout } = await c.cli('verify', 'main');
    equal(code, 0, stdout);
  },
);

interface Member {
  readonly host: string;
  readonly flushLsn: string | null;
}

/** Waits until c has as much WAL as a. */
async function caughtUp(a: TestHost): Promise<void> {
  for (;;) {
    const members = await a.json<readonly Member[]>('acceptor', 'list', 'main');
    const [first, last] = ['a', 'c'].map((host) => members.find((one) => one.host === host));
    if (first!.flushLsn !== null && first!.flushLsn === last!.flushLsn) return;
    await sleep(look_ms);
  }
}

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
