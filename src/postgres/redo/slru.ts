/**
 * SLRU deltas: the changes that records imply on pages of pg_xact, pg_multixact and pg_commit_ts.
 *
 * No WAL record names such a page, so ingest writes these values for it. SLRU pages have no header
 * and no LSN: every delta sets absolute values, so applying one twice is harmless, and none is ever
 * skipped. Layouts after the tag byte (page-value.ts), little-endian:
 *
 * ```
 * zeroPage         4 | 16 |
 * clogStatus       4 | 17 | u16 count | u32 status | u16 index × count
 * multixactOffset  4 | 18 | u16 index | u32 offset
 * multixactMembers 4 | 19 | u16 count | u32 first  | (u32 xid, u32 status) × count
 * commitTimestamp  4 | 20 | u16 count | u16 origin | pad 2 | i64 time | u16 index × count
 * ```
 *
 * An index counts entries within the page. Sources: clog.c, multixact.c, commit_ts.c in
 * src/backend/access/transam.
 */
import { assert } from '../../base/assert.ts';
import { i64, padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { pageSize } from '../page.ts';
import { valueTags } from '../page-value.ts';

/** Kinds of deltas owned here; 1 to 15 belong to the visibility and free-space maps. */
const slruDeltaKinds = {
  zeroPage: 16,
  clogStatus: 17,
  multixactOffset: 18,
  multixactMembers: 19,
  commitTimestamp: 20,
} as const;

/** `TRANSACTION_STATUS_…` (src/include/access/clog.h): the two that outlive a transaction. */
export const clogStatus = { committed: 1, aborted: 2 } as const;
export type ClogStatus = (typeof clogStatus)[keyof typeof clogStatus];

/** Four transactions per byte. */
export const clogXidsPerPage = pageSize * 4;
export const multixactOffsetsPerPage = pageSize / 4;
/** A group is four flag bytes and four xids: 409 groups, 12 bytes unused. */
const memberGroup = { members: 4, size: 20 };
export const multixactMembersPerPage =
  Math.floor(pageSize / memberGroup.size) * memberGroup.members;
/** `SizeOfCommitTimestampEntry`: a time and an origin, unpadded. */
const commitTimestampSize = 10;
export const commitTimestampsPerPage = Math.floor(pageSize / commitTimestampSize);

const Delta = struct({ tag: u8, kind: u8, count: u16, word: u32 }, { size: 8 });
const CommitTimestampDelta = struct(
  { tag: u8, kind: u8, count: u16, origin: u16, pad: padding(2), time: i64 },
  { size: 16 },
);
const Member = struct({ xid: u32, status: u32 }, { size: 8 });
const CommitTimestamp = struct({ time: i64, origin: u16 }, { size: commitTimestampSize });
const indexSize = 2;

/** Size in bytes of a `zeroPage` value. It needs no older version. */
export const zeroPageSize = 2;

export function writeZeroPage(target: DataView): void {
  target.setUint8(0, valueTags.delta);
  target.setUint8(1, slruDeltaKinds.zeroPage);
}

export function clogStatusSize(count: number): number {
  return Delta.size + count * indexSize;
}

/** Writes all but the indexes, which follow through `setClogIndex`. */
export function writeClogStatus(target: DataView, status: ClogStatus, count: number): void {
  writeDelta(target, slruDeltaKinds.clogStatus, count);
  Delta.word.set(target, 0, status);
}

export function setClogIndex(target: DataView, position: number, xid: number): void {
  target.setUint16(Delta.size + position * indexSize, xid % clogXidsPerPage, true);
}

export const multixactOffsetSize = Delta.size;

/** `multi`'s members begin at `offset`. */
export function writeMultixactOffset(target: DataView, multi: number, offset: number): void {
  writeDelta(target, slruDeltaKinds.multixactOffset, multi % multixactOffsetsPerPage);
  Delta.word.set(target, 0, offset);
}

export function multixactMembersSize(count: number): number {
  return Delta.size + count * Member.size;
}

/** Writes all but the members, which follow through `setMember`. All are on `offset`'s page. */
export function writeMultixactMembers(target: DataView, offset: number, count: number): void {
  writeDelta(target, slruDeltaKinds.multixactMembers, count);
  Delta.word.set(target, 0, offset % multixactMembersPerPage);
}

/** `position` counts from the delta's first member; `status` is a `MultiXactStatus`, 0 to 5. */
export function setMember(target: DataView, position: number, xid: number, status: number): void {
  const at = Delta.size + position * Member.size;
  Member.xid.set(target, at, xid);
  Member.status.set(target, at, status);
}

export function commitTimestampsSize(count: number): number {
  return CommitTimestampDelta.size + count * indexSize;
}

/** When, in microseconds since 2000-01-01, and by which replication origin (0: none). */
export interface CommitStamp {
  time_us: number;
  origin: number;
}

/** Writes all but the indexes, which follow through `setCommitTimestampIndex`. */
export function writeCommitTimestamps(target: DataView, stamp: CommitStamp, count: number): void {
  writeDelta(target, slruDeltaKinds.commitTimestamp, count);
  CommitTimestampDelta.origin.set(target, 0, stamp.origin);
  CommitTimestampDelta.time.set(target, 0, stamp.time_us);
}

export function setCommitTimestampIndex(target: DataView, position: number, xid: number): void {
  const at = CommitTimestampDelta.size + position * indexSize;
  target.setUint16(at, xid % commitTimestampsPerPage, true);
}

/** Applies the delta at `at` in `view` to `page`. */
export type SlruRedo = (page: DataView, view: DataView, at: number) => void;

/** What each kind of delta does. */
export const slruRedo: Readonly<Record<number, SlruRedo>> = {
  [slruDeltaKinds.zeroPage]: applyZeroPage,
  [slruDeltaKinds.clogStatus]: applyClogStatus,
  [slruDeltaKinds.multixactOffset]: applyMultixactOffset,
  [slruDeltaKinds.multixactMembers]: applyMultixactMembers,
  [slruDeltaKinds.commitTimestamp]: applyCommitTimestamps,
};

function applyZeroPage(page: DataView): void {
  new Uint8Array(page.buffer, page.byteOffset, pageSize).fill(0);
}

/** `TransactionIdSetStatusBit`. */
function applyClogStatus(page: DataView, view: DataView, at: number): void {
  const status = Delta.word.get(view, at);
  for (let position = 0; position < Delta.count.get(view, at); position += 1) {
    const index = view.getUint16(at + Delta.size + position * indexSize, true);
    const shift = (index & 3) * 2;
    const others = page.getUint8(index >>> 2) & ~(3 << shift);
    page.setUint8(index >>> 2, others | (status << shift));
  }
}

function applyMultixactOffset(page: DataView, view: DataView, at: number): void {
  page.setUint32(Delta.count.get(view, at) * 4, Delta.word.get(view, at), true);
}

/** `RecordNewMultiXact`: a member's status is a byte in its group's flags. */
function applyMultixactMembers(page: DataView, view: DataView, at: number): void {
  const first = Delta.word.get(view, at);
  const count = Delta.count.get(view, at);
  for (let position = 0; position < count; position += 1) {
    const member = at + Delta.size + position * Member.size;
    const within = (first + position) % memberGroup.members;
    const group = ((first + position - within) / memberGroup.members) * memberGroup.size;
    page.setUint8(group + within, Member.status.get(view, member));
    page.setUint32(group + memberGroup.members + within * 4, Member.xid.get(view, member), true);
  }
}

/** `TransactionIdSetCommitTs`. */
function applyCommitTimestamps(page: DataView, view: DataView, at: number): void {
  const time = CommitTimestampDelta.time.get(view, at);
  const origin = CommitTimestampDelta.origin.get(view, at);
  for (let position = 0; position < CommitTimestampDelta.count.get(view, at); position += 1) {
    const index = view.getUint16(at + CommitTimestampDelta.size + position * indexSize, true);
    CommitTimestamp.time.set(page, index * commitTimestampSize, time);
    CommitTimestamp.origin.set(page, index * commitTimestampSize, origin);
  }
}

function writeDelta(target: DataView, kind: number, count: number): void {
  assert(count <= 0xffff, 'a delta stays within one page');
  Delta.tag.set(target, 0, valueTags.delta);
  Delta.kind.set(target, 0, kind);
  Delta.count.set(target, 0, count);
}
