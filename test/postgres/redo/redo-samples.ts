/**
 * RedoSamples: for each kind of record and each of its blocks one real example: the page before, the
 * value, and the page Postgres made of it. Kept in test/golden, some files per major: lines of JSON,
 * bytes in hex, gzip'd. `GOLDEN=write` makes the samples' tests write them anew; with `SAMPLES=<file>`
 * as well, only that file, whose name is without the major.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { lsn } from '../../../src/base/lsn.ts';
import { type RedoSample } from './oracle-replay.ts';

const folder = new URL('../../golden/', import.meta.url);

/** Keeps the smallest sample of each kind: the one whose page and value have the fewest bytes. */
export class SampleCollector {
  readonly #smallest = new Map<string, { readonly weight: number; readonly sample: RedoSample }>();

  take(sample: RedoSample): void {
    const kept = this.#smallest.get(sample.name);
    if (kept !== undefined && kept.weight <= sample.value.length) return;
    const weight = sample.value.length + weigh(sample.before) + weigh(sample.after);
    if (kept !== undefined && kept.weight <= weight) return;
    const { value, before, after } = sample;
    const copy = { ...sample, value: value.slice(), before: before.slice(), after: after.slice() };
    this.#smallest.set(sample.name, { weight, sample: copy });
  }

  write(name: string): void {
    const kept = [...this.#smallest.values()].map(({ sample }) => sample);
    const lines = kept.sort((a, b) => (a.name < b.name ? -1 : 1)).map(encode);
    writeFileSync(new URL(name, folder), gzipSync(lines.join('\n'), { level: 9 }));
  }
}

/** The samples of a file in test/golden; none when there is no such file. */
export function readSamples(name: string): readonly RedoSample[] {
  const file = new URL(name, folder);
  if (!existsSync(file)) return [];
  return gunzipSync(readFileSync(file)).toString().split('\n').map(decode);
}

function weigh(page: Uint8Array): number {
  let weight = 0;
  for (const byte of page) if (byte !== 0) weight += 1;
  return weight;
}

function encode({ name, rmgr, block, end, value, before, after }: RedoSample): string {
  const bytes = [value, before, after].map((each) => Buffer.from(each).toString('hex'));
  return JSON.stringify([name, rmgr, block, end, ...bytes]);
}

function decode(line: string): RedoSample {
  const [name, rmgr, block, end, ...bytes] = JSON.parse(line) as [string, number, number, number];
  const [value, before, after] = (bytes as string[]).map(
    (hex) => new Uint8Array(Buffer.from(hex, 'hex')),
  );
  return { name, rmgr, block, end: lsn(end), value: value!, before: before!, after: after! };
}
