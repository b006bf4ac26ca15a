/**
 * Fuzz: damaged records, values and pages through everything that decodes them. Each case has a seed of
 * its own, the first's plus its number; a case that does not end in time ends the run.
 */
import { Worker } from 'node:worker_threads';

/** What the thread is given. */
export interface FuzzTask {
  readonly seed: number;
  readonly count: number;
  /** Two doubles: `progressFields`. */
  readonly progress: SharedArrayBuffer;
}

export const progressFields = { done: 0, seed: 1 } as const;

/** A case that ended in neither a value nor a corrupt failure. */
export interface FuzzWrong {
  readonly seed: number;
  readonly target: string;
  readonly what: string;
}

export interface FuzzReport {
  /** By target: cases that gave a value, and a corrupt failure. */
  readonly counts: Readonly<Record<string, { readonly value: number; readonly corrupt: number }>>;
  readonly wrong: readonly FuzzWrong[];
}

/** No case takes longer than this, on however busy a machine: they take microseconds. */
const caseTimeout_ms = 10_000;
const look_ms = 500;

/** Runs `count` cases. `onProgress` hears now and then how many are done. */
export async function fuzz(
  seed: number,
  count: number,
  onProgress: (done: number) => void,
): Promise<FuzzReport> {
  const progress = new SharedArrayBuffer(16);
  const workerData: FuzzTask = { seed, count, progress };
  const worker = new Worker(new URL('./fuzz-thread.ts', import.meta.url), { workerData });
  try {
    return await Promise.race([reportOf(worker), watch(progress, onProgress)]);
  } finally {
    await worker.terminate();
  }
}

function reportOf(worker: Worker): Promise<FuzzReport> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Resolves when the same case has been going on for too long. */
function watch(
  progress: SharedArrayBuffer,
  onProgress: (done: number) => void,
): Promise<FuzzReport> {
  const fields = new Float64Array(progress);
  let [last, since] = [-1, Date.now()];
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const done = fields[progressFields.done]!;
      if (done !== last || done === 0) [last, since] = [done, Date.now()];
      onProgress(done);
      if (Date.now() - since < caseTimeout_ms) return;
      clearInterval(timer);
      const seed = fields[progressFields.seed]!;
      resolve({ counts: {}, wrong: [{ seed, target: 'unknown', what: 'the case does not end' }] });
    }, look_ms);
    timer.unref();
  });
}
