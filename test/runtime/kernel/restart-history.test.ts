/**
 * How often and how soon something that failed is started again.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { RestartHistory } from '../../../src/runtime/kernel/restart-history.ts';

const intensity = { maxRestarts: 4, window_ms: 1_000, firstDelay_ms: 10, maxDelay_ms: 50 } as const;

test('restart history: each restart within the window waits twice as long, up to a limit', () => {
  const history = new RestartHistory(intensity);

  const delays = [0, 1, 2, 3].map((now_ms) => history.next_ms(now_ms));

  deepEqual(delays, [10, 20, 40, 50]);
});

test('restart history: beyond the intensity there is no restart', () => {
  const history = new RestartHistory(intensity);
  for (let now_ms = 0; now_ms < 4; now_ms += 1) history.next_ms(now_ms);

  equal(history.next_ms(999), null);
});

test('restart history: what lies before the window is forgotten', () => {
  const history = new RestartHistory(intensity);
  for (let now_ms = 0; now_ms < 4; now_ms += 1) history.next_ms(now_ms);

  equal(history.next_ms(1_003), 10);
});
