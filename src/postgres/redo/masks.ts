/**
 * Masks: what may differ between a page as Postgres wrote it and the same page rebuilt from WAL,
 * overwritten with a marker so that the rest can be compared byte for byte.
 *
 * These are the pieces of src/backend/access/common/bufmask.c that every manager's mask is made of.
 */
import { ensure } from '../../base/failure.ts';
import { lsn } from '../../base/lsn.ts';
import { PageHeader, pageFlags, pageSize } from '../page.ts';

/** Masks a page in place; `block` is its number in its fork. */
export type Mask = (page: DataView, block: number) => void;

/** `MASK_MARKER`. */
const marker = 0;
const hintFlags = pageFlags.pageFull | pageFlags.hasFreeLines | pageFlags.allVisible;
const linePointerSize = 4;
/** `lp_flags`: two bits of the line pointer, between the offset (15) and the length (15). */
const linePointerFlags = 0x0001_8000;

/** `mask_page_lsn_and_checksum`. */
export function maskLsnAndChecksum(page: DataView): void {
  PageHeader.lsn.set(page, 0, lsn(marker));
  PageHeader.checksum.set(page, 0, marker);
}

/** `mask_page_hint_bits`: hints in the header change without a record. */
export function maskPageHints(page: DataView): void {
  PageHeader.pruneXid.set(page, 0, marker);
  PageHeader.flags.set(page, 0, PageHeader.flags.get(page, 0) & ~hintFlags);
}

/** `mask_unused_space`: the hole between `pd_lower` and `pd_upper`. */
export function maskUnusedSpace(page: DataView): void {
  const lower = PageHeader.lower.get(page, 0);
  const upper = PageHeader.upper.get(page, 0);
  const special = PageHeader.special.get(page, 0);
  const ordered = PageHeader.size <= lower && lower <= upper && upper <= special;
  ensure(ordered && special <= pageSize, 'page_header_invalid', { lower, upper, special });
  pageBytes(page).fill(marker, lower, upper);
}

/** `mask_page_content`: all but the header, of which the bounds of the hole are masked too. */
export function maskContent(page: DataView): void {
  pageBytes(page).fill(marker, PageHeader.size);
  PageHeader.lower.set(page, 0, marker);
  PageHeader.upper.set(page, 0, marker);
}

/** `mask_lp_flags`: index line pointers are marked dead without a record. */
export function maskLinePointerFlags(page: DataView): void {
  const lower = PageHeader.lower.get(page, 0);
  for (let at = PageHeader.size; at + linePointerSize <= lower; at += linePointerSize)
    page.setUint32(at, page.getUint32(at, true) & ~linePointerFlags, true);
}

function pageBytes(page: DataView): Uint8Array {
  return new Uint8Array(page.buffer, page.byteOffset, pageSize);
}
