/** Builders for tests of free-space maps: a heap whose pages have just so much room, and its map. */
import { keyKinds, type FamilyId, type KeyFamily } from '../../../src/base/key.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { DerivedMaps } from '../../../src/actors/timeline/derived-maps.ts';
import { families } from '../../../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../../../src/actors/timeline/store.ts';
import { BlockStore } from '../../../src/postgres/ingest/block-store.ts';
import { initPage, PageHeader, pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import {
  freeSpaceMapBlock,
  freeSpaceSlot,
  freeSpaceTruncateSize,
  rebuildFreeSpaceTree,
  setFreeSpaceSlot,
  slotsPerFreeSpacePage,
  writeFreeSpaceTruncate,
} from '../../../src/postgres/redo/free-space-map.ts';

export const heap: KeyFamily = {
  ...{ kind: keyKinds.relationBlock, tablespace: 1_663, database: 5 },
  ...{ relation: 20_000, fork: 0 },
};
export const map: KeyFamily = { ...heap, fork: 1 };
/** Bytes that a category stands for. */
const step = 32;
const lineSize = 4;

/** Slots that are not empty, by number. */
export type Slots = Readonly<Record<number, number>>;

/** Puts versions of a heap and its map into a store, as ingest would. */
export class HeapWriter {
  readonly #blocks: BlockStore;
  readonly #heap: FamilyId = families.idOf(heap);
  readonly #map: FamilyId = families.idOf(map);

  constructor(store: TimelineStore) {
    this.#blocks = new BlockStore(store);
  }

  /** A page of the heap with room of a category; an index's when it has special space. */
  page(block: number, at: number, category: number, special = 0): void {
    const { value, view } = imageValue();
    initPage(view, special);
    PageHeader.upper.set(view, 0, PageHeader.size + lineSize + category * step);
    this.#blocks.put(this.#heap, block, lsn(at), true, value);
  }

  /** Pages `[from, to)` that were never written. */
  emptyPages(from: number, to: number, at: number): void {
    for (let block = from; block < to; block += 1) this.#blocks.zero(this.#heap, lsn(at), block);
  }

  /** A page of the map as Postgres left it. */
  mapPage(block: number, at: number, slots: Slots): void {
    const { value, view } = imageValue();
    initPage(view, 0);
    for (const [slot, category] of Object.entries(slots))
      setFreeSpaceSlot(view, Number(slot), category);
    rebuildFreeSpaceTree(view);
    this.#blocks.put(this.#map, block, lsn(at), true, value);
  }

  /** Makes the map reach to a heap block, as a record does that frees room there. */
  cover(block: number, at: number): void {
    const mapBlock = freeSpaceMapBlock(block);
    if (mapBlock >= this.#blocks.size(this.#map)) this.#blocks.zero(this.#map, lsn(at), mapBlock);
  }

  truncate(blocks: number, at: number): void {
    const value = new Uint8Array(freeSpaceTruncateSize);
    writeFreeSpaceTruncate(new DataView(value.buffer), 0, freeSpaceSlot(blocks));
    const mapBlock = freeSpaceMapBlock(blocks);
    this.#blocks.truncate(this.#heap, lsn(at), blocks);
    this.#blocks.put(this.#map, mapBlock, lsn(at), false, value);
    this.#blocks.truncate(this.#map, lsn(at), mapBlock + 1);
  }

  drop(at: number): void {
    for (const family of [this.#heap, this.#map]) this.#blocks.drop(family, lsn(at));
  }
}

/** A block of the map, or of another heap's, read to the end. */
export function readMap(
  store: TimelineStore,
  block: number,
  { maps = new DerivedMaps(), family = map } = {},
): Uint8Array {
  const page = new Uint8Array(pageSize);
  const steps = maps.read(store, { family, firstBlock: block }, page);
  while (steps.next().done !== true);
  return page;
}

/** The slots of a page; fails unless every node over them is the larger of the two below. */
export function slotsOf(page: Uint8Array): Slots {
  const rebuilt = page.slice();
  rebuildFreeSpaceTree(new DataView(rebuilt.buffer));
  if (Buffer.compare(page, rebuilt) !== 0) throw new Error('the tree does not fit its slots');
  const slots = page.subarray(pageSize - slotsPerFreeSpacePage);
  return Object.fromEntries([...slots.entries()].filter(([, category]) => category > 0));
}

/** Of the first bottom page. */
export function readSlots(
  store: TimelineStore,
  at: number,
  maps: DerivedMaps = new DerivedMaps(),
): Slots {
  store.ingestedLsn = lsn(at);
  return slotsOf(readMap(store, freeSpaceMapBlock(0), { maps }));
}

function imageValue(): { value: Uint8Array; view: DataView } {
  const value = new Uint8Array(8 + pageSize);
  value[0] = valueTags.image;
  return { value, view: new DataView(value.buffer, 8) };
}
