/**
 * Hand-built WAL records without blocks, and a tip to ingest them into.
 */
import { keyKinds, type KeyFamily, type KeyKind } from '../../../src/base/key.ts';
import { lsn, lsnZero } from '../../../src/base/lsn.ts';
import { u32, type FieldType } from '../../../src/base/struct.ts';
import { encodeCheckpoint, type Checkpoint } from '../../../src/postgres/checkpoint.ts';
import { Ingest } from '../../../src/postgres/ingest/ingest.ts';
import { type Major } from '../../../src/postgres/major.ts';
import { WalRecord } from '../../../src/postgres/wal-record.ts';
import { MemoryTip } from './memory-tip.ts';

export interface RecordParts {
  readonly rmgr: number;
  readonly info: number;
  readonly xid?: number;
  readonly origin?: number;
  readonly main?: Uint8Array;
}

/** A record that ends `count` × 100 into WAL, where `count` is the number of records made so far. */
export function walRecord({ rmgr, info, xid = 0, origin = 0, main }: RecordParts): WalRecord {
  const record = new WalRecord();
  record.bytes = main ?? new Uint8Array(0);
  record.view = new DataView(record.bytes.buffer, record.bytes.byteOffset, record.bytes.length);
  record.mainSize = record.bytes.length;
  made += 1;
  record.start = lsn(made * 100 - 50);
  record.end = lsn(made * 100);
  Object.assign(record, { rmgr, info, xid, origin });
  return record;
}
let made = 0;

/** Bytes of fields written one after the other: `[u32, 7], [u16, 1]`. */
export function fields(...values: (readonly [FieldType<number>, number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((size, [type]) => size + type.size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [type, value] of values) {
    type.write(view, at, value);
    at += type.size;
  }
  return bytes;
}

/** Bytes of 32-bit fields. */
export function words(...values: readonly number[]): Uint8Array {
  return fields(...values.map((value) => [u32, value] as const));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

const freshCheckpoint: Checkpoint = {
  redo: lsnZero,
  timelineId: 1,
  previousTimelineId: 1,
  fullPageWrites: true,
  walLevel: null,
  nextXid: 700,
  nextOid: 16_384,
  nextMulti: 1,
  nextMultiOffset: 0,
  oldestXid: 3,
  oldestXidDatabase: 1,
  oldestMulti: 1,
  oldestMultiDatabase: 1,
  time_s: 0,
  oldestCommitTsXid: 0,
  newestCommitTsXid: 0,
  oldestActiveXid: 0,
};

/** A cluster right after initdb, but for what the checkpoint says otherwise. */
export function timeline(
  major: Major,
  checkpoint: Partial<Checkpoint> = {},
): { readonly tip: MemoryTip; readonly ingest: Ingest } {
  const tip = new MemoryTip(major);
  const walLevel = major >= 17 ? 1 : null;
  const whole = { ...freshCheckpoint, walLevel, ...checkpoint };
  tip.put(tip.key(family(keyKinds.checkpoint), 0), lsnZero, true, encodeCheckpoint(whole, major));
  return { tip, ingest: new Ingest(major, tip) };
}

/** A family whose fields are 0 where not given. */
export function family(kind: KeyKind, place: Partial<KeyFamily> = {}): KeyFamily {
  return { kind, tablespace: 0, database: 0, relation: 0, fork: 0, ...place };
}
