/** A small disk of its own, made of memory, that goes after the test. */
import { equal } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext } from 'node:test';
import { unmountBelow } from '../../src/io/mounts.ts';

/** Mounts a tmpfs with `options` (tmpfs(5)) on a new folder, or on `folder`. */
export function mountTemporary(
  t: TestContext,
  options: string,
  folder: string | null = null,
): string {
  const disk = folder ?? mkdtempSync(join(tmpdir(), 'stemma-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'stemma-test', disk]);
  equal(mounted.status, 0, String(mounted.stderr));
  t.after(() => {
    unmountBelow(disk);
    if (folder === null) rmdirSync(disk);
  });
  return disk;
}
