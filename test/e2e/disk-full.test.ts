/** A disk without room: commits stop, none that was acknowledged is lost, and work goes on later. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { unmountBelow } from '../../src/io/mounts.ts';
import { Bank } from './bank.ts';
import { startTestHost } from './host.ts';

const disk_bytes = 256 * 2 ** 20;
/** No commit for so long means that they stopped. */
const quiet_ms = 3_000;

test(
  'disk full: commits stop, none is lost, and they go on when there is room',
  { timeout: 200_000 },
  async (t) => {
    const disk = mountSmallDisk(t);
    const host = await startTestHost(t, {});
    await host.stop();
    moveTo(join(disk, 'timelines'), join(host.directory, 'timelines'));
    await host.start();
    const bank = new Bank(5, () => host.connect());
    await bank.setUp();
    bank.open(2);
    await until(() => bank.acknowledged > 10);
    const ballast = join(disk, 'ballast');
    fill(ballast);
    await stopped(() => bank.acknowledged);
    rmSync(ballast);
    const ended = await Promise.race([host.ended, sleep(2_000, null)]);
    if (ended !== null) await host.start();
    await bank.close();
    await bank.check();
    const before = bank.acknowledged;
    bank.open(2);
    await until(() => bank.acknowledged > before + 10);
    await bank.close();
    await bank.check();
  },
);

function mountSmallDisk(t: TestContext): string {
  const disk = join(mkdtempSync(join(tmpdir(), 'stemma-e2e-')), 'disk');
  mkdirSync(disk);
  t.after(() => {
    unmountBelow(disk);
    rmSync(join(disk, '..'), { recursive: true });
  });
  const size = `size=${disk_bytes},mode=755`;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'stemma-e2e', disk]);
  assert.equal(mounted.status, 0, String(mounted.stderr));
  return disk;
}

/** What acceptors and timelines keep lies on the small disk; scratch does not. */
function moveTo(place: string, folder: string): void {
  cpSync(folder, place, { recursive: true });
  rmSync(folder, { recursive: true });
  symlinkSync(place, folder);
}

/** Writes until nothing fits any more: in large pieces, then in small ones. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  for (const size of [2 ** 20, 4_096]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size, 1));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  closeSync(file);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

/** Waits until a number has not moved for a while. */
async function stopped(count: () => number): Promise<void> {
  for (let before = -1; before !== count();) {
    before = count();
    await sleep(quiet_ms);
  }
}
