/** What is put on a disk that may be lost, and what comes of it when there is no room. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { closeSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  ensureRoom,
  makeFolder,
  makeLink,
  makeOwnedFile,
  makeOwnedFolder,
  openNameless,
  removeFolder,
  writeWhole,
} from '../../src/io/scratch-directory.ts';
import { mountTemporary } from './temporary-disk.ts';

const nobody = { uid: 65_534, gid: 65_534 };
const full = { code: 'disk_full', kind: 'unavailable' };

test('scratch: folders and files belong to their owner alone', (t) => {
  const root = temporary(t);

  makeOwnedFolder(join(root, 'folder'), nobody);
  makeOwnedFile(join(root, 'folder/file'), Buffer.from('hello'), nobody);

  const folder = statSync(join(root, 'folder'));
  const file = statSync(join(root, 'folder/file'));
  deepEqual([folder.uid, folder.gid, folder.mode & 0o777], [65_534, 65_534, 0o700]);
  deepEqual([file.uid, file.gid, file.mode & 0o777], [65_534, 65_534, 0o600]);
  equal(readFileSync(join(root, 'folder/file'), 'utf8'), 'hello');
});

test('scratch: blocks of zeros take no room', (t) => {
  const root = temporary(t);
  const bytes = new Uint8Array(64 * 8_192);
  bytes[3 * 8_192] = 7;

  makeOwnedFile(join(root, 'file'), bytes, nobody);

  equal(Buffer.compare(readFileSync(join(root, 'file')), bytes), 0);
  ok(statSync(join(root, 'file')).blocks * 512 <= 2 * 8_192);
});

test('scratch: a file that fits in part is a full disk, not half a file', (t) => {
  const disk = mountTemporary(t, 'size=4096');
  const file = openNameless(join(disk, 'file'));
  t.after(() => {
    closeSync(file);
  });

  throws(() => {
    writeWhole(file, new Uint8Array(8_192).fill(1), 0);
  }, full);
  throws(() => {
    makeOwnedFile(join(disk, 'other'), new Uint8Array(8_192).fill(1), nobody);
  }, full);
});

test('scratch: a disk that has no place for another name is full', (t) => {
  const disk = mountTemporary(t, 'nr_inodes=1');

  throws(() => {
    makeFolder(join(disk, 'a/b'));
  }, full);
  throws(() => {
    makeLink(join(disk, 'link'), 'target');
  }, full);
  throws(() => openNameless(join(disk, 'file')), full);
});

test('scratch: what has no name is not listed, and a folder is removed with its content', (t) => {
  const root = temporary(t);
  makeFolder(join(root, 'a/b'));
  const file = openNameless(join(root, 'a/file'));
  closeSync(file);

  const names = readdirSync(join(root, 'a'));
  removeFolder(join(root, 'a'));

  deepEqual(names, ['b']);
  deepEqual(readdirSync(root), []);
});

test('scratch: too little room is a failure before anything is made', (t) => {
  const disk = mountTemporary(t, 'size=65536');

  ensureRoom(disk, 65_536);

  throws(() => {
    ensureRoom(disk, 65_537);
  }, full);
});

function temporary(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'stemma-scratch-'));
  t.after(() => {
    rmSync(root, { recursive: true });
  });
  return root;
}
