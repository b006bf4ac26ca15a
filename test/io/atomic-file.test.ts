/** Files that are replaced whole, and what a disk without room makes of that. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readFileIfThere, replaceFile } from '../../src/io/atomic-file.ts';
import { mountTemporary } from './temporary-disk.ts';

test('atomic file: a file is replaced, and one that is not there is null', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stemma-atomic-'));
  try {
    replaceFile(join(folder, 'file'), Buffer.from('a long first content'));
    replaceFile(join(folder, 'file'), Buffer.from('second'));

    equal(readFileSync(join(folder, 'file'), 'utf8'), 'second');
    equal(readFileIfThere(join(folder, 'other')), null);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('atomic file: a disk without room is a failure, and the old content stays', (t) => {
  const disk = mountTemporary(t, 'size=16384');
  replaceFile(join(disk, 'file'), Buffer.from('old'));

  throws(
    () => {
      replaceFile(join(disk, 'file'), new Uint8Array(20_000));
    },
    { code: 'disk_full', kind: 'unavailable' },
  );

  deepEqual(readFileSync(join(disk, 'file'), 'utf8'), 'old');
});
