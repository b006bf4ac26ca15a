/**
 * CheckPoint, the body of checkpoint records (src/include/catalog/pg_control.h), as fields.
 */
import { i64, lsnField, padding, struct, u32, u64, u8 } from '../../base/struct.ts';
import { type Lsn } from '../../base/lsn.ts';
import { type Major } from '../major.ts';

export interface Checkpoint {
  readonly redo: Lsn;
  readonly timelineId: number;
  readonly previousTimelineId: number;
  readonly fullPageWrites: boolean;
  readonly walLevel: number;
  readonly nextXid: number;
  readonly nextOid: number;
  readonly nextMulti: number;
  readonly nextMultiOffset: number;
  readonly oldestXid: number;
  readonly oldestXidDatabase: number;
  readonly oldestMulti: number;
  readonly oldestMultiDatabase: number;
  readonly time_s: number;
  readonly oldestCommitTsXid: number;
  readonly newestCommitTsXid: number;
  readonly oldestActiveXid: number;
}
const tail = {
  nextXid: u64,
  nextOid: u32,
  nextMulti: u32,
  nextMultiOffset: u32,
  oldestXid: u32,
  oldestXidDatabase: u32,
  oldestMulti: u32,
  oldestMultiDatabase: u32,
  pad2: padding(4),
  time_s: i64,
  oldestCommitTsXid: u32,
  newestCommitTsXid: u32,
  oldestActiveXid: u32,
  pad3: padding(4),
};
const Old = struct(
  {
    redo: lsnField,
    timelineId: u32,
    previousTimelineId: u32,
    fullPageWrites: u8,
    pad: padding(7),
    ...tail,
  },
  { size: 88 },
);
const New = struct(
  {
    redo: lsnField,
    timelineId: u32,
    previousTimelineId: u32,
    fullPageWrites: u8,
    pad: padding(3),
    walLevel: u32,
    ...tail,
  },
  { size: 88 },
);
const names = [
  'redo',
  'timelineId',
  'previousTimelineId',
  'nextXid',
  'nextOid',
  'nextMulti',
  'nextMultiOffset',
  'oldestXid',
  'oldestXidDatabase',
  'oldestMulti',
  'oldestMultiDatabase',
  'time_s',
  'oldestCommitTsXid',
  'newestCommitTsXid',
  'oldestActiveXid',
] as const;

export function decodeCheckpoint(major: Major, bytes: Uint8Array): Checkpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const out: Record<string, unknown> = {};
  for (const n of names) out[n] = New[n].get(view, 0);
  out['fullPageWrites'] = New.fullPageWrites.get(view, 0) !== 0;
  out['walLevel'] = major < 17 ? 0 : New.walLevel.get(view, 0);
  return out as unknown as Checkpoint;
}
export function encodeCheckpoint(major: Major, c: Checkpoint): Uint8Array {
  const bytes = new Uint8Array(Old.size);
  const view = new DataView(bytes.buffer);
  for (const n of names)
    (New[n] as { set: (v: DataView, at: number, x: number) => void }).set(view, 0, c[n]);
  New.fullPageWrites.set(view, 0, c.fullPageWrites ? 1 : 0);
  if (major >= 17) New.walLevel.set(view, 0, c.walLevel);
  return bytes;
}
