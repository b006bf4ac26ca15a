/**
 * What a BRIN index's pages are made of: the special space, the metapage and the map from ranges of
 * heap blocks to summaries (src/include/access/brin_page.h, brin_pageops.c, brin_revmap.c).
 */
import { Failure } from '../../base/failure.ts';
import { padding, struct, u16, u32 } from '../../base/struct.ts';
import { PageHeader, initPage, pageSize } from '../page.ts';

/** `BrinSpecialSpace`: flags and type are its last two vector elements. */
export const BrinSpecial = struct({ padding: padding(4), flags: u16, type: u16 }, { size: 8 });

/** Where the special space begins. */
export const brinSpecialAt = pageSize - BrinSpecial.size;
export const brinPageTypes = { meta: 0xf091, rangeMap: 0xf092, regular: 0xf093 } as const;
/** `BRIN_EVACUATE_PAGE`. */
export const brinFlags = { evacuate: 0x01 } as const;

/** `BrinMetaPageData`, the contents of block 0. */
export const BrinMeta = struct(
  { magic: u32, version: u32, pagesPerRange: u32, lastRangeMapPage: u32 },
  { size: 16 },
);
const brinMagic = 0xa810_9cfa;

/** `ItemPointerData`: where a summary is. */
export const SummaryPointer = struct({ blockHigh: u16, blockLow: u16, slot: u16 }, { size: 6 });
/** `InvalidBlockNumber`. */
const noBlock = 0xffff_ffff;
/** Where a metapage's data or a range map's pointers begin. */
const contentsAt = PageHeader.size;
/** `REVMAP_PAGE_MAXITEMS`. */
const pointersPerPage = Math.floor((brinSpecialAt - contentsAt) / SummaryPointer.size);

/** `brin_page_init`. */
export function initBrinPage(page: DataView, type: number): void {
  initPage(page, BrinSpecial.size);
  BrinSpecial.type.set(page, brinSpecialAt, type);
}

/** `brin_metapage_init`. */
export function initBrinMeta(page: DataView, pagesPerRange: number, version: number): void {
  initBrinPage(page, brinPageTypes.meta);
  BrinMeta.magic.set(page, contentsAt, brinMagic);
  BrinMeta.version.set(page, contentsAt, version);
  BrinMeta.pagesPerRange.set(page, contentsAt, pagesPerRange);
  endMeta(page);
}

/** The metapage: its range map now ends with block `block`. */
export function extendRangeMap(page: DataView, block: number): void {
  ensureBrinPage(page, brinPageTypes.meta);
  BrinMeta.lastRangeMapPage.set(page, contentsAt, block);
  // Majors before 11 left it unset, and pg_upgrade keeps their pages.
  endMeta(page);
}

function endMeta(page: DataView): void {
  PageHeader.lower.set(page, 0, contentsAt + BrinMeta.size);
}

/** A range of heap blocks, by the first of them. */
export interface Range {
  readonly pagesPerRange: number;
  readonly heapBlock: number;
}

/** `brinSetHeapBlockItemptr`: the range's summary is at `slot` of block `block`; 0: it has none. */
export function setSummary(page: DataView, range: Range, block: number, slot: number): void {
  ensureBrinPage(page, brinPageTypes.rangeMap);
  const { pagesPerRange, heapBlock } = range;
  if (pagesPerRange === 0) throw new Failure('redo_record_malformed', { pagesPerRange });
  const index = Math.floor(heapBlock / pagesPerRange) % pointersPerPage;
  const at = contentsAt + index * SummaryPointer.size;
  const target = slot === 0 ? noBlock : block;
  SummaryPointer.blockHigh.set(page, at, target >>> 16);
  SummaryPointer.blockLow.set(page, at, target & 0xffff);
  SummaryPointer.slot.set(page, at, slot);
}

/** Fails unless the page is initialised and of this type. */
export function ensureBrinPage(page: DataView, expected: number): void {
  const special = PageHeader.special.get(page, 0);
  const type = BrinSpecial.type.get(page, brinSpecialAt);
  // As an `if`: the values of a failure are built only when it happens.
  if (special !== brinSpecialAt || type !== expected)
    throw new Failure('redo_page_unexpected', { special, type, expected });
}
