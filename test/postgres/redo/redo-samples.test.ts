/**
 * Redo against pages stock Postgres made, without a Postgres: one sample of every kind of record and
 * block (redo-samples.ts), and the same samples damaged.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { PageHeader, isNewPage, pageSize } from '../../../src/postgres/page.ts';
import { maskPage } from '../../../src/postgres/redo/mask-page.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { brinWorkload } from './brin-workload.ts';
import { btreeWorkload } from './btree-workload.ts';
import { variantsOf } from './gin-variants.ts';
import { ginWorkload } from './gin-workload.ts';
import { gistVariant } from './gist-variants.ts';
import { gistKilledTuples, gistWorkload } from './gist-workload.ts';
import { formOf } from './hash-forms.ts';
import { hashWorkload } from './hash-workload.ts';
import { heapWorkload } from './heap-workload.ts';
import { type Workload, runOracle } from './oracle.ts';
import { type RedoSample } from './oracle-replay.ts';
import { genericWorkload, sequenceWorkload } from './other-workloads.ts';
import { describeDifference } from './page-difference.ts';
import { SampleCollector, readSamples } from './redo-samples.ts';
import { spgistVariantsOf } from './spgist-variants.ts';
import { spgistWorkload } from './spgist-workload.ts';

/** Workloads whose samples share a file, and how many kinds of sample there must be at least. */
interface SampleGroup {
  readonly file: string;
  readonly workloads: readonly Workload[];
  readonly kindsMin: number;
  /** Names of the kinds a sample is of: by default what the oracle calls it. */
  readonly kindsOf?: (sample: RedoSample) => readonly string[];
}

const groups: readonly SampleGroup[] = [
  {
    file: 'redo-samples',
    workloads: [btreeWorkload, heapWorkload, genericWorkload, sequenceWorkload],
    kindsMin: 50,
  },
  { file: 'redo-samples-gin', workloads: [ginWorkload], kindsMin: 25, kindsOf: ginKinds },
  { file: 'redo-samples-hash', workloads: [hashWorkload], kindsMin: 60, kindsOf: hashKinds },
  { file: 'redo-samples-brin', workloads: [brinWorkload], kindsMin: 16, kindsOf: brinKinds },
  {
    file: 'redo-samples-gist',
    workloads: [gistWorkload, gistKilledTuples, spgistWorkload],
    kindsMin: 55,
    kindsOf: gistKinds,
  },
];
const damagesPerSample = 150;
const guard_bytes = 256;
const guardByte = 0xa5;

/** Of `GOLDEN=write`: the one file to write, by the name it has here. */
const only = process.env['SAMPLES'];

for (const [group, major] of groups.flatMap((each) => [[each, 15] as const, [each, 18] as const])) {
  const file = `${group.file}-${major}.gz`;
  const isWritten = process.env['GOLDEN'] === 'write' && (only ?? group.file) === group.file;
  if (isWritten) await writeSamples(group, major, file);
  const samples = readSamples(file);

  test(`redo of ${major}: there is a sample of every kind of record in ${group.file}`, () => {
    ok(samples.length >= group.kindsMin, `${samples.length}`);
  });

  for (const sample of samples) {
    test(`redo of ${major}: ${sample.name} makes the page Postgres made`, () => {
      const page = redo(major, sample);

      equal(difference(sample, page), null);
    });
  }

  test(`redo of ${major}: damage in ${group.file} gives a page or a corrupt failure`, () => {
    const random = randomNumbers(major);
    for (const sample of samples)
      for (let round = 0; round < damagesPerSample; round += 1)
        deepEqual(outcome(major, damaged(sample, random)), 'page or corrupt', sample.name);
  });
}

async function writeSamples(group: SampleGroup, major: number, file: string): Promise<void> {
  const { workloads, kindsOf } = group;
  const collector = new SampleCollector();
  const report = await runOracle({
    major,
    workloads,
    settings: { full_page_writes: 'off' },
    observer: (sample) => {
      for (const name of kindsOf?.(sample) ?? [sample.name]) collector.take({ ...sample, name });
    },
  });
  equal(report.mismatched, 0);
  collector.write(file);
}

/** One of each form a record of GIN may have. */
function ginKinds(sample: RedoSample): readonly string[] {
  if (sample.rmgr !== resourceManagers.gin) return [];
  return variantsOf(sample).map((variant) => `Gin (${variant})`);
}

/** One of each form a hash index's record may have, from the side of each of its blocks. */
function hashKinds(sample: RedoSample): readonly string[] {
  if (sample.rmgr !== resourceManagers.hash) return [];
  const form = formOf(sample);
  return [form === '' ? sample.name : `${sample.name} (${form})`];
}

function brinKinds(sample: RedoSample): readonly string[] {
  return sample.rmgr === resourceManagers.brin ? [sample.name] : [];
}

/** One of each form a record of GiST or SP-GiST may have. */
function gistKinds(sample: RedoSample): readonly string[] {
  if (sample.rmgr === resourceManagers.gist) return [`Gist (${gistVariant(sample)})`];
  if (sample.rmgr !== resourceManagers.spgist) return [];
  return spgistVariantsOf(sample).map((variant) => `SPGist (${variant})`);
}

/** The page after the sample's value, in a buffer whose bytes around the page must not change. */
function redo(major: number, { value, before, end }: RedoSample): Uint8Array {
  const buffer = new Uint8Array(pageSize + 2 * guard_bytes).fill(guardByte);
  const page = buffer.subarray(guard_bytes, guard_bytes + pageSize);
  page.set(before);
  const rebuilder = new PageRebuilder(major);
  rebuilder.resume(page);
  try {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    rebuilder.apply(view, 0, value.length, end);
  } finally {
    const around = [...buffer.subarray(0, guard_bytes), ...buffer.subarray(guard_bytes + pageSize)];
    ok(
      around.every((byte) => byte === guardByte),
      'redo wrote outside the page',
    );
  }
  return page;
}

function difference({ rmgr, block, after, end }: RedoSample, page: Uint8Array): string | null {
  const [wanted, actual] = [after, page].map((each) => {
    const copy = each.slice();
    if (!isNewPage(new DataView(copy.buffer)))
      maskPage(new DataView(copy.buffer), { rmgr, fork: 0, block });
    return copy;
  });
  const stamp = PageHeader.lsn.get(new DataView(page.buffer, page.byteOffset), 0);
  ok(stamp <= end, 'no page is stamped past its record');
  return describeDifference(wanted!, actual!);
}

function outcome(major: number, sample: RedoSample): string {
  try {
    redo(major, sample);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'corrupt') throw error;
  }
  return 'page or corrupt';
}

/** Some bytes of the value's content or of the page changed. The value's own head stays. */
function damaged(sample: RedoSample, random: (below: number) => number): RedoSample {
  const value = sample.value.slice();
  const before = sample.before.slice();
  for (let left = 1 + random(4); left > 0; left -= 1) {
    const target = random(2) === 0 && value.length > 16 ? value : before;
    const first = target === value ? 16 : PageHeader.checksum.offset;
    const span = random(2) === 0 ? Math.min(64, target.length - first) : target.length - first;
    target[first + random(span)] = random(256);
  }
  return { ...sample, value, before };
}

/** Uniform whole numbers below a bound, the same sequence for a seed (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
