/**
 * PageManager: which resource manager a page of a relation's main fork belongs to, told from the page
 * itself: from the size of its special space and the page id that indexes keep at its end.
 *
 * Ids: `HASHO_PAGE_ID` (hash.h), `GIST_PAGE_ID` (gist.h), `SPGIST_PAGE_ID` (spgist_private.h),
 * `BRIN_PAGETYPE_*` (brin_page.h), `BLOOM_PAGE_ID` (contrib/bloom), `SEQ_MAGIC` (sequence.c). A
 * B-tree keeps a vacuum cycle id there, which is below all of them (`MAX_BT_CYCLE_ID`, nbtree.h).
 */
import { ensure } from '../../base/failure.ts';
import { PageHeader, pageSize } from '../page.ts';
import { slotCount } from '../page-items.ts';
import { resourceManagers } from '../resource-managers.ts';

const pageIds = { hash: 0xff80, gist: 0xff81, spgist: 0xff82, bloom: 0xff83 } as const;
const brinIds = { first: 0xf091, last: 0xf093 } as const;
const sequenceMagic = 0x1717;
const magicSize = 4;
const wideSpecial = 16;
const pageIdSize = 2;
/** The smallest of all special spaces, a sequence's among them (MAXALIGNed). */
const specialMin = 8;

/**
 * The id of the manager; null for a page that was never initialised. Fails with `page_header_invalid`
 * when the special space cannot be any manager's.
 */
export function pageManager(page: DataView): number | null {
  if (PageHeader.upper.get(page, 0) === 0) return null;
  const special = PageHeader.special.get(page, 0);
  const size = pageSize - special;
  if (size === 0) return resourceManagers.heap;
  ensure(size >= specialMin, 'page_header_invalid', { special });
  const pageId = page.getUint16(pageSize - pageIdSize, true);
  return size === wideSpecial ? wideManager(pageId) : narrowManager(page, special, pageId);
}

function wideManager(pageId: number): number {
  if (pageId === pageIds.hash) return resourceManagers.hash;
  return pageId === pageIds.gist ? resourceManagers.gist : resourceManagers.btree;
}

function narrowManager(page: DataView, special: number, pageId: number): number {
  if (isSequence(page, special)) return resourceManagers.sequence;
  if (pageId === pageIds.spgist) return resourceManagers.spgist;
  if (pageId === pageIds.bloom) return resourceManagers.generic;
  if (pageId >= brinIds.first && pageId <= brinIds.last) return resourceManagers.brin;
  return resourceManagers.gin;
}

/**
 * Where a sequence has its magic, an inner page of a GIN entry tree has its right link, which may be
 * the same number. A sequence has nothing behind it and one tuple; an inner page leads to two pages.
 */
function isSequence(page: DataView, special: number): boolean {
  const magic = page.getUint32(special, true);
  const rest = page.getUint32(special + magicSize, true);
  return magic === sequenceMagic && rest === 0 && slotCount(page) === 1;
}
