/**
 * Garbage: large memory that is given back when its use is known to be over, not when V8 gets to it.
 *
 * What lies outside V8's heap counts for its collections only roughly: with little on the heap they are rare
 * (bin/stemma.js), and the kernel refuses a fork to a process that has been promised too much memory.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | null = null;

/** Collects this thread's heap once its callers have returned, and have let go of what they refer to. */
export function collectGarbageSoon(): void {
  setImmediate(() => {
    collect ??= exposedCollector();
    collect();
  });
}

function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void; // a context made before the flag was set has none
}
