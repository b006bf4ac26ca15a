/**
 * Garbage: large memory that is given back when its use is known to be over, not when V8 gets to it.
 *
 * Collections are rare (bin/stemma.js), and the kernel refuses a fork to a process that has been promised too
 * much memory (docs/decisions/0019-buffers-outside-the-heap.md).
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
