/**
 * Page: the header every 8 KiB Postgres page begins with (src/include/storage/bufpage.h).
 */
import { assert } from '../base/assert.ts';
import { pageLsn, struct, u16, u32 } from '../base/struct.ts';

export const pageSize = 8_192;

/** `PageHeaderData`. */
export const PageHeader = struct(
  {
    lsn: pageLsn,
    checksum: u16,
    flags: u16,
    lower: u16,
    upper: u16,
    special: u16,
    pageSizeVersion: u16,
    pruneXid: u32,
  },
  { size: 24 },
);

/** `pd_flags`. */
export const pageFlags = { hasFreeLines: 0x0001, pageFull: 0x0002, allVisible: 0x0004 } as const;

/** `PG_PAGE_LAYOUT_VERSION`, the same in every major we know. */
const layoutVersion = 4;

/** `PageIsNew`: never initialised, so it has no LSN either. */
export function isNewPage(page: DataView): boolean {
  return PageHeader.upper.get(page, 0) === 0;
}

/** `PageInit`: an empty page, all zero but its header, with `specialSize` bytes of special space. */
export function initPage(page: DataView, specialSize: number): void {
  const special = pageSize - ((specialSize + 7) & ~7);
  assert(special > PageHeader.size, 'the special space leaves room for a page');
  new Uint8Array(page.buffer, page.byteOffset, pageSize).fill(0);
  PageHeader.lower.set(page, 0, PageHeader.size);
  PageHeader.upper.set(page, 0, special);
  PageHeader.special.set(page, 0, special);
  PageHeader.pageSizeVersion.set(page, 0, pageSize | layoutVersion);
}
