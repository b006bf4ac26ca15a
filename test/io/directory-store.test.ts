/**
 * The directory store: what the port promises, with other processes, slow ones and dead ones about.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DirectoryStore } from '../../src/io/directory-store.ts';
import { type FolderFiles, realFolderFiles } from '../../src/io/folder-files.ts';
import { type ObjectStore } from '../../src/io/object-store.ts';
import { filesBelow, pausedFiles } from './paused-files.ts';
import { mountTemporary } from './temporary-disk.ts';

const counter = fileURLToPath(new URL('store-counter.ts', import.meta.url));
const key = 'timelines/one/manifest';

test('directory store: an object is what was put, until it is deleted', async (t) => {
  const store = new DirectoryStore(temporaryRoot(t));

  equal(await store.get(key), null);
  equal(await store.putIfAbsent(key, bytesOf('first')), true);
  equal(await store.putIfAbsent(key, bytesOf('second')), false);
  equal(await content(store), 'first');
  await store.delete(key);
  await store.delete(key);
  equal(await content(store), null);
});

test('directory store: a swap needs the version that is there', async (t) => {
  const store = new DirectoryStore(temporaryRoot(t));

  const first = await store.putIfUnchanged(key, bytesOf('first'), null);
  const second = await store.putIfUnchanged(key, bytesOf('second'), first);
  const late = await store.putIfUnchanged(key, bytesOf('late'), first);
  const absent = await store.putIfUnchanged(key, bytesOf('absent'), null);
  const foreign = await store.putIfUnchanged(key, bytesOf('foreign'), '"an-etag"');
  const stored = await store.get(key);

  deepEqual([late, absent, foreign], [null, null, null]);
  deepEqual([text(stored?.bytes), stored?.version], ['second', second]);
});

test('directory store: a version of a deleted object swaps no later one', async (t) => {
  const store = new DirectoryStore(temporaryRoot(t));
  const old = await store.putIfUnchanged(key, bytesOf('same'), null);
  await store.delete(key);

  equal(await store.putIfUnchanged(key, bytesOf('late'), old), null);
  equal(await content(store), null);
  await store.putIfAbsent(key, bytesOf('same'));
  equal(await store.putIfUnchanged(key, bytesOf('late'), old), null);
  equal(await content(store), 'same');
});

test('directory store: a listing has the keys that begin so, in order', async (t) => {
  const store = new DirectoryStore(temporaryRoot(t));
  for (const each of ['b/2', 'a/10', 'a/1', 'a/1/x', 'a', 'ab/1'])
    await store.putIfAbsent(each, bytesOf(each));

  deepEqual(await store.list(''), ['a', 'a/1', 'a/1/x', 'a/10', 'ab/1', 'b/2']);
  deepEqual(await store.list('a'), ['a', 'a/1', 'a/1/x', 'a/10', 'ab/1']);
  deepEqual(await store.list('a/'), ['a/1', 'a/1/x', 'a/10']);
  deepEqual(await store.list('a/1'), ['a/1', 'a/1/x', 'a/10']);
  deepEqual(await store.list('c/d/'), []);
});

test('directory store: nothing is left of what was deleted, and its neighbours stay', async (t) => {
  const root = temporaryRoot(t);
  const store = new DirectoryStore(root);
  for (const each of ['a/b/c', 'a/d']) await store.putIfAbsent(each, bytesOf(each));

  await store.delete('a/b/c');
  deepEqual(readdirSync(join(root, 'a')), ['d@']);
  await store.delete('a/d');
  deepEqual(readdirSync(root, { recursive: true }).sort(), ['.gone', '.new']);
});

test('directory store: a swapped object leaves nothing of the older ones', async (t) => {
  const root = temporaryRoot(t);
  const store = new DirectoryStore(root);
  let version = await store.putIfUnchanged('a', bytesOf('1'), null);
  for (const each of ['22', '333'])
    version = await store.putIfUnchanged('a', bytesOf(each), version);

  deepEqual(filesBelow(root), [`a@/body-${version} 3`, `a@/head-${version} 0`]);
});

test('directory store: keys that could lead elsewhere are refused', async (t) => {
  const store = new DirectoryStore(temporaryRoot(t));
  const wrong = ['', '/a', 'a/', 'a//b', '../a', 'a/../b', '.', '.new/x', 'a@/b', 'a\0', 'ä'];

  for (const each of [...wrong, 'x'.repeat(201), 'x/'.repeat(500) + 'x']) {
    await rejects(store.get(each), { code: 'store_key_invalid' }, each);
    await rejects(store.putIfAbsent(each, bytesOf('')), { code: 'store_key_invalid' }, each);
    await rejects(store.delete(each), { code: 'store_key_invalid' }, each);
  }
  for (const each of ['../', '/', 'a//', '.'])
    await rejects(store.list(each), { code: 'store_key_invalid' }, each);
});

test('directory store: processes that count, some of them killed, lose no increment', async (t) => {
  const root = temporaryRoot(t);

  const lasting = Array.from({ length: 5 }, () => count(root, { until: 25, killAfter: 0 }));
  const killed = Array.from({ length: 3 }, () => count(root, { until: 1_000, killAfter: 7 }));
  const acknowledged = await Promise.all([...lasting, ...killed]);

  deepEqual(
    acknowledged.slice(0, 5),
    Array.from({ length: 5 }, () => 25),
  );
  const sum = acknowledged.reduce((total, each) => total + each, 0);
  const value = Number(await content(new DirectoryStore(root)));
  ok(value >= sum, `${value} of ${sum} acknowledged increments`);
  ok(value <= sum + killed.length, `${value}, with at most one more of each that was killed`);
});

/** Who is stopped, and what the object is before, and after if nobody else does anything. */
const lives = {
  create: { before: null, after: 'mine', act: swap },
  swap: { before: 'old', after: 'mine', act: swap },
  delete: { before: 'old', after: null, act: deleteIt },
};

for (const [name, { before, after, act }] of Object.entries(lives)) {
  test(`directory store: a process killed in the middle of a ${name} leaves old or new`, async (t) => {
    let at = 0;
    for (; ; at += 1) {
      const { store, version, root } = await stored(t, before);
      const stopped = pausedFiles(at);
      const acting = act(new DirectoryStore(root, stopped.files), version);
      if ((await Promise.race([stopped.paused, acting])) !== undefined) break; // it has no such step

      const found = await store.get(key);
      ok([before, after].includes(text(found?.bytes)), `step ${at} left ${text(found?.bytes)}`);
      deepEqual(await store.list(''), found === null ? [] : [key]);

      ok((await store.putIfUnchanged(key, bytesOf('next'), found?.version ?? null)) !== null);
      equal(await content(store), 'next', `after step ${at}`);
    }
    ok(at > 5, 'it has steps');
  });

  test(`directory store: a process that sleeps in a ${name} undoes no later change`, async (t) => {
    for (let at = 0; ; at += 1) {
      const { store, version, root } = await stored(t, before);
      const stopped = pausedFiles(at);
      const acting = act(new DirectoryStore(root, stopped.files), version);
      if ((await Promise.race([stopped.paused, acting])) !== undefined) break;

      const found = await store.get(key);
      const isDone = text(found?.bytes) === after;
      let last = found?.version ?? null;
      for (const each of ['x', 'y', 'z'])
        last = await store.putIfUnchanged(key, bytesOf(each), last);
      stopped.resume();
      const outcome = await acting;

      // A deletion takes whatever is there, unless it has taken something already.
      const isDeleted = name === 'delete' && !isDone;
      equal(await content(store), isDeleted ? null : 'z', `step ${at}`);
      if (name !== 'delete') equal(outcome, isDone ? 'won' : 'lost', `step ${at}`);
      await store.putIfUnchanged(key, bytesOf('end'), isDeleted ? null : last);
      equal(filesBelow(root).length, 2, `garbage after step ${at}: ${String(filesBelow(root))}`);
    }
  });
}

test('directory store: a swap that sleeps through a deletion and a creation is lost', async (t) => {
  for (let at = 0; ; at += 1) {
    const { store, version, root } = await stored(t, 'old');
    const stopped = pausedFiles(at);
    const acting = swap(new DirectoryStore(root, stopped.files), version);
    if ((await Promise.race([stopped.paused, acting])) !== undefined) break;

    await store.delete(key);
    await store.putIfAbsent(key, bytesOf('old'));
    stopped.resume();
    await acting;

    equal(await content(store), 'old', `step ${at}`);
  }
});

test('directory store: a reader that sleeps sees what was there while it read', async (t) => {
  for (let at = 0; ; at += 1) {
    const root = temporaryRoot(t);
    const store = new DirectoryStore(root);
    let version = await store.putIfUnchanged(key, bytesOf('old'), null);
    const stopped = pausedFiles(at);
    const reading = content(new DirectoryStore(root, stopped.files));
    if ((await Promise.race([stopped.paused, reading])) !== undefined) break;

    for (const each of ['x', 'y'])
      version = await store.putIfUnchanged(key, bytesOf(each), version);
    stopped.resume();

    ok(['old', 'y'].includes((await reading) ?? ''), `step ${at}`);
  }
});

test('directory store: creations of the dead are cleared away, of the living not', async (t) => {
  const root = temporaryRoot(t);
  for (const name of ['dead', 'living']) {
    mkdirSync(join(root, '.new', name), { recursive: true });
    writeFileSync(join(root, '.new', name, 'body'), 'x');
  }
  mkdirSync(join(root, '.gone', 'half', 'deleted'), { recursive: true });
  utimesSync(join(root, '.new', 'dead'), 0, 0);

  await new DirectoryStore(root).putIfAbsent('a', bytesOf('a'));

  deepEqual(readdirSync(join(root, '.new')), ['living']);
  deepEqual(readdirSync(join(root, '.gone')), []);
});

test('directory store: a creator that was taken for dead begins again', async (t) => {
  const root = temporaryRoot(t);
  const stopped = pausedFiles('rename');
  const acting = swap(new DirectoryStore(root, stopped.files), null);
  await stopped.paused;
  for (const name of readdirSync(join(root, '.new'))) utimesSync(join(root, '.new', name), 0, 0);
  deepEqual(readdirSync(join(root, '.new')).length, 1);
  await new DirectoryStore(root).putIfAbsent('other', bytesOf('x'));
  deepEqual(readdirSync(join(root, '.new')).length, 0);

  stopped.resume();

  equal(await acting, 'won');
  equal(await content(new DirectoryStore(root)), 'mine');
});

test('directory store: bytes that changed, and bytes that are gone, are damage', async (t) => {
  const damages: readonly ((folder: string, names: readonly string[]) => void)[] = [
    (folder, [body]) => {
      writeFileSync(join(folder, body!), 'fIrst');
    },
    (folder, [body]) => {
      writeFileSync(join(folder, body!), 'firs');
    },
    (folder, [body]) => {
      rmSync(join(folder, body!));
    },
    (folder, [, head]) => {
      rmSync(join(folder, head!));
    },
  ];
  for (const damage of damages) {
    const root = temporaryRoot(t);
    const store = new DirectoryStore(root);
    await store.putIfAbsent('a', bytesOf('first'));

    damage(join(root, 'a@'), readdirSync(join(root, 'a@')).sort());

    await rejects(store.get('a'), { code: 'store_object_damaged', kind: 'corrupt' });
  }
});

test('directory store: a full disk says so and changes nothing', async (t) => {
  const root = mountTemporary(t, 'size=256k');
  const store = new DirectoryStore(root);
  const version = await store.putIfUnchanged(key, bytesOf('small'), null);
  const large = new Uint8Array(1_048_576);

  await rejects(store.putIfUnchanged(key, large, version), { code: 'disk_full' });
  await rejects(store.putIfAbsent('other', large), { code: 'disk_full' });

  deepEqual([await content(store), await store.list('')], ['small', [key]]);
  ok((await store.putIfUnchanged(key, bytesOf('next'), version)) !== null, 'there is room again');
  deepEqual(filesBelow(root).length, 2);
});

test('directory store: a root that cannot be is unavailable', async (t) => {
  const root = temporaryRoot(t);
  writeFileSync(join(root, 'file'), '');
  const store = new DirectoryStore(join(root, 'file', 'store'));

  await rejects(store.putIfAbsent('a', bytesOf('a')), { code: 'store_unavailable' });
});

test('directory store: what is answered was synced: the bytes, the object, the way to it', async (t) => {
  const root = temporaryRoot(t);
  const done: string[] = [];
  const store = new DirectoryStore(root, recorded(done, root));

  await store.putIfAbsent('a/b', bytesOf('x'));
  const put = done.splice(0);
  await store.get('a/b');

  const renamed = put.findIndex((each) => each.startsWith('rename'));
  deepEqual(put.slice(renamed - 2), [
    'syncFolder .new/*',
    'makeFolder a',
    'rename .new/*',
    'syncFolder a/b@',
    'syncFolder a',
    'syncFolder ',
  ]);
  deepEqual(done.slice(-3), ['syncFolder a/b@', 'syncFolder a', 'syncFolder ']);
});

type Outcome = 'won' | 'lost';

async function swap(store: ObjectStore, version: string | null): Promise<Outcome> {
  return (await store.putIfUnchanged(key, bytesOf('mine'), version)) === null ? 'lost' : 'won';
}

async function deleteIt(store: ObjectStore): Promise<Outcome> {
  await store.delete(key);
  return 'won';
}

/** A store in which the object is `before`. */
async function stored(
  t: TestContext,
  before: string | null,
): Promise<{
  readonly store: ObjectStore;
  readonly version: string | null;
  readonly root: string;
}> {
  const root = temporaryRoot(t);
  const store = new DirectoryStore(root);
  const version = before === null ? null : await store.putIfUnchanged(key, bytesOf(before), null);
  return { store, version, root };
}

/** Runs a counting process; resolves with the increments it was answered. */
async function count(
  root: string,
  { until, killAfter }: { readonly until: number; readonly killAfter: number },
): Promise<number> {
  const args = ['--import', 'tsx', counter, root, key, String(until)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let lines = 0;
  createInterface(child.stdout).on('line', () => {
    lines += 1;
    if (lines === killAfter) child.kill('SIGKILL');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  equal(code, killAfter === 0 ? 0 : null);
  return lines;
}

function recorded(done: string[], root: string): FolderFiles {
  const wrapped = Object.entries(realFolderFiles).map(([name, operation]) => [
    name,
    (...args: unknown[]) => {
      const path = String(args[0])
        .slice(root.length + 1)
        .replace(/[0-9a-f]{16}/, '*');
      done.push(`${name} ${path}`);
      return (operation as (...args: unknown[]) => unknown)(...args);
    },
  ]);
  return Object.fromEntries(wrapped) as FolderFiles;
}

async function content(store: ObjectStore): Promise<string | null> {
  return text((await store.get(key))?.bytes);
}

function text(bytes: Uint8Array | undefined): string | null {
  return bytes === undefined ? null : Buffer.from(bytes).toString();
}

function bytesOf(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value));
}

function temporaryRoot(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'stemma-store-'));
  t.after(() => {
    rmSync(root, { recursive: true, force: true });
  });
  return root;
}
