/**
 * The disk adapter: whole reads and writes, replaced files, and errors as failures.
 */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readWholeFile, RealDisk, replaceFile } from '../../src/io/disk.ts';

test('disk: what is written at a position is read there, and fewer bytes at the end', () => {
  withDirectory((directory) => {
    const file = new RealDisk().open(join(directory, 'file'), 'create');
    file.writeAt(Buffer.from('hello'), 3);
    const target = new Uint8Array(10);

    const count = file.readAt(target, 4);
    file.close();

    deepEqual([count, Buffer.from(target.subarray(0, count)).toString()], [4, 'ello']);
  });
});

test('disk: a file lengthened by truncate holds zeros', () => {
  withDirectory((directory) => {
    const file = new RealDisk().open(join(directory, 'file'), 'create');
    file.writeAt(Buffer.from('hello'), 0);

    file.truncate(2);
    file.truncate(6);
    file.close();

    equal(readFileSync(join(directory, 'file')).toString('hex'), '686500000000');
  });
});

test('disk: a replaced file holds the new bytes, and nothing else is left', () => {
  withDirectory((directory) => {
    const disk = new RealDisk();
    replaceFile(disk, directory, 'file', Buffer.from('a long first content'));

    replaceFile(disk, directory, 'file', Buffer.from('second'));

    deepEqual(disk.list(directory), ['file']);
    deepEqual(readWholeFile(disk, join(directory, 'file')), new Uint8Array(Buffer.from('second')));
  });
});

test('disk: a device without room is a full disk', () => {
  const file = new RealDisk().open('/dev/full', 'existing');

  throws(
    () => {
      file.writeAt(new Uint8Array(8), 0);
    },
    { code: 'disk_full', kind: 'unavailable' },
  );
  file.close();
});

test('disk: other errors say which operation failed and how', () => {
  throws(() => new RealDisk().open('/nowhere/file', 'existing'), {
    code: 'disk_failed',
    values: { operation: 'open', error: 'ENOENT' },
  });
});

test('disk: after a failed sync it does nothing more', () => {
  withDirectory((directory) => {
    const disk = new RealDisk();
    const good = disk.open(join(directory, 'file'), 'create');
    const bad = disk.open('/dev/full', 'existing'); // a device has no fdatasync: EINVAL

    throws(() => {
      bad.sync();
    }, /never retried/);
    throws(() => {
      good.writeAt(new Uint8Array(1), 0);
    }, /never retried/);
    throws(() => disk.open(join(directory, 'file'), 'existing'), /never retried/);
    good.close();
    bad.close();
  });
});

test('disk: a file that does not exist has no content, a directory that does not has no names', () => {
  const disk = new RealDisk();

  equal(readWholeFile(disk, '/nowhere/file'), null);
  deepEqual(disk.list('/nowhere'), []);
});

function withDirectory(body: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'disk-'));
  try {
    body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
