/**
 * The thread that runs the cases. What it is at stands in shared memory, so that somebody else can tell
 * when a case does not end.
 */
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { type FuzzTask, type FuzzWrong, progressFields } from './fuzz.ts';
import { Random } from './random.ts';
import { makeTargets } from './targets.ts';

const { seed, count, progress } = workerData as FuzzTask;
const wrongMax = 20;
const fields = new Float64Array(progress);
const targets = makeTargets();
const counts = Object.fromEntries(targets.map(({ name }) => [name, { value: 0, corrupt: 0 }]));
const wrong: FuzzWrong[] = [];

for (let done = 0; done < count && wrong.length < wrongMax; done += 1) {
  const random = new Random(seed + done);
  const target = random.pick(targets);
  fields[progressFields.seed] = seed + done;
  fields[progressFields.done] = done;
  try {
    counts[target.name]![target.run(random)] += 1;
  } catch (error) {
    wrong.push({ seed: seed + done, target: target.name, what: inspect(error) });
  }
}
parentPort!.postMessage({ counts, wrong });
