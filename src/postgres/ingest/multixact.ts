/**
 * The MultiXact resource manager: offsets and members of multixacts
 * (src/backend/access/transam/multixact.c).
 *
 * The offsets page of multixact m holds where m's members begin; they end where the next one's
 * begin, which is why recording m also sets the entry of m + 1. Servers from before that rule leave
 * it to the next record, and zero the next page only then: a page we had to make early is remembered
 * so that its own record does not wipe it.
 */
import { type Lsn } from '../../base/lsn.ts';
import {
  multixactMembersPerPage,
  multixactMembersSize,
  multixactOffsetSize,
  multixactOffsetsPerPage,
  setMember,
  writeMultixactMembers,
  writeMultixactOffset,
} from '../redo/slru.ts';
import { type WalRecord } from '../wal-record.ts';
import { firstMultixact, multixactPrecedes } from '../xid.ts';
import { readPageNumber } from './clog.ts';
import { slruPagesPerSegment } from './slru-store.ts';
import { malformedRecord, unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';

const ops: Readonly<Partial<Record<number, Effect>>> = {
  0x00: zeroOffsetsPage,
  0x10: zeroMembersPage,
  0x20: create,
  0x30: truncate,
};

/** `MultiXactMember`: xid and status. */
const memberSize = 8;
/** `MultiXactStatusUpdate`. */
const statusMax = 5;
const membersPerSegment = multixactMembersPerPage * slruPagesPerSegment;
/** Segment of `MaxMultiXactOffset`. */
const membersSegmentMax = Math.floor(0xffff_ffff / membersPerSegment);

export function ingestMultixact(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

function zeroOffsetsPage(state: IngestState, record: WalRecord): void {
  const page = readPageNumber[state.major](state.data.open(record));
  if (state.offsetsPageMadeEarly !== page) state.multixactOffsets.zero(page, record.end);
  state.offsetsPageMadeEarly = -1;
}

function zeroMembersPage(state: IngestState, record: WalRecord): void {
  const page = readPageNumber[state.major](state.data.open(record));
  state.multixactMembers.zero(page, record.end);
}

function create(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const multi = data.u32();
  const offset = data.u32();
  const members = data.skipCounted(memberSize);
  const count = record.view.getInt32(members, true);
  state.offsetsPageMadeEarly = -1;

  recordOffsets(state, record.end, { multi, offset, count });
  recordMembers(state, record, { offset, members: members + 4, count });
  state.checkpoint.passMultixact((multi + 1) >>> 0, (offset + count) >>> 0);
  for (let each = 0; each < count; each += 1) {
    state.checkpoint.passXid(record.view.getUint32(members + 4 + each * memberSize, true));
  }
}

interface NewMultixact {
  readonly multi: number;
  readonly offset: number;
  readonly count: number;
}

/** `RecordNewMultiXact`, the offsets. */
function recordOffsets(state: IngestState, at: Lsn, { multi, offset, count }: NewMultixact): void {
  const next = Math.max((multi + 1) >>> 0, firstMultixact);
  const nextPage = offsetsPage(next);
  if (nextPage !== offsetsPage(multi) && !state.multixactOffsets.has(nextPage)) {
    state.multixactOffsets.zero(nextPage, at);
    state.offsetsPageMadeEarly = nextPage;
  }
  setOffset(state, at, multi, offset);
  setOffset(state, at, next, Math.max((offset + count) >>> 0, 1)); // offset 0 is never used
}

function setOffset(state: IngestState, at: Lsn, multi: number, offset: number): void {
  const delta = state.scratch.take(multixactOffsetSize);
  writeMultixactOffset(state.scratch.view, multi, offset);
  state.multixactOffsets.put(offsetsPage(multi), at, delta);
}

interface NewMembers {
  readonly offset: number;
  /** Where they stand in the record. */
  readonly members: number;
  readonly count: number;
}

/** `RecordNewMultiXact`, the members: one delta per page. */
function recordMembers(state: IngestState, record: WalRecord, added: NewMembers): void {
  const { view } = record;
  for (let first = 0; first < added.count;) {
    const offset = (added.offset + first) >>> 0;
    const room = Math.min(
      multixactMembersPerPage - (offset % multixactMembersPerPage),
      2 ** 32 - offset, // the last page ends early: offsets wrap around within it
    );
    const count = Math.min(room, added.count - first);
    const delta = state.scratch.take(multixactMembersSize(count));
    writeMultixactMembers(state.scratch.view, offset, count);
    for (let each = 0; each < count; each += 1) {
      const at = added.members + (first + each) * memberSize;
      const status = view.getUint32(at + 4, true);
      if (status > statusMax) throw malformedRecord(record);
      setMember(state.scratch.view, each, view.getUint32(at, true), status);
    }
    const page = Math.floor(offset / multixactMembersPerPage);
    state.multixactMembers.put(page, record.end, delta);
    first += count;
  }
}

/** `XLOG_MULTIXACT_TRUNCATE_ID`. */
function truncate(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const oldestDatabase = data.u32();
  data.skip(4); // startTruncOff: offsets are truncated by what exists
  const oldestMulti = data.u32();
  const startMember = data.u32();
  const endMember = data.u32();
  const fields = state.checkpoint.change();
  fields.oldestMulti = oldestMulti;
  fields.oldestMultiDatabase = oldestDatabase;
  dropMemberSegments(state, record.end, segmentOfMember(startMember), segmentOfMember(endMember));
  truncateOffsets(state, record.end, oldestMulti);
}

/** `PerformMembersTruncation`: the segment `end` may still hold members in use. */
function dropMemberSegments(state: IngestState, at: Lsn, start: number, end: number): void {
  for (let segment = start; segment !== end;) {
    state.multixactMembers.dropSegment(segment, at);
    segment = segment === membersSegmentMax ? 0 : segment + 1;
  }
}

/** `PerformOffsetsTruncation`: by the page of the multixact before, which surely exists. */
function truncateOffsets(state: IngestState, at: Lsn, oldestMulti: number): void {
  const before = oldestMulti === firstMultixact ? 0xffff_ffff : oldestMulti - 1;
  const cutoff = offsetsPage(before);
  const newest = offsetsPage(state.checkpoint.nextMulti);
  if (offsetsPagePrecedes(newest, cutoff)) return; // as SimpleLruTruncate: apparent wraparound
  state.multixactOffsets.truncate(cutoff, at, offsetsPagePrecedes);
}

function offsetsPage(multi: number): number {
  return Math.floor(multi / multixactOffsetsPerPage);
}

function segmentOfMember(offset: number): number {
  return Math.floor(offset / membersPerSegment);
}

/** `MultiXactOffsetPagePrecedes`. */
function offsetsPagePrecedes(a: number, b: number): boolean {
  const firstA = multixactOnPage(a);
  const firstB = multixactOnPage(b);
  const lastB = (firstB + multixactOffsetsPerPage - 1) >>> 0;
  return multixactPrecedes(firstA, firstB) && multixactPrecedes(firstA, lastB);
}

function multixactOnPage(page: number): number {
  return (Math.imul(page, multixactOffsetsPerPage) + firstMultixact + 1) >>> 0;
}
