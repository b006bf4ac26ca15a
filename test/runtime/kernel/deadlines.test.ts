/**
 * Deadlines on a hand-turned clock.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Deadline, Deadlines } from '../../../src/runtime/kernel/deadlines.ts';
import { SeededScheduler } from '../../../src/runtime/kernel/seeded-scheduler.ts';
import { SeededRandom } from '../../../src/io/random.ts';

class Noted extends Deadline {
  readonly #note: () => void;

  constructor(note: () => void) {
    super();
    this.#note = note;
  }

  override expire(): void {
    this.#note();
  }
}

/** Adds one deadline per timeout, runs until nothing is left, and says when each expired. */
function expiries(timeouts_ms: readonly number[], removed: readonly number[] = []): number[] {
  const scheduler = new SeededScheduler(new SeededRandom(1));
  const deadlines = new Deadlines(scheduler.openLane(), () => scheduler.now_ms);
  const expired_ms = timeouts_ms.map(() => -1);
  const added = timeouts_ms.map((timeout_ms, index) => {
    const deadline = new Noted(() => {
      expired_ms[index] = scheduler.now_ms;
    });
    deadlines.add(deadline, timeout_ms);
    return deadline;
  });
  for (const index of removed) deadlines.remove(added[index]!);
  while (scheduler.step());
  equal(deadlines.pending, 0);
  return expired_ms;
}

test('deadlines: each expires at its time, to the next 10 ms', () => {
  deepEqual(expiries([25, 0, 10, 1_234]), [30, 10, 10, 1_240]);
});

test('deadlines: one further away than a turn of the wheel waits for its time', () => {
  deepEqual(expiries([60_000, 100]), [60_000, 100]);
});

test('deadlines: one that is removed does not expire', () => {
  deepEqual(expiries([100, 100, 100], [1]), [100, -1, 100]);
});

test('deadlines: removing twice counts once', () => {
  deepEqual(expiries([100, 100], [0, 0]), [-1, 100]);
});

test('deadlines: what waits for long does not wake the thread meanwhile', () => {
  const scheduler = new SeededScheduler(new SeededRandom(1));
  const deadlines = new Deadlines(scheduler.openLane(), () => scheduler.now_ms);
  deadlines.add(new Noted(() => undefined), 60_000);
  let steps = 0;

  while (scheduler.step()) steps += 1;

  equal(steps <= 60_000 / 5_000 + 2, true, `${steps} times`);
});
