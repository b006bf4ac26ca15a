/**
 * Targets: what is fed with damaged bytes. A case ends in a value or in a failure of kind `corrupt`; it
 * throws anything else.
 */
import { strict as assert } from 'node:assert';
import { readdirSync } from 'node:fs';
import { Failure } from '../../src/base/failure.ts';
import { lsn } from '../../src/base/lsn.ts';
import { type Major } from '../../src/postgres/major.ts';
import { isNewPage, pageSize } from '../../src/postgres/page.ts';
import {
  RecordValue,
  recordValueSize,
  valueTags,
  writeRecordValue,
} from '../../src/postgres/page-value.ts';
import { maskPage, maskUnlogged } from '../../src/postgres/redo/mask-page.ts';
import { pageManager } from '../../src/postgres/redo/page-manager.ts';
import { PageRebuilder } from '../../src/postgres/redo/rebuild.ts';
import { imageValueSize, writeImageValue } from '../../src/postgres/wal-image.ts';
import { decodeRecord, RecordHeader, WalRecord } from '../../src/postgres/wal-record.ts';
import { timeline } from '../postgres/ingest/records.ts';
import { type RedoSample } from '../postgres/redo/oracle-replay.ts';
import { readSamples } from '../postgres/redo/redo-samples.ts';
import { fixtureMajors, fixtureReader, readRecords, walFixture } from '../postgres/wal-fixture.ts';
import { type Random } from './random.ts';

export interface Target {
  readonly name: string;
  /** One case; what it came to. */
  readonly run: (random: Random) => 'value' | 'corrupt';
}

/** Bytes around a page that nobody may change. */
const guard_bytes = 512;
const guardByte = 0xa5;
const buffer = new Uint8Array(pageSize + 2 * guard_bytes).fill(guardByte);
const page = buffer.subarray(guard_bytes, guard_bytes + pageSize);
const pageView = new DataView(page.buffer, page.byteOffset, pageSize);
const guard = new Uint8Array(guard_bytes).fill(guardByte);
const valueHead = 16;

/** Made when the fuzzer starts: reading samples takes a moment. */
export function makeTargets(): readonly Target[] {
  const samples = [15, 16, 17, 18].flatMap((major) =>
    sampleFiles(major).map((file) => ({ major, samples: readSamples(file) })),
  );
  const records = fixtureMajors.map((major) => ({ major, records: rawRecords(major) }));
  const sets = samples.filter((set) => set.samples.length > 0);
  return [
    { name: 'redo of a damaged value or page', run: (random) => redoDamaged(sets, random) },
    { name: 'redo on a page of another kind', run: (random) => redoElsewhere(sets, random) },
    { name: 'mask of a damaged page', run: (random) => maskDamaged(sets, random) },
    { name: 'a damaged record and its blocks', run: (random) => decodeDamaged(records, random) },
    { name: 'random bytes as a value', run: redoRandom },
    { name: 'ingest of a damaged record', run: (random) => ingestDamaged(records, random) },
  ];
}

/** Whatever samples there are: each manager may have a file of its own. */
function sampleFiles(major: number): readonly string[] {
  const folder = new URL('../golden/', import.meta.url);
  const names = readdirSync(folder).filter((name) => name.startsWith('redo-samples'));
  return names.filter((name) => name.endsWith(`-${major}.gz`));
}

interface SampleSet {
  readonly major: number;
  readonly samples: readonly RedoSample[];
}

function redoDamaged(sets: readonly SampleSet[], random: Random): 'value' | 'corrupt' {
  const { major, samples } = random.pick(sets);
  const { value, before, end, rmgr, block } = random.pick(samples);
  const damaged = value.slice();
  page.set(before);
  const what = random.below(4);
  if (what !== 0) random.damage(damaged, random.below(8) === 0 ? 1 : valueHead);
  if (what === 0 || what === 3) random.damage(page, 8);
  return guarded(() => {
    rebuilderOf(major).apply(viewOf(damaged), 0, damaged.length, end);
    maskWell({ rmgr, fork: 0, block });
  });
}

/** The record is whole; the page is one that it was never about. */
function redoElsewhere(sets: readonly SampleSet[], random: Random): 'value' | 'corrupt' {
  const { major, samples } = random.pick(sets);
  const { value, end, rmgr, block } = random.pick(samples);
  page.set(random.pick(random.pick(sets).samples).before);
  pageView.setBigUint64(0, 0n); // so that the record is not skipped
  return guarded(() => {
    rebuilderOf(major).apply(viewOf(value), 0, value.length, end);
    maskWell({ rmgr, fork: 0, block });
  });
}

/** A value with a good head, most of the time, and nothing else. */
function redoRandom(random: Random): 'value' | 'corrupt' {
  const bytes = new Uint8Array(valueHead + random.below(200));
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = random.below(256);
  bytes[0] = 1 + random.below(4);
  if (bytes[0] === valueTags.delta) bytes[1] = random.below(24);
  if (bytes[0] === valueTags.record) headOfRecord(viewOf(bytes), random);
  page.fill(0);
  if (random.below(2) === 0) random.damage(page, 0);
  const major = random.pick(fixtureMajors);
  return guarded(() => {
    rebuilderOf(major).apply(viewOf(bytes), 0, bytes.length, lsn(1_000_000));
  });
}

/** Sizes that add up, and a manager that is known. */
function headOfRecord(view: DataView, random: Random): void {
  const left = view.byteLength - RecordValue.size;
  const blocks = random.below(Math.min(4, Math.floor(left / 4)) + 1);
  const data = random.below(left - blocks * 4 + 1);
  RecordValue.rmgr.set(view, 0, random.below(22));
  RecordValue.blockCount.set(view, 0, blocks);
  RecordValue.blockId.set(view, 0, random.below(4));
  RecordValue.dataSize.set(view, 0, data);
  RecordValue.mainSize.set(view, 0, left - blocks * 4 - data);
}

function maskDamaged(sets: readonly SampleSet[], random: Random): 'value' | 'corrupt' {
  const { after, block } = random.pick(random.pick(sets).samples);
  page.set(after);
  random.damage(page, 0);
  return guarded(() => {
    maskWell({ rmgr: random.below(24), fork: random.below(4), block });
    const rmgr = pageManager(pageView) ?? 0;
    maskWell({ rmgr, fork: 0, block });
    maskUnlogged(pageView, rmgr);
  });
}

function maskWell(where: Parameters<typeof maskPage>[1]): void {
  if (!isNewPage(pageView)) maskPage(pageView, where);
}

interface RecordSet {
  readonly major: Major;
  readonly records: readonly Uint8Array[];
}

const record = new WalRecord();
const value = new Uint8Array(2 * 1_024 * 1_024);
const valueView = viewOf(value);

/** Decoded, and each of its blocks made a value and applied, as ingest and a read would. */
function decodeDamaged(sets: readonly RecordSet[], random: Random): 'value' | 'corrupt' {
  const major = damagedRecord(sets, random);
  return guarded(() => {
    decodeRecord(record, major);
    for (let id = 0; id < record.blockCount; id += 1) {
      if (!record.blocks[id]!.present) continue;
      page.fill(0);
      rebuilderOf(major).apply(valueView, 0, writeValue(id), record.end);
    }
  });
}

/** Puts a damaged record into `record`; its major. */
function damagedRecord(sets: readonly RecordSet[], random: Random): Major {
  const { major, records } = random.pick(sets);
  const bytes = random.pick(records).slice();
  random.damage(bytes, 4);
  const view = viewOf(bytes);
  const [totalSize, info, rmgr] = [bytes.length, bytes[16]!, bytes[17]!];
  Object.assign(record, { bytes, view, totalSize, info, rmgr, offset: 0 });
  record.xid = RecordHeader.xid.get(view, 0);
  record.end = lsn(1_000_000);
  return major;
}

const blocksMax = 200;

/** Into a timeline that has nothing. Relations stay small: a server that says so extends them far. */
function ingestDamaged(sets: readonly RecordSet[], random: Random): 'value' | 'corrupt' {
  const major = damagedRecord(sets, random);
  return guarded(() => {
    decodeRecord(record, major);
    for (const block of record.blocks) block.block %= blocksMax;
    timeline(major).ingest.record(record);
  });
}

function writeValue(id: number): number {
  const { hasImage } = record.blocks[id]!;
  const size = hasImage ? imageValueSize(record, id) : recordValueSize(record, id);
  if (hasImage) writeImageValue(record, id, value, 0);
  else writeRecordValue(record, id, valueView, 0);
  return size;
}

/** Every record of the fixture, by itself. */
function rawRecords(major: number): readonly Uint8Array[] {
  const fixture = walFixture(major);
  const records: Uint8Array[] = [];
  const step = 65_536;
  readRecords(fixtureReader(fixture), major, { bytes: fixture.bytes, step }, (each) => {
    records.push(each.bytes.slice(each.offset, each.offset + each.totalSize));
  });
  return records;
}

const rebuilders = new Map<number, PageRebuilder>();

/** Applies to the guarded page. */
function rebuilderOf(major: number): PageRebuilder {
  let rebuilder = rebuilders.get(major);
  if (rebuilder === undefined) {
    rebuilder = new PageRebuilder(major);
    rebuilders.set(major, rebuilder);
  }
  rebuilder.resume(page);
  return rebuilder;
}

function guarded(run: () => void): 'value' | 'corrupt' {
  try {
    run();
    return 'value';
  } catch (error) {
    if (error instanceof Failure && error.kind === 'corrupt') return 'corrupt';
    throw error;
  } finally {
    const isWhole =
      Buffer.compare(buffer.subarray(0, guard_bytes), guard) === 0 &&
      Buffer.compare(buffer.subarray(guard_bytes + pageSize), guard) === 0;
    if (!isWhole) buffer.fill(guardByte);
    assert.ok(isWhole, 'bytes outside the page were changed');
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
