/**
 * SlruStore: the pages of one SLRU (pg_xact, pg_multixact/…, pg_commit_ts) on a timeline, by page
 * number as records count them: 32 pages make a segment (src/backend/access/transam/slru.c).
 */
import { keyKinds, type FamilyId } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { keyFamily } from '../../base/key.ts';
import { type BlockStore } from './block-store.ts';
import { type Tip } from './tip.ts';

/** `SLRU_PAGES_PER_SEGMENT`. */
export const slruPagesPerSegment = 32;

/** Which SLRU: the `tablespace` of slruBlock and slruSize keys. */
export const slruKinds = {
  clog: 0,
  multixactMembers: 1,
  multixactOffsets: 2,
  commitTimestamps: 3,
} as const;
export type SlruKind = (typeof slruKinds)[keyof typeof slruKinds];

/** Whether page `a` is logically older than page `b`, all of it. */
export type PagePrecedes = (a: number, b: number) => boolean;

export class SlruStore {
  readonly #kind: SlruKind;
  readonly #tip: Tip;
  readonly #blocks: BlockStore;

  constructor(kind: SlruKind, tip: Tip, blocks: BlockStore) {
    this.#kind = kind;
    this.#tip = tip;
    this.#blocks = blocks;
  }

  /** Whether the page is within its segment's size. */
  has(page: number): boolean {
    return blockOf(page) < this.#blocks.size(this.#segment(segmentOf(page)));
  }

  /** Stores a delta of the page. A page that does not exist is made, as `SlruPhysicalReadPage` does. */
  put(page: number, at: Lsn, delta: Uint8Array): void {
    this.#blocks.put(this.#segment(segmentOf(page)), blockOf(page), at, false, delta);
  }

  zero(page: number, at: Lsn): void {
    this.#blocks.zero(this.#segment(segmentOf(page)), at, blockOf(page));
  }

  dropSegment(segment: number, at: Lsn): void {
    this.#blocks.drop(this.#segment(segment), at);
  }

  dropAll(at: Lsn): void {
    for (const segment of this.#liveSegments()) this.dropSegment(segment, at);
  }

  /** `SimpleLruTruncate`: drops the segments all of whose pages precede the page `cutoff`. */
  truncate(cutoff: number, at: Lsn, precedes: PagePrecedes): void {
    for (const segment of this.#liveSegments()) {
      const first = segment * slruPagesPerSegment;
      const last = first + slruPagesPerSegment - 1;
      if (precedes(first, cutoff) && precedes(last, cutoff)) this.dropSegment(segment, at);
    }
  }

  /** Taken whole before any is dropped. */
  #liveSegments(): readonly number[] {
    const keys = [...this.#tip.liveKeys(keyKinds.slruSize, this.#kind, 0)];
    return keys.map((key) => this.#tip.families.family(keyFamily(key)).relation);
  }

  #segment(segment: number): FamilyId {
    return this.#tip.families.id(keyKinds.slruBlock, this.#kind, 0, segment, 0);
  }
}

function segmentOf(page: number): number {
  return Math.floor(page / slruPagesPerSegment);
}

function blockOf(page: number): number {
  return page % slruPagesPerSegment;
}
