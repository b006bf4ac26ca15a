/** Commits that were acknowledged survive the death of Postgres and of the host. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../src/io/random.ts';
import { Bank } from './bank.ts';
import { startTestHost } from './host.ts';

const rounds = 20;
const clients = 4;
/** Reproduces the moments of death, as far as the scheduler lets it. */
const seed = Number(process.env['STEMMA_SEED'] ?? 20_260_821);

test(
  'kill: no acknowledged commit is lost in rounds of killing Postgres and the host',
  { timeout: 300_000 },
  async (t) => {
    t.diagnostic(`STEMMA_SEED=${seed}`);
    const random = new SeededRandom(seed);
    const settings = { open_layer_max_bytes: 262_144, image_min_pages: 2 };
    const host = await startTestHost(t, { settings });
    const bank = new Bank(seed, () => host.connect());
    await bank.setUp();
    for (let round = 0; round < rounds; round += 1) {
      const before = bank.acknowledged;
      bank.open(clients);
      while (bank.acknowledged < before + 4) await sleep(5);
      await sleep(random.below(400));
      if (round % 2 === 0) process.kill((await host.endpoint('main')).pid!, 'SIGKILL');
      else {
        host.kill('SIGKILL');
        await host.ended;
        await host.start();
      }
      await bank.close();
      await bank.check();
    }
    t.diagnostic(`${bank.acknowledged} commits acknowledged`);
    assert.ok(bank.acknowledged >= 4 * rounds);
  },
);
