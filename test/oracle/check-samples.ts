/**
 * Redoes every stored sample: `node test/oracle/check-samples.ts`. Prints how many pages are not the ones
 * Postgres made; exit code 1 if there are any.
 */
import { readdirSync } from 'node:fs';
import { PageHeader, pageSize } from '../../src/postgres/page.ts';
import { PageRebuilder } from '../../src/postgres/redo/rebuild.ts';
import { type RedoSample } from '../postgres/redo/oracle-replay.ts';
import { readSamples } from '../postgres/redo/redo-samples.ts';
import { maskedDifference } from './page-check.ts';

const files = readdirSync(new URL('../golden/', import.meta.url));
let [count, differing] = [0, 0];
for (const file of files.filter((name) => name.startsWith('redo-samples')))
  for (const sample of readSamples(file)) {
    count += 1;
    if (!isRight(Number(/-(\d+)\.gz$/.exec(file)![1]), sample)) differing += 1;
  }
process.stdout.write(`${count} samples, ${differing} differ\n`);
process.exitCode = differing === 0 ? 0 : 1;

function isRight(major: number, { value, before, after, end, rmgr, block }: RedoSample): boolean {
  const page = before.slice();
  try {
    const rebuilder = new PageRebuilder(major);
    rebuilder.resume(page);
    rebuilder.apply(new DataView(value.slice().buffer), 0, value.length, end);
  } catch {
    return false; // whatever it is: the page Postgres made it is not
  }
  const stamp = PageHeader.lsn.get(new DataView(page.buffer, 0, pageSize), 0);
  return stamp <= end && maskedDifference(after, page, { rmgr, fork: 0, block }) === null;
}
