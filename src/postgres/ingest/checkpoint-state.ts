/**
 * CheckpointState: what a shutdown checkpoint at the current end of WAL must say, so that a Postgres
 * started from it never gives out an xid, oid or multixact again.
 *
 * The stored `checkpoint` value is exact but for xids: its `nextXid` is an upper bound, rewritten when
 * a record passes it, so that a checkpoint is stored at most once per 1024 xids. The bound is a
 * multiple of 1024, which divides the xids of a clog page: a start from it never skips the first xid
 * of a page, the one that makes Postgres create the page.
 */
import { assert } from '../../base/assert.ts';
import { ensure } from '../../base/failure.ts';
import { keyKinds, makeKey } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '../checkpoint.ts';
import { type Major } from '../major.ts';
import { clogXidsPerPage } from '../redo/slru.ts';
import { fullXidBefore, multixactPrecedes, nextFullXidPast, xidOf, xidPrecedes } from '../xid.ts';
import { type Tip } from './tip.ts';

const xidStep = 1_024;
assert(clogXidsPerPage % xidStep === 0, 'a clog page begins at a bound');

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };
export type CheckpointFields = Mutable<Checkpoint>;

export class CheckpointState {
  readonly #major: Major;
  readonly #tip: Tip;
  #fields: CheckpointFields | null = null;
  #nextXid = 0;
  /** The xid passed last; -1 when `nextXid` has been set otherwise since. */
  #passedXid = -1;
  /** `nextXid` as stored: no xid at or past it has been seen. */
  #bound = 0;
  #dirty = false;

  constructor(major: Major, tip: Tip) {
    this.#major = major;
    this.#tip = tip;
  }

  /** The next full xid, exact as far as records tell. */
  get nextXid(): number {
    this.#load();
    return this.#nextXid;
  }

  get nextMulti(): number {
    return this.#load().nextMulti;
  }

  /** Whether commit timestamps are kept: only then is the oldest one known. */
  get keepsCommitTimestamps(): boolean {
    return this.#load().oldestCommitTsXid !== 0;
  }

  /** Changes fields other than `nextXid`; stored by the next `store`. */
  change(): CheckpointFields {
    const fields = this.#load();
    this.#dirty = true;
    return fields;
  }

  /** `AdvanceNextFullTransactionIdPastXid`. */
  passXid(xid: number): void {
    if (xid === this.#passedXid) return; // as most: a transaction's records come in a row
    this.#load();
    this.#nextXid = nextFullXidPast(xid, this.#nextXid);
    this.#passedXid = xid;
  }

  /** The full id of an xid that a record mentions. */
  fullXid(xid: number): number {
    return fullXidBefore(xid, this.nextXid);
  }

  /** A commit timestamp was set. What is stored already allows for every xid below the bound. */
  passCommitTimestamp(xid: number): void {
    const fields = this.#load();
    if (!xidPrecedes(fields.newestCommitTsXid, xid)) return;
    fields.newestCommitTsXid = xid;
    if (this.#bound === this.#nextXid) this.#dirty = true;
  }

  /** Checkpoints of majors before 17 do not say. */
  setWalLevel(level: number): void {
    if (this.#load().walLevel !== null) this.change().walLevel = level;
  }

  setOldestActiveXid(xid: number): void {
    if (this.#load().oldestActiveXid !== xid) this.change().oldestActiveXid = xid;
  }

  /** `MultiXactAdvanceNextMXact`. */
  passMultixact(nextMulti: number, nextOffset: number): void {
    const fields = this.change();
    if (multixactPrecedes(fields.nextMulti, nextMulti)) fields.nextMulti = nextMulti;
    if (multixactPrecedes(fields.nextMultiOffset, nextOffset)) fields.nextMultiOffset = nextOffset;
  }

  /** Xids before `oldestXid` are no longer needed by any database. */
  advanceOldestXid(oldestXid: number, database: number): void {
    if (!xidPrecedes(this.#load().oldestXid, oldestXid)) return;
    const fields = this.change();
    fields.oldestXid = oldestXid;
    fields.oldestXidDatabase = database;
  }

  /** `MultiXactAdvanceOldest`. */
  advanceOldestMultixact(oldestMulti: number, database: number): void {
    if (!multixactPrecedes(this.#load().oldestMulti, oldestMulti)) return;
    const fields = this.change();
    fields.oldestMulti = oldestMulti;
    fields.oldestMultiDatabase = database;
  }

  /** A shutdown checkpoint: its counters are believed exactly. */
  shutDown(checkpoint: Checkpoint): void {
    this.#fields = { ...checkpoint };
    this.#nextXid = checkpoint.nextXid;
    this.#passedXid = -1;
    this.#bound = 0;
    this.#dirty = true;
  }

  /**
   * An online checkpoint: its counters are from before it began, so they are minima, and its
   * `nextOid` is not used at all: oids are tracked by their own records.
   */
  online(checkpoint: Checkpoint): void {
    this.#nextXid = Math.max(this.nextXid, checkpoint.nextXid);
    this.passMultixact(checkpoint.nextMulti, checkpoint.nextMultiOffset);
    this.advanceOldestMultixact(checkpoint.oldestMulti, checkpoint.oldestMultiDatabase);
    this.advanceOldestXid(checkpoint.oldestXid, checkpoint.oldestXidDatabase);
    const fields = this.change();
    fields.redo = checkpoint.redo;
    fields.timelineId = checkpoint.timelineId;
    fields.previousTimelineId = checkpoint.previousTimelineId;
    fields.fullPageWrites = checkpoint.fullPageWrites;
    fields.walLevel = checkpoint.walLevel;
    fields.time_s = checkpoint.time_s;
    fields.oldestActiveXid = checkpoint.oldestActiveXid;
  }

  /** Stores what the record that ends at `at` changed, if anything. */
  store(at: Lsn): void {
    if (!this.#dirty && this.#nextXid <= this.#bound) return;
    if (this.#nextXid > this.#bound) this.#bound = this.#raisedBound();
    this.#dirty = false;
    const key = makeKey(this.#tip.families.id(keyKinds.checkpoint, 0, 0, 0, 0), 0);
    this.#tip.put(key, at, true, encodeCheckpoint(this.#toStore(), this.#major));
  }

  /** Exact right after a shutdown checkpoint, which is where most starts happen. */
  #raisedBound(): number {
    if (this.#bound === 0) return this.#nextXid;
    return Math.ceil(this.#nextXid / xidStep) * xidStep;
  }

  /** Commit timestamps are looked up only to `newestCommitTsXid`: it must not lag behind either. */
  #toStore(): Checkpoint {
    const fields = this.#load();
    const isExact = this.#bound === this.#nextXid || fields.newestCommitTsXid === 0;
    const newestCommitTsXid = isExact ? fields.newestCommitTsXid : xidOf(this.#bound - 1);
    return { ...fields, nextXid: this.#bound, newestCommitTsXid };
  }

  #load(): CheckpointFields {
    if (this.#fields !== null) return this.#fields;
    const key = makeKey(this.#tip.families.id(keyKinds.checkpoint, 0, 0, 0, 0), 0);
    const stored = this.#tip.get(key);
    ensure(stored !== null && stored.length > 0, 'checkpoint_missing');
    const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
    const fields = { ...decodeCheckpoint(view, 0, this.#major) };
    this.#nextXid = fields.nextXid;
    this.#bound = fields.nextXid;
    this.#fields = fields;
    return fields;
  }
}
