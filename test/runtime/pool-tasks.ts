/**
 * Tasks for the pool's tests.
 */
import { Failure } from '../../src/base/failure.ts';

export const tasks = {
  sum: (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0),
  fail: (path: string): never => {
    throw new Failure('actor_missing', { path });
  },
  blunder: (): never => {
    throw new TypeError('a bug');
  },
  exit: (): never => process.exit(1),
  /** Sleeps until somebody sets the cell. */
  wait: (cell: SharedArrayBuffer): string => Atomics.wait(new Int32Array(cell), 0, 0),
};
