/** Files that were damaged while no host ran: refused by name, and nothing of them served. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { connectTo, prepareTestHost, startTestHost, type TestHost } from './host.ts';

interface Damage {
  readonly what: string;
  /** The file, in the data directory of a host that was killed. */
  readonly file: (directory: string) => string;
  readonly damage: (path: string) => void;
}

const damages: readonly Damage[] = [
  { what: 'a flipped bit in the project', file: storedProject, damage: flip },
  { what: 'a flipped bit in a manifest', file: timelineFile('manifest.json'), damage: flip },
  { what: 'a flipped bit in a control file', file: timelineFile('acceptor.control'), damage: flip },
  { what: 'a truncated control file', file: timelineFile('acceptor.control'), damage: halve },
  { what: 'flipped bits in WAL', file: walSegment, damage: flipEveryPage },
  { what: 'truncated WAL', file: walSegment, damage: halve },
  { what: 'flipped bits in an image', file: layer(isImage), damage: flipLayer },
  { what: 'a truncated image', file: layer(isImage), damage: halve },
  { what: 'flipped bits in a delta', file: layer(isDelta), damage: flipLayer },
  { what: 'a truncated delta', file: layer(isDelta), damage: halve },
];

test('damage: files of a host that was killed', { timeout: 300_000 }, async (t) => {
  const killed = await killedHost(t, 256);
  for (const { what, file, damage } of damages) {
    await t.test(`damage: ${what} is refused by name`, async (each) => {
      const host = copyOf(each, killed);
      const path = file(host.directory);
      damage(path);
      const { ready, ended } = host.launch();
      const outcome = await Promise.race([ready, ended]);
      if ('api' in outcome) assert.fail('the host serves');
      const { code, stdout, stderr } = outcome;
      assert.ok(stderr.includes(named(path)), stderr);
      assert.equal(stdout, '');
      assert.equal(code, 1);
    });
  }
});

/** A layer is opened by its index: that a block in it is damaged shows when the block is read. */
interface DamagedBlocks extends Damage {
  /** Of the host that was killed. */
  readonly image_min_pages: 4 | 256;
  readonly database: string;
  readonly sql: string;
}

const readers: readonly DamagedBlocks[] = [
  {
    what: 'flipped bits in blocks of an image',
    file: layer(isImage),
    damage: flipBlocks,
    image_min_pages: 256,
    database: 'template1',
    sql: 'select sum(length(prosrc)) from pg_proc',
  },
  {
    what: 'flipped bits in blocks of an image of a frozen layer',
    file: layer(isFrozenImage),
    damage: flipBlocks,
    image_min_pages: 4,
    database: 'postgres',
    sql: 'select sum(n), max(md5) from t',
  },
  {
    what: 'flipped bits in blocks of a delta',
    file: layer(isDelta),
    damage: flipBlocks,
    image_min_pages: 256,
    database: 'postgres',
    sql: 'select sum(n), max(md5) from t',
  },
];

test('damage: blocks of layers of a host that was killed', { timeout: 200_000 }, async (t) => {
  const killed = { 4: await killedHost(t, 4), 256: await killedHost(t, 256) };
  for (const { what, file, damage, image_min_pages, database, sql } of readers) {
    await t.test(`damage: ${what} is not served`, async (each) => {
      const host = copyOf(each, killed[image_min_pages]);
      const path = file(host.directory);
      damage(path);
      await host.start();
      await assert.rejects(ask(host, database, sql), Failure);
      host.kill('SIGINT'); // in order, so that it has said why
      const { stderr } = await host.ended;
      assert.match(stderr, /checksum mismatch/);
    });
  }
});

async function ask(host: TestHost, database: string, sql: string): Promise<void> {
  const client = await connectTo(host.connectionString, database);
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A host, not yet running, with a copy of what another one left. */
function copyOf(t: TestContext, killed: TestHost): TestHost {
  const host = prepareTestHost(t, {});
  for (const name of ['VERSION', 'store', 'timelines']) {
    cpSync(join(killed.directory, name), join(host.directory, name), { recursive: true });
  }
  return host;
}

/** Its folder has an image or more, deltas, and WAL that is in none of them. */
async function killedHost(t: TestContext, image_min_pages: number): Promise<TestHost> {
  const settings = { open_layer_max_bytes: 262_144, image_min_pages };
  const host = await startTestHost(t, { settings });
  const client = await host.connect();
  await client.query(`create table t as select n, md5(n::text) from generate_series(1, 30000) n`);
  await client.query('create index on t (n)');
  await client.query(`update t set md5 = md5(md5) where n % 50 = 0`);
  await client.end();
  host.kill('SIGKILL');
  await host.ended;
  return host;
}

function timelineFile(name: string): (directory: string) => string {
  return (directory) => {
    const [timeline] = readdirSync(join(directory, 'timelines'));
    return join(directory, 'timelines', timeline!, name);
  };
}

/** The body of the newest version: the others are gone, or about to go. */
function storedProject(directory: string): string {
  const folder = join(directory, 'store/projects/default.json@');
  const bodies = readdirSync(folder).filter((name) => name.startsWith('body-'));
  return join(folder, bodies.sort((a, b) => versionOf(a) - versionOf(b)).at(-1)!);
}

function versionOf(body: string): number {
  return Number(body.slice('body-'.length).split('.')[0]);
}

/** The segment that is written to. */
function walSegment(directory: string): string {
  const folder = timelineFile('wal')(directory);
  return join(folder, readdirSync(folder).sort().at(-1)!);
}

/** The largest layer of a kind that the manifest lists: another does not count. */
function layer(isKind: (name: string) => boolean): (directory: string) => string {
  return (directory) => {
    const folder = timelineFile('layers')(directory);
    const manifest = readFileSync(timelineFile('manifest.json')(directory), 'utf8');
    const paths = readdirSync(folder)
      .filter((name) => isKind(name) && manifest.includes(name))
      .map((name) => join(folder, name));
    return paths.sort((one, other) => statSync(other).size - statSync(one).size)[0]!;
  };
}

/** A layer's name: keys, `__`, one LSN or two, generation. */
function isImage(name: string): boolean {
  return /__[0-9A-F]{16}-[0-9]{8}$/.test(name);
}

/** Not the imported one, which has all keys. */
function isFrozenImage(name: string): boolean {
  return isImage(name) && !/^0{38}/.test(name);
}

function isDelta(name: string): boolean {
  return /__[0-9A-F]{16}-[0-9A-F]{16}-[0-9]{8}$/.test(name);
}

/** A timeline's WAL is one thing in several files: refused by its folder. An object is refused by its key. */
function named(path: string): string {
  const folder = dirname(path);
  if (folder.endsWith('@')) return `key=projects/default.json version=`;
  return `path=${folder.endsWith('/wal') ? folder : path}`;
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
}

/** One bit of every 4096 bytes that hold anything. */
function flipEveryPage(path: string): void {
  flipPages(path, statSync(path).size);
}

/** The same, and one bit of the footer, which always holds something. */
function flipLayer(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  flipEveryPage(path);
}

/** Blocks only, not the end of a layer, where its index is. */
function flipBlocks(path: string): void {
  flipPages(path, statSync(path).size >> 1);
}

function flipPages(path: string, end: number): void {
  const bytes = readFileSync(path);
  for (let at = 1_000; at < end; at += 4_096) if (bytes[at] !== 0) bytes[at]! ^= 4;
  writeFileSync(path, bytes);
}

function halve(path: string): void {
  truncateSync(path, statSync(path).size >> 1);
}
