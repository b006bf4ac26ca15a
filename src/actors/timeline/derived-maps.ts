/**
 * DerivedMaps: free-space maps of heaps as if they had been kept up: stored pages, over which is laid
 * what is free by now on the heap blocks that have changed since
 * (docs/decisions/0017-free-space-map-at-read.md).
 *
 * Owns:    the pages derived last, from which the next reading goes on; few.
 * Promise: a page is of one LSN, that of the reading's begin.
 * Never:   does much in one go: a reading is a generator, and when it yields, everything else has its
 *          turn. Meanwhile it holds no layer, only the store and the LSN.
 *
 * A bottom page follows from heap pages; an upper one, in a small map, from the pages below it. Maps of
 * indexes come as they are stored: no page of an index shows whether it is in use.
 */
import { makeKey, type FamilyId, type Key, type KeyFamily } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { changes, hasChanged, markChanged } from '../../layers/changed-blocks.ts';
import { isNewPage, PageHeader, pageSize } from '../../postgres/page.ts';
import {
  clearFreeSpaceSlots,
  freeSpaceMapBlock,
  freeSpacePlace,
  heapPageCategory,
  largestFreeSpace,
  rebuildFreeSpaceTree,
  setFreeSpaceSlot,
  slotsPerFreeSpacePage,
} from '../../postgres/redo/free-space-map.ts';
import { relationForks } from '../../postgres/relation-path.ts';
import { type TimelineStore } from './store.ts';

/** Heap pages rebuilt in one go, within a millisecond. Other work is counted in them: */
const pagesPerSlice = 16;
const searchesPerPage = 64;
const segmentsPerPage = 8;
const searchedAtOnce = pagesPerSlice * searchesPerPage;
/** Heap pages that one request has rebuilt, or whoever waits for it would give up. */
const rebuiltMax = 32_768;
/** Where a small map has its one inner page, and from where on its bottom pages. */
const innerBlock = 1;
const firstBottomBlock = freeSpaceMapBlock(0);
/** The upper pages of a map with more than eight bottom pages come as they are stored. */
const smallMap_blocks = firstBottomBlock + 8;
const keptMax = 64;

/** Consecutive pages of a relation's map. */
export interface MapRequest {
  readonly family: KeyFamily;
  readonly firstBlock: number;
}

/** A page of a map, as of an LSN. */
interface MapPage {
  readonly bytes: Uint8Array;
  readonly at: Lsn;
  /** It is another than was stored whole: what stands above it may be wrong. */
  readonly isDerived: boolean;
}

/** Pages of one store's maps, those used last at the end. */
type KeptPages = Map<Key, MapPage>;

export class DerivedMaps {
  readonly #kept: KeptPages = new Map();
  #store: TimelineStore | null = null;

  /**
   * Fills `target` with pages of a map. Whenever it goes on, the store must still be on the shelf, and
   * whole. Fails as a read of the heap does; then the map can still be read as it is stored.
   */
  *read(
    store: TimelineStore,
    { family, firstBlock }: MapRequest,
    target: Uint8Array,
  ): Generator<undefined, void> {
    if (this.#store !== store) this.#kept.clear();
    this.#store = store;
    const reading = new MapReading(store, family, this.#kept);
    for (let index = 0; index * pageSize < target.length; index += 1) {
      const { bytes } = yield* reading.page(firstBlock + index);
      target.set(bytes, index * pageSize);
    }
  }
}

/** What one request derives. */
class MapReading {
  readonly #store: TimelineStore;
  readonly #at: Lsn;
  readonly #map: FamilyId;
  readonly #heap: FamilyId;
  readonly #heapBlocks: number;
  readonly #mapBlocks: number;
  readonly #isHeap: boolean;
  readonly #kept: KeptPages;
  readonly #pages = new Uint8Array(pagesPerSlice * pageSize);
  #rebuiltLeft = rebuiltMax;
  /** Since the last yield, in heap pages. */
  #work = 0;

  constructor(store: TimelineStore, family: KeyFamily, kept: KeptPages) {
    const heap = { ...family, fork: relationForks.main };
    this.#store = store;
    this.#at = store.ingestedLsn;
    this.#map = store.families.idOf(family);
    this.#heap = store.families.idOf(heap);
    this.#heapBlocks = store.blocksAt(heap, this.#at);
    this.#mapBlocks = store.blocksAt(family, this.#at);
    this.#isHeap = this.#heapBlocks > 0 && this.#beginsAsHeap();
    this.#kept = kept;
  }

  *page(block: number): Generator<undefined, MapPage> {
    const key = makeKey(this.#map, block);
    const kept = this.#kept.get(key);
    if (kept?.at === this.#at) return kept;
    const { level, page } = freeSpacePlace(block);
    return level === 0 ? yield* this.#bottomPage(key, page) : yield* this.#upperPage(key, level);
  }

  /** An index begins with its metapage or root, which has a special space. */
  #beginsAsHeap(): boolean {
    const page = this.#pages.subarray(0, pageSize);
    this.#store.readPage(makeKey(this.#heap, 0), this.#at, page);
    const view = viewOf(page);
    return !isNewPage(view) && PageHeader.special.get(view, 0) === pageSize;
  }

  /** Goes on from the page derived before, unless the map was stored or truncated since. */
  *#bottomPage(key: Key, page: number): Generator<undefined, MapPage> {
    const bytes = new Uint8Array(pageSize);
    const { stored, newest } = this.#store.readAgedPage(key, this.#at, bytes);
    const asStored = { bytes, at: this.#at, isDerived: newest > stored };
    if (!this.#isHeap) return asStored;
    const kept = this.#kept.get(key);
    const goesOn = kept !== undefined && newest <= kept.at && kept.at <= this.#at;
    const first = page * slotsPerFreeSpacePage;
    const count = Math.min(slotsPerFreeSpacePage, Math.max(0, this.#heapBlocks - first));
    const marks = new Uint8Array(count);
    // The record that made a page of a map may have changed the heap, too.
    const changed = yield* this.#markChanged(first, goesOn ? kept.at : stored - 1, marks);
    if (changed > this.#rebuiltLeft) return asStored;
    this.#rebuiltLeft -= changed;
    const base = goesOn ? kept : asStored;
    const derived = { ...base, bytes: base.bytes.slice(), at: this.#at };
    const view = viewOf(derived.bytes);
    const isBeyond = clearFreeSpaceSlots(view, count);
    const isWithin = yield* this.#setChanged(view, first, marks);
    if (isBeyond || isWithin) {
      rebuildFreeSpaceTree(view);
      derived.isDerived = true;
    }
    return this.#keep(key, derived);
  }

  /** A slot is wrong where the page below it was derived; the others are as Postgres left them. */
  *#upperPage(key: Key, level: number): Generator<undefined, MapPage> {
    const bytes = new Uint8Array(pageSize);
    this.#store.readPage(key, this.#at, bytes);
    const asStored = { bytes, at: this.#at, isDerived: false };
    const below = this.#pagesBelow(level);
    if (!this.#isHeap || this.#mapBlocks > smallMap_blocks) return asStored;
    const view = viewOf(bytes);
    const isNew = isNewPage(view);
    let isOther = clearFreeSpaceSlots(view, below);
    for (let slot = 0; slot < below; slot += 1) {
      const page = yield* this.page(level === 2 ? innerBlock : firstBottomBlock + slot);
      if (!page.isDerived && !isNew) continue;
      isOther = setFreeSpaceSlot(view, slot, largestFreeSpace(viewOf(page.bytes))) || isOther;
    }
    if (isOther) rebuildFreeSpaceTree(view);
    return this.#keep(key, { bytes, at: this.#at, isDerived: isOther });
  }

  /** How many pages a small map has below its root or below its inner page. */
  #pagesBelow(level: number): number {
    if (level === 2) return this.#mapBlocks > innerBlock ? 1 : 0;
    const bottomPages = Math.ceil(this.#heapBlocks / slotsPerFreeSpacePage);
    return Math.max(0, Math.min(bottomPages, this.#mapBlocks - firstBottomBlock));
  }

  /** Marks the heap blocks from `first` on that have changed since `above`; says how many did. */
  *#markChanged(first: number, above: number, marks: Uint8Array): Generator<undefined, number> {
    const limits = { above, atOrBelow: this.#at };
    for (let slot = 0; slot < marks.length; slot += searchedAtOnce) {
      const some = marks.subarray(slot, slot + searchedAtOnce);
      const key = makeKey(this.#heap, first + slot);
      markChanged({ map: this.#store.map, first: key, limits }, some);
      if (this.#endsSlice(some.length / searchesPerPage)) yield;
    }
    let changed = 0;
    for (let slot = 0; slot < marks.length; slot += 1) {
      if (marks[slot] === changes.perhaps) {
        const key = makeKey(this.#heap, first + slot);
        const has = hasChanged({ map: this.#store.map, first: key, limits });
        marks[slot] = has ? changes.certain : changes.none;
        if (this.#endsSlice(1 / segmentsPerPage)) yield;
      }
      if (marks[slot] === changes.certain) changed += 1;
    }
    return changed;
  }

  /** Sets the slots of marked blocks to what is free on them; says whether one was another. */
  *#setChanged(view: DataView, first: number, marks: Uint8Array): Generator<undefined, boolean> {
    let isOther = false;
    for (let slot = 0; slot < marks.length;) {
      const count = markedFrom(marks, slot);
      const pages = this.#pages.subarray(0, count * pageSize);
      if (count > 0) this.#store.readPages(makeKey(this.#heap, first + slot), this.#at, pages);
      for (let index = 0; index < count; index += 1) {
        const page = viewOf(pages.subarray(index * pageSize, (index + 1) * pageSize));
        isOther = setFreeSpaceSlot(view, slot + index, heapPageCategory(page)) || isOther;
      }
      slot += Math.max(1, count);
      if (this.#endsSlice(count)) yield;
    }
    return isOther;
  }

  /** Counts work; whether it is time for others. */
  #endsSlice(pages: number): boolean {
    this.#work += pages;
    if (this.#work < pagesPerSlice) return false;
    this.#work = 0;
    return true;
  }

  #keep(key: Key, page: MapPage): MapPage {
    this.#kept.delete(key);
    this.#kept.set(key, page);
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value!);
    return page;
  }
}

/** How many slots are marked from one on, up to a slice. */
function markedFrom(marks: Uint8Array, slot: number): number {
  const end = Math.min(marks.length, slot + pagesPerSlice);
  let at = slot;
  while (at < end && marks[at] !== changes.none) at += 1;
  return at - slot;
}

function viewOf(page: Uint8Array): DataView {
  return new DataView(page.buffer, page.byteOffset, page.length);
}
