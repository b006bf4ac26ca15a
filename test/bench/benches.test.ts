/**
 * Every benchmark still runs, in its small size.
 */
import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { benches } from '../../bench/run.ts';

for (const [name, measure] of Object.entries(benches)) {
  test(`bench: ${name} gives figures`, { timeout: 120_000 }, async () => {
    const { figures } = await measure('small');

    ok(figures.length > 0);
    for (const { what, host, peer } of figures) {
      ok(Number.isFinite(host) && host > 0, what);
      ok(peer === null || (Number.isFinite(peer) && peer > 0), what);
    }
  });
}
