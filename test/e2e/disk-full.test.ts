/** A disk without room: commits stop, none that was acknowledged is lost, and work goes on later. */
import assert from 'node:assert/strict';
import { cpSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fillDisk } from '../chaos/fill-disk.ts';
import { mountTemporary } from '../io/temporary-disk.ts';
import { Bank } from './bank.ts';
import { startTestHost, type TestHost } from './host.ts';

const smallDisk = `size=${256 * 2 ** 20},mode=755`;
/** No commit for so long means that they stopped. */
const quiet_ms = 3_000;
/** From room on the disk to a Postgres that serves: the longest pause between two starts, and one. */
const back_ms = 10_000;
const limits = { timeout: 200_000 };

test(
  'disk full: commits stop, none is lost, and they go on when there is room',
  limits,
  async (t) => {
    const disk = mountTemporary(t, smallDisk);
    const host = await startTestHost(t, {});
    await host.stop();
    moveTo(join(disk, 'timelines'), join(host.directory, 'timelines'));
    await host.start();
    const bank = await openBank(host);
    const ballast = join(disk, 'ballast');
    await fillUntilQuiet(ballast, bank);

    rmSync(ballast);

    const ended = await Promise.race([host.ended, sleep(2_000, null)]);
    if (ended !== null) await host.start();
    await bank.close();
    await goesOn(bank);
  },
);

test(
  'disk full: a scratch disk ends Postgres, which is back when there is room',
  limits,
  async (t) => {
    const host = await startTestHost(t, {});
    await host.stop();
    const scratch = mountTemporary(t, smallDisk, join(host.directory, 'computes'));
    await host.start();
    const bank = await openBank(host);
    const ballast = join(scratch, 'ballast');
    await fillUntilQuiet(ballast, bank);
    const { state, lastFailure } = await host.endpoint('main');
    const start = await host.cli('endpoint', 'start', 'main');

    rmSync(ballast);

    await untilBack(host);
    assert.equal(state, 'stopped');
    assert.match(lastFailure ?? '', /disk full/);
    assert.deepEqual([start.code, start.stdout], [1, '']);
    assert.match(start.stderr, /^stemma: host refused. reason=disk full\.[^\n]*\n$/);
    await bank.close();
    await goesOn(bank);
  },
);

test('disk full: one disk for all is full, and all go on when there is room', limits, async (t) => {
  const disk = mountTemporary(t, smallDisk);
  const host = await startTestHost(t, { directory: join(disk, 'data') });
  const bank = await openBank(host);
  const ballast = join(disk, 'ballast');
  await fillUntilQuiet(ballast, bank);
  const start = await host.cli('endpoint', 'start', 'main');

  rmSync(ballast);

  await untilBack(host);
  assert.equal(start.code, 1);
  assert.match(start.stderr, /^stemma: host refused. reason=disk full\.[^\n]*\n$/);
  await bank.close();
  await goesOn(bank);
});

async function openBank(host: TestHost): Promise<Bank> {
  const bank = new Bank(5, () => host.connect());
  await bank.setUp();
  bank.open(2);
  await until(() => bank.acknowledged > 10);
  return bank;
}

/** Nothing that was acknowledged is gone, and more is acknowledged. */
async function goesOn(bank: Bank): Promise<void> {
  await bank.check();
  const before = bank.acknowledged;
  bank.open(2);
  await until(() => bank.acknowledged > before + 10);
  await bank.close();
  await bank.check();
}

async function untilBack(host: TestHost): Promise<void> {
  const began_ms = performance.now();
  while ((await host.endpoint('main')).state !== 'running') {
    assert.ok(performance.now() - began_ms < back_ms, 'Postgres is back soon');
    await sleep(50);
  }
}

/** What acceptors and timelines keep lies on the small disk; scratch does not. */
function moveTo(place: string, folder: string): void {
  cpSync(folder, place, { recursive: true });
  rmSync(folder, { recursive: true });
  symlinkSync(place, folder);
}

/** Takes whatever room there is, also what becomes free, until no commit has come for a while. */
async function fillUntilQuiet(ballast: string, bank: Bank): Promise<void> {
  let before = -1;
  for (let quiet_since_ms = performance.now(); performance.now() - quiet_since_ms < quiet_ms;) {
    fillDisk(ballast);
    if (bank.acknowledged !== before) quiet_since_ms = performance.now();
    before = bank.acknowledged;
    await sleep(50);
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}
