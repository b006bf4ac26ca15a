/**
 * Leaves of posting trees: pages of compressed posting lists, called segments, and what records do
 * to them (`ginRedoRecompress` in src/backend/access/gin/ginxlog.c).
 *
 * A record lists actions, each of which names a segment by its number on the old page. From the first
 * one that changes a segment on, what follows is copied aside: the page is written from there on.
 */
import { Failure, ensure } from '../../base/failure.ts';
import { struct, u16, u8 } from '../../base/struct.ts';
import { PageHeader, pageSize } from '../page.ts';
import { tidSize } from './index-tuple.ts';
import {
  GinOpaque,
  ensureGinKind,
  ginDataAt,
  ginFlags,
  ginOpaqueAt,
  setGinDataSize,
} from './gin-page.ts';
import {
  PostingListReader,
  PostingListWriter,
  TidArrayReader,
  mergeTids,
  postingListSize,
} from './gin-posting-list.ts';
import { copyBytes } from './page-bytes.ts';

/** `ginxlogRecompressDataLeaf`; the actions follow. */
export const GinRecompress = struct({ actionCount: u16 }, { size: 2 });
/** `ginxlogSegmentAction`; what it needs follows. */
export const SegmentAction = struct({ segment: u8, kind: u8 }, { size: 2 });
/** What precedes the TIDs of `GIN_SEGMENT_ADDITEMS`. */
const AddedItems = struct({ count: u16 }, { size: 2 });

/** `GIN_SEGMENT_*`. */
export const segmentActions = { delete: 1, insert: 2, replace: 3, addItems: 4 } as const;

const isPostingLeaf = ginFlags.data | ginFlags.leaf;

/** A leaf while it changes: segments are read at `#read`, and written at `#write`. */
class LeafEditor {
  readonly #tail = new DataView(new ArrayBuffer(pageSize));
  readonly #old = new PostingListReader();
  readonly #added = new TidArrayReader();
  readonly #merged = new PostingListWriter();
  #page: DataView = this.#tail;
  /** What the segments are read from: the page, then the copy of its tail. */
  #source: DataView = this.#tail;
  #read = 0;
  #end = 0;
  #write = 0;
  /** Number of the segment at `#read`. */
  #segment = 0;

  begin(page: DataView): void {
    const end = PageHeader.lower.get(page, 0);
    ensure(end >= ginDataAt && end <= ginOpaqueAt, 'redo_page_unexpected', { lower: end });
    this.#page = page;
    this.#source = page;
    this.#read = ginDataAt;
    this.#write = ginDataAt;
    this.#end = end;
    this.#segment = 0;
  }

  /** Keeps the segments before number `segment`. */
  skipTo(segment: number): void {
    ensure(segment >= this.#segment, 'redo_record_malformed', { segment, next: this.#segment });
    for (; this.#segment < segment; this.#segment += 1) this.#keep(this.#segmentSize());
  }

  delete(): void {
    const size = this.#segmentSize();
    this.#copyTail();
    this.#read += size;
    this.#segment += 1;
  }

  /** Puts the `size` bytes at `from` in `view` before the segment. */
  insert(view: DataView, from: number, size: number): void {
    this.#copyTail();
    this.#put(view, from, size);
  }

  replace(view: DataView, from: number, size: number): void {
    this.delete();
    this.#put(view, from, size);
  }

  /** Adds the `count` TIDs at `from` in `view`, in ascending order, to the segment. */
  addItems(view: DataView, from: number, count: number): void {
    this.#segmentSize();
    this.#old.moveTo(this.#source, this.#read);
    this.#added.moveTo(view, from, count);
    this.#merged.begin();
    mergeTids(this.#added, this.#old, this.#merged);
    this.replace(this.#merged.view, 0, this.#merged.finish());
  }

  /** Keeps all other segments. */
  finish(): void {
    this.#keep(this.#end - this.#read);
    setGinDataSize(this.#page, this.#write - ginDataAt);
  }

  #segmentSize(): number {
    return postingListSize(this.#source, this.#read, this.#end);
  }

  /** The next `size` bytes stay; if they have to move, they move. */
  #keep(size: number): void {
    if (this.#source === this.#page) this.#write += size;
    else this.#put(this.#source, this.#read, size);
    this.#read += size;
  }

  #put(view: DataView, from: number, size: number): void {
    if (this.#write + size > ginOpaqueAt) throw new Failure('page_full', { size });
    copyBytes(this.#page, this.#write, view, from, size);
    this.#write += size;
  }

  /** From here on the page is written, so that what follows must be read elsewhere. */
  #copyTail(): void {
    if (this.#source !== this.#page) return;
    const size = this.#end - this.#read;
    copyBytes(this.#tail, 0, this.#page, this.#read, size);
    this.#source = this.#tail;
    this.#read = 0;
    this.#end = size;
  }
}

const editor = new LeafEditor();
const array = new TidArrayReader();
const nothing = new TidArrayReader();
const list = new PostingListWriter();

/**
 * `ginRedoRecompress`: applies the `GinRecompress` of a record, between `at` and `end` in `view`, to a
 * leaf of a posting tree.
 */
export function recompressLeaf(page: DataView, view: DataView, at: number, end: number): void {
  ensureGinKind(page, isPostingLeaf, isPostingLeaf);
  ensureBytes(at, GinRecompress.size, end);
  const flags = GinOpaque.flags.get(page, ginOpaqueAt);
  if ((flags & ginFlags.compressed) === 0) compressLeaf(page);

  editor.begin(page);
  const count = GinRecompress.actionCount.get(view, at);
  let action = at + GinRecompress.size;
  for (let done = 0; done < count; done += 1) action = takeAction(view, action, end);
  editor.finish();
}

/** Applies the action at `at`; returns where the next one is. */
function takeAction(view: DataView, at: number, end: number): number {
  ensureBytes(at, SegmentAction.size, end);
  const kind = SegmentAction.kind.get(view, at);
  const from = at + SegmentAction.size;
  editor.skipTo(SegmentAction.segment.get(view, at));
  switch (kind) {
    case segmentActions.delete:
      editor.delete();
      return from;
    case segmentActions.insert:
      editor.insert(view, from, postingListSize(view, from, end));
      return from + postingListSize(view, from, end);
    case segmentActions.replace:
      editor.replace(view, from, postingListSize(view, from, end));
      return from + postingListSize(view, from, end);
    case segmentActions.addItems:
      return takeItems(view, from, end);
    default:
      throw new Failure('redo_record_malformed', { action: kind });
  }
}

function takeItems(view: DataView, at: number, end: number): number {
  ensureBytes(at, AddedItems.size, end);
  const count = AddedItems.count.get(view, at);
  const items = at + AddedItems.size;
  ensureBytes(items, count * tidSize, end);
  editor.addItems(view, items, count);
  return items + count * tidSize;
}

/** A leaf as it was before 9.4, an array of TIDs, becomes one of a single segment. */
function compressLeaf(page: DataView): void {
  const count = GinOpaque.itemCount.get(page, ginOpaqueAt);
  ensure(ginDataAt + count * tidSize <= ginOpaqueAt, 'redo_page_unexpected', { count });
  array.moveTo(page, ginDataAt, count);
  let size = 0;
  if (count > 0) {
    list.begin();
    mergeTids(array, nothing, list);
    size = list.finish();
    copyBytes(page, ginDataAt, list.view, 0, size);
  }
  setGinDataSize(page, size);
  const flags = GinOpaque.flags.get(page, ginOpaqueAt);
  GinOpaque.flags.set(page, ginOpaqueAt, flags | ginFlags.compressed);
  GinOpaque.itemCount.set(page, ginOpaqueAt, 0);
}

function ensureBytes(at: number, size: number, end: number): void {
  if (at + size > end) throw new Failure('redo_record_malformed', { at, size, end });
}
