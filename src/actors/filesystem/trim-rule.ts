/**
 * TrimRule: which written pages storage can rebuild. Pure.
 *
 * WAL does not carry everything a page holds while a transaction runs (command ids, index builds that
 * log at their end). So a written page may go when, for two samples S1 and then S2 (or S1 twice), it
 * was written before S1, every transaction of S1 has ended by S2 (`xmin(S2) >= nextXid(S1)`), and the
 * timeline has ingested what S2 had inserted: the records that ended those transactions are in it.
 */
import { type Lsn } from '../../base/lsn.ts';
import { PageHeader, pageSize } from '../../postgres/page.ts';
import { type SampleTaken } from './protocol.ts';

/** Blocks with a stamp at or before `mark` may go, once reads ask for `floor` or later. */
export interface TrimLimit {
  readonly mark: number;
  readonly floor: Lsn;
}

/** Samples that wait for their transactions to end; more are not needed, the oldest end first. */
const pendingMax = 64;

export class TrimRule {
  #pending: SampleTaken[] = [];
  /** Limits that wait for the timeline. */
  #ending: TrimLimit[] = [];
  #last: SampleTaken | null = null;
  #limit: TrimLimit | null = null;

  /** The furthest limit so far; null until there is one. */
  get limit(): TrimLimit | null {
    return this.#limit;
  }

  /** Samples come in the order they were taken; one that does not is ignored. */
  add(sample: SampleTaken): void {
    if (this.#last !== null && sample.insertLsn < this.#last.insertLsn) return;
    this.#last = sample;
    this.#pending.push(sample);
    const ended = this.#pending.filter((one) => one.nextXid <= sample.xmin);
    if (ended.length > 0) {
      this.#ending.push({ mark: ended.at(-1)!.writeMark, floor: sample.insertLsn });
      this.#pending = this.#pending.filter((one) => one.nextXid > sample.xmin);
    }
    if (this.#pending.length > pendingMax) this.#pending.pop();
    const ingested = this.#ending.filter((limit) => limit.floor <= sample.ingestedLsn);
    this.#limit = ingested.at(-1) ?? this.#limit;
    this.#ending = this.#ending.filter((limit) => limit.floor > sample.ingestedLsn);
  }
}

/** How many writes `stamp` is before `mark`; null when it is after. Both count modulo 2^32. */
export function stampAge(stamp: number, mark: number): number | null {
  const age = (mark - stamp) >>> 0;
  return age < 2 ** 31 ? age : null;
}

/** `GistBuildLSN`, src/include/access/gist.h: what an unfinished index build puts on its pages. */
const buildLsn = 1;
/** `sizeof(BTPageOpaqueData)`. GiST's and hash's special areas have the same size. */
const btreeSpecial_bytes = 16;
/** `MAX_BT_CYCLE_ID`, src/include/access/nbtree.h; page ids of other index kinds are above it. */
const cycleIdMax = 0xff7f;

/** A sequence's special area: `SEQ_MAGIC`, src/backend/commands/sequence.c, padded to 8. */
const sequenceSpecial_bytes = 8;
const sequenceMagic = 0x1717;

/**
 * Pages that WAL cannot give back: never logged (LSN 0 or 1); a B-tree page that a running VACUUM
 * recognises by its cycle id, which redo clears; or a sequence, logged up to 32 values ahead.
 */
export function pageMustStay(page: DataView): boolean {
  if (PageHeader.lsn.get(page, 0) <= buildLsn) return true;
  if (isSequence(page)) return true;
  if (PageHeader.special.get(page, 0) !== pageSize - btreeSpecial_bytes) return false;
  const cycleId = page.getUint16(pageSize - 2, true);
  return cycleId !== 0 && cycleId <= cycleIdMax;
}

function isSequence(page: DataView): boolean {
  const special = pageSize - sequenceSpecial_bytes;
  if (PageHeader.special.get(page, 0) !== special) return false;
  return page.getUint32(special, true) === sequenceMagic;
}
