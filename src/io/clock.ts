/**
 * Clock: the machine's time, behind the runtime's `Clock` port. The only place that reads it.
 */

/** Wall clock for people and files, monotonic clock for measuring; both in milliseconds. */
export const systemClock = {
  now_ms: (): number => Date.now(),
  monotonic_ms: (): number => performance.now(),
} as const;
