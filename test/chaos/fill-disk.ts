/**
 * FillDisk: takes all the room there is on a disk.
 */
import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';

/** Writes to `path` until nothing fits any more: in large pieces, then in small ones. */
export function fillDisk(path: string): void {
  const file = openSync(path, 'a');
  for (const size of [2 ** 20, 4_096]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size, 1));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  closeSync(file);
}
