/**
 * Page: the header every 8 KiB Postgres page begins with (src/include/storage/bufpage.h).
 */
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

/** `PageIsNew`: never initialised, so it has no LSN either. */
export function isNewPage(page: DataView): boolean {
  return PageHeader.upper.get(page, 0) === 0;
}
