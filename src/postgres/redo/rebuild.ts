/**
 * PageRebuilder: makes a page from its versions. The driver of redo: it alone restores images, skips
 * records the page already has, looks up the redo function, and names what went wrong.
 *
 * Nothing is allocated per version; one rebuilder serves one page at a time.
 */
import { AssertionFailed } from '../../base/assert.ts';
import { Failure, ensure, type FailureValues } from '../../base/failure.ts';
import { formatLsn, type Lsn } from '../../base/lsn.ts';
import { PageHeader, isNewPage, pageSize } from '../page.ts';
import { BlockRecord, RecordValue, valueTags } from '../page-value.ts';
import { ImageValue, WalImageValue, restoreImageValue } from '../wal-image.ts';
import { applyFreeSpaceTruncate } from './free-space-map.ts';
import { applyGistSplitFinished } from './gist-page.ts';
import { redoTables } from './redo-tables.ts';
import { slruRedo } from './slru.ts';
import { applyVisibilityClear, applyVisibilityTruncate, pageDeltaKinds } from './visibility-map.ts';

/** The versions of one page that a read collected, 0 being the newest. LSNs are record ends. */
export interface PageVersions {
  readonly count: number;
  lsn(index: number): Lsn;
  chunk(index: number): { readonly bytes: Uint8Array; readonly view: DataView };
  offset(index: number): number;
  /** In bytes. */
  size(index: number): number;
  /** Whether the version is not a page value but a bare page: 8192 bytes, or 0 for all zeros. */
  isPage(index: number): boolean;
}

/** Applies a delta value that starts at `at` in `view`. Deltas apply whatever the page's LSN. */
type DeltaRedo = (page: DataView, view: DataView, at: number, end: Lsn) => void;

/** By the kind in a delta's second byte. */
const deltaRedo: Readonly<Partial<Record<number, DeltaRedo>>> = {
  [pageDeltaKinds.visibilityClear]: applyVisibilityClear,
  [pageDeltaKinds.visibilityTruncate]: applyVisibilityTruncate,
  [pageDeltaKinds.freeSpaceTruncate]: applyFreeSpaceTruncate,
  [pageDeltaKinds.gistSplitFinished]: applyGistSplitFinished,
  ...slruRedo,
};

const blockNumberSize = 4;
/** Tag and kind: what every value has at least. */
const deltaHeadSize = 2;
/** Size in bytes of an `image` value. */
const imageSize = ImageValue.size + pageSize;

export class PageRebuilder {
  readonly #record = new BlockRecord();
  #page: DataView = new DataView(new ArrayBuffer(pageSize));
  #bytes: Uint8Array = new Uint8Array(this.#page.buffer);

  constructor(major: number) {
    this.#record.major = major;
  }

  /**
   * Makes `page` (8192 bytes) from its versions, oldest first. It starts as zeros, which is what a
   * page without any version is. Fails with `redo_failed`, `redo_page_missing`,
   * `redo_record_unknown` or `page_value_invalid`.
   */
  rebuild(page: Uint8Array, versions: PageVersions): void {
    const { count } = versions;
    // A page is laid over all of it.
    if (count === 0 || !versions.isPage(count - 1)) page.fill(0);
    this.update(page, versions);
  }

  /** Applies versions, oldest first, to `page` as it is. Fails as `rebuild` does. */
  update(page: Uint8Array, versions: PageVersions): void {
    this.resume(page);
    for (let index = versions.count - 1; index >= 0; index -= 1) {
      const { bytes, view } = versions.chunk(index);
      const at = versions.offset(index);
      const size = versions.size(index);
      if (versions.isPage(index)) this.#takePage(bytes, at, size);
      else this.apply(view, at, size, versions.lsn(index));
    }
  }

  /** Goes on with `page` as it is: the following `apply` calls change it. `view` is of its bytes. */
  resume(page: Uint8Array, view = viewOf(page)): void {
    ensure(page.length === pageSize, 'page_value_invalid', { size: page.length });
    this.#bytes = page;
    this.#page = view;
  }

  /** Applies the page value of `size` bytes at `at` in `view`, whose record ends at `end`. */
  apply(view: DataView, at: number, size: number, end: Lsn): void {
    // Failures are built only when they happen: their values cost more than the check.
    if (size < deltaHeadSize)
      throw new Failure('page_value_invalid', { size, lsn: formatLsn(end) });
    const tag = view.getUint8(at);
    switch (tag) {
      case valueTags.record:
        this.#applyRecord(view, at, size, end);
        return;
      case valueTags.delta:
        this.#applyDelta(view, at, end);
        return;
      case valueTags.image:
        this.#applyImage(view, at, size);
        return;
      case valueTags.walImage:
        this.#applyWalImage(view, at, size, end);
        return;
      default:
        throw new Failure('page_value_invalid', { tag, lsn: formatLsn(end) });
    }
  }

  #takePage(bytes: Uint8Array, at: number, size: number): void {
    ensure(size === 0 || size === pageSize, 'page_value_invalid', { size });
    if (size === 0) this.#bytes.fill(0);
    else this.#bytes.set(bytes.subarray(at, at + size));
  }

  #applyImage(view: DataView, at: number, size: number): void {
    ensure(size === imageSize, 'page_value_invalid', { size });
    const begin = view.byteOffset + at + ImageValue.size;
    this.#bytes.set(new Uint8Array(view.buffer, begin, pageSize));
  }

  /** As Postgres restores one: whatever the page was, stamped unless it comes out new. */
  #applyWalImage(view: DataView, at: number, size: number, end: Lsn): void {
    if (size < WalImageValue.size)
      throw new Failure('page_value_invalid', { size, lsn: formatLsn(end) });
    restoreImageValue(view, at, at + size, this.#page);
    if (!isNewPage(this.#page)) PageHeader.lsn.set(this.#page, 0, end);
  }

  #applyDelta(view: DataView, at: number, end: Lsn): void {
    const kind = view.getUint8(at + 1);
    const redo = deltaRedo[kind];
    if (redo === undefined)
      throw new Failure('redo_record_unknown', { delta: kind, lsn: formatLsn(end) });
    try {
      redo(this.#page, view, at, end);
    } catch (error) {
      throw redoFailed({ delta: kind, lsn: formatLsn(end) }, error, 'redo_failed');
    }
  }

  /** As `XLogReadBufferForRedo`: a page that is at or past the record has it already. */
  #applyRecord(view: DataView, at: number, size: number, end: Lsn): void {
    const record = this.#record;
    if (recordSize(view, at, size) !== size)
      throw new Failure('page_value_invalid', { size, lsn: formatLsn(end) });
    record.moveTo(view, at, end);
    if (record.willInit) this.#bytes.fill(0);
    if (PageHeader.lsn.get(this.#page, 0) >= end) return;
    const table = redoTables[record.rmgr];
    const redo = table?.redo[record.info & table.opMask];
    if (redo === undefined) throw new Failure('redo_record_unknown', describe(record));
    try {
      redo(this.#page, record);
    } catch (error) {
      const missing = !record.willInit && isNewPage(this.#page) && !isMalformed(error);
      throw redoFailed(describe(record), error, missing ? 'redo_page_missing' : 'redo_failed');
    }
  }
}

function viewOf(page: Uint8Array): DataView {
  return new DataView(page.buffer, page.byteOffset, page.length);
}

/** What the header of the record value at `at` says its size is; more than `size` if it has none. */
function recordSize(view: DataView, at: number, size: number): number {
  if (size < RecordValue.size) return RecordValue.size;
  const blocks = RecordValue.blockCount.get(view, at) * blockNumberSize;
  const data = RecordValue.dataSize.get(view, at) + RecordValue.mainSize.get(view, at);
  return RecordValue.size + blocks + data;
}

function describe(record: BlockRecord): FailureValues {
  const { rmgr, info, blockId } = record;
  const name = redoTables[rmgr]?.name ?? rmgr;
  const block = record.hasBlock(blockId) ? record.blockNumber(blockId) : null;
  return { rmgr: name, info, lsn: formatLsn(record.end), block };
}

function isMalformed(error: unknown): boolean {
  return error instanceof Failure && error.code === 'redo_record_malformed';
}

/** A wrong page or record shows as any error, also a RangeError; our own mistakes stay ours. */
function redoFailed(
  values: FailureValues,
  error: unknown,
  code: 'redo_failed' | 'redo_page_missing',
): unknown {
  return error instanceof AssertionFailed ? error : new Failure(code, values, error);
}
