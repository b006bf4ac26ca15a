/** Everything that can break in a host is broken under load, and comes back without loss. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../src/io/random.ts';
import { Bank } from '../e2e/bank.ts';
import { processesOf, startTestHost, type TestHost } from '../e2e/host.ts';
import { breakages, mainEndpoint, type Breakage } from './faults.ts';

const clients = 4;
const rounds = 2;
const mixedRounds = 12;
const look_ms = 20;
/** Reproduces the moments and the order, as far as the scheduler lets it. */
const seed = Number(process.env['STEMMA_SEED'] ?? 20_260_822);
const limits = { timeout: 180_000 };

interface Scene {
  readonly host: TestHost;
  readonly bank: Bank;
  readonly random: SeededRandom;
}

for (const breakage of breakages) {
  const after = breakage.postgresGoesOn ? 'the same Postgres' : 'a new Postgres';
  test(
    `chaos: ${breakage.what} dies, and ${after} has all that was acknowledged`,
    limits,
    async (t) => {
      const scene = await open(t);

      for (let round = 0; round < rounds; round += 1) await breakAndCheck(scene, breakage);

      await closeInOrder(scene);
    },
  );
}

test(
  'chaos: whatever dies after whatever else, nothing acknowledged is lost',
  limits,
  async (t) => {
    const scene = await open(t);

    for (let round = 0; round < mixedRounds; round += 1)
      await breakAndCheck(scene, breakages[scene.random.below(breakages.length)]!);

    await closeInOrder(scene);
  },
);

async function open(t: TestContext): Promise<Scene> {
  t.diagnostic(`STEMMA_SEED=${seed}`);
  const settings = {
    shared_buffers_bytes: 2 ** 20,
    open_layer_max_bytes: 262_144,
    image_min_pages: 2,
    overlay_target_bytes: 0,
    trim_sample_ms: 50,
  };
  const program = join(import.meta.dirname, 'faulty-host.ts');
  const host = await startTestHost(t, { settings, program });
  const bank = new Bank(seed, () => host.connect());
  await bank.setUp();
  return { host, bank, random: new SeededRandom(seed) };
}

async function breakAndCheck({ host, bank, random }: Scene, breakage: Breakage): Promise<void> {
  const before = (await mainEndpoint(host))?.pid;
  bank.open(clients);
  await acknowledges(bank, 4);
  await sleep(random.below(300));
  await breakage.inject(host);
  if (breakage.postgresGoesOn) await acknowledges(bank, 4 * clients);
  const after = await runningPid(host, breakage.postgresGoesOn ? undefined : before!);
  await bank.close();
  await bank.check();
  assert.equal(after === before, breakage.postgresGoesOn, breakage.what);
}

/** Waits until so many more transfers are acknowledged. */
async function acknowledges(bank: Bank, more: number): Promise<void> {
  for (const before = bank.acknowledged; bank.acknowledged < before + more;) await sleep(look_ms);
}

/** Waits until main has a Postgres other than `not`. */
async function runningPid(host: TestHost, not: number | undefined): Promise<number> {
  for (;;) {
    const pid = (await mainEndpoint(host))?.pid ?? null;
    if (pid !== null && pid !== not) return pid;
    await sleep(look_ms);
  }
}

/** Storage has what Postgres has, and nothing is left when the host has stopped. */
async function closeInOrder({ host }: Scene): Promise<void> {
  while ((await host.cli('branch', 'list')).code !== 0) await sleep(look_ms); // coming back
  const { first } = await host.json<{ readonly first: readonly string[] }>('verify', 'main');
  assert.deepEqual(first, []);
  const { code, stderr } = await host.stop();
  assert.equal(code, 0, stderr);
  assert.deepEqual(host.mounts(), []);
  assert.deepEqual(processesOf(host.directory), []);
}
