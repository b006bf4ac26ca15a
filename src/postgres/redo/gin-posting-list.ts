/**
 * Compressed posting lists, the segments of a posting tree's leaf
 * (src/backend/access/gin/ginpostinglist.c): the first TID in full, each further one as its distance
 * from the one before, 7 bits to a byte and the lowest first.
 *
 * A TID is the number `block * 2048 + position`, as in C, where it is a 64-bit integer; 43 bits are
 * in use, so that a number holds it.
 */
import { Failure, ensure } from '../../base/failure.ts';
import { struct, u16 } from '../../base/struct.ts';
import { pageSize } from '../page.ts';
import { tidSize } from './index-tuple.ts';

/** `ItemPointerData`. */
export const GinTid = struct({ blockHigh: u16, blockLow: u16, position: u16 }, { size: 6 });
/** `GinPostingList`; `byteCount` bytes of distances follow, and padding to 2. */
export const PostingList = struct(
  { blockHigh: u16, blockLow: u16, position: u16, byteCount: u16 },
  { size: 8 },
);

/** `MaxHeapTuplesPerPageBits`. */
const positionBits = 11;
const positions = 1 << positionBits;
const tidEnd = 2 ** (32 + positionBits);
/** `MaxBytesPerInteger`. */
const distanceBytesMax = 7;
const lowBits = 0x7f;
const moreFollows = 0x80;

/**
 * `SizeOfGinPostingList`, in bytes, of the list at `at`; fails unless all of it is before `end`.
 */
export function postingListSize(view: DataView, at: number, end: number): number {
  const size = at + PostingList.size <= end ? sizeOf(PostingList.byteCount.get(view, at)) : 0;
  if (size === 0 || at + size > end)
    throw new Failure('redo_page_unexpected', { listAt: at, size, end });
  return size;
}

function sizeOf(byteCount: number): number {
  return PostingList.size + ((byteCount + 1) & ~1);
}

/** Reads TIDs one by one: `done`, or the current one is `tid`. */
export interface TidCursor {
  readonly done: boolean;
  readonly tid: number;
  advance(): void;
}

/** `ginPostingListDecode`, as a cursor. */
export class PostingListReader implements TidCursor {
  done = true;
  tid = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #end = 0;

  /** Stands at the first TID of the list at `at`, all of which is there. */
  moveTo(view: DataView, at: number): void {
    this.#view = view;
    this.#at = at + PostingList.size;
    this.#end = this.#at + PostingList.byteCount.get(view, at);
    this.tid = readTid(view, at);
    this.done = false;
  }

  advance(): void {
    this.done = this.#at >= this.#end;
    if (!this.done) this.tid += this.#readDistance();
  }

  /** `decode_varbyte`. */
  #readDistance(): number {
    let distance = 0;
    let unit = 1;
    for (let count = 0; count < distanceBytesMax && this.#at < this.#end; count += 1) {
      const byte = this.#view.getUint8(this.#at);
      this.#at += 1;
      distance += (byte & lowBits) * unit;
      if ((byte & moreFollows) === 0) return distance;
      unit *= moreFollows;
    }
    throw new Failure('redo_page_unexpected', { distance });
  }
}

/** Reads an array of TIDs as they are in a record or on an uncompressed page. */
export class TidArrayReader implements TidCursor {
  done = true;
  tid = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #end = 0;

  /** Stands at the first of the `count` TIDs from `at` on. */
  moveTo(view: DataView, at: number, count: number): void {
    this.#view = view;
    this.#at = at - tidSize;
    this.#end = at + count * tidSize;
    this.advance();
  }

  advance(): void {
    this.#at += tidSize;
    this.done = this.#at >= this.#end;
    if (!this.done) this.tid = readTid(this.#view, this.#at);
  }
}

/** `ginCompressPostingList`: TIDs, given in ascending order, become a list at the view's begin. */
export class PostingListWriter {
  readonly view = new DataView(new ArrayBuffer(pageSize));
  #last = 0;
  #at = 0;

  begin(): void {
    this.#at = 0;
  }

  /** Appends a TID. Fails when it does not ascend or the list outgrows a page. */
  put(tid: number): void {
    const isFirst = this.#at === 0;
    const sane = tid < tidEnd && (isFirst || tid > this.#last);
    if (!sane) throw new Failure('redo_page_unexpected', { tid, last: this.#last });
    if (isFirst) this.#putFirst(tid);
    else this.#putDistance(tid - this.#last);
    this.#last = tid;
  }

  /** Ends the list, of one TID at least, and returns its size in bytes. */
  finish(): number {
    ensure(this.#at !== 0, 'redo_page_unexpected', { tids: 0 });
    const byteCount = this.#at - PostingList.size;
    const size = sizeOf(byteCount);
    if (size !== this.#at) this.view.setUint8(this.#at, 0);
    PostingList.byteCount.set(this.view, 0, byteCount);
    return size;
  }

  #putFirst(tid: number): void {
    const block = Math.floor(tid / positions);
    PostingList.blockHigh.set(this.view, 0, block >>> 16);
    PostingList.blockLow.set(this.view, 0, block & 0xffff);
    PostingList.position.set(this.view, 0, tid % positions);
    this.#at = PostingList.size;
  }

  /** `encode_varbyte`. */
  #putDistance(distance: number): void {
    ensure(this.#at + distanceBytesMax <= pageSize, 'page_full', { size: this.#at });
    let rest = distance;
    for (; rest > lowBits; rest = Math.floor(rest / moreFollows)) {
      this.view.setUint8(this.#at, moreFollows | (rest % moreFollows));
      this.#at += 1;
    }
    this.view.setUint8(this.#at, rest);
    this.#at += 1;
  }
}

/** `ginMergeItemPointers`: writes the TIDs of both, each once. */
export function mergeTids(first: TidCursor, second: TidCursor, writer: PostingListWriter): void {
  while (!first.done || !second.done) {
    const takesFirst = second.done || (!first.done && first.tid <= second.tid);
    const tid = takesFirst ? first.tid : second.tid;
    writer.put(tid);
    if (!first.done && first.tid === tid) first.advance();
    if (!second.done && second.tid === tid) second.advance();
  }
}

function readTid(view: DataView, at: number): number {
  const block = GinTid.blockHigh.get(view, at) * 0x1_0000 + GinTid.blockLow.get(view, at);
  return block * positions + GinTid.position.get(view, at);
}
