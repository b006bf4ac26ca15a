/** Mounts of processes that end or are killed. */
import { test } from 'node:test';
import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountStale } from '../../../src/io/fuse/device.ts';

const holder = new URL('./mount-holder.ts', import.meta.url).pathname;

test('fuse device: a process that ends by an uncaught error ends, and takes its mount away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fuse-'));
  const child = await hold(folder, 'throw');

  equal(await child.ended, 1);

  equal(isMounted(folder), false);
  rmSync(folder, { recursive: true });
});

test('fuse device: the mount of a killed process is found and taken away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fuse-'));
  const child = await hold(folder, 'wait');
  child.kill();
  await child.ended;
  ok(isMounted(folder));

  const stale = await unmountStale(folder);

  deepEqual(stale, [join(folder, 'mount')]);
  equal(isMounted(folder), false);
  rmSync(folder, { recursive: true });
});

interface Holder {
  /** Exit code; null when it was killed. */
  readonly ended: Promise<number | null>;
  kill(): void;
}

/** A process that mounts in `folder`, a thread of it blocked in the device. */
async function hold(folder: string, then: 'throw' | 'wait'): Promise<Holder> {
  const child = spawn(process.execPath, ['--import', 'tsx', holder, folder, then], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return { ended, kill: () => child.kill('SIGKILL') };
}

function isMounted(folder: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${folder}/mount `);
}
