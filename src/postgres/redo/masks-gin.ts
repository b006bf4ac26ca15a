/**
 * Mask of GIN pages: what of them changes without a record (`gin_mask` in ginxlog.c).
 */
import { PageHeader } from '../page.ts';
import { GinOpaque, ginFlags, ginOpaqueAt } from './gin-page.ts';
import { maskLsnAndChecksum, maskContent, maskPageHints, maskUnusedSpace } from './masks.ts';

/** `gin_mask`. Of a deleted page nothing is compared: redo makes it anew, where Postgres marks it. */
export function maskGin(page: DataView): void {
  maskLsnAndChecksum(page);
  maskPageHints(page);
  const flags = GinOpaque.flags.get(page, ginOpaqueAt);
  if ((flags & ginFlags.deleted) !== 0) maskContent(page);
  else if (PageHeader.lower.get(page, 0) > PageHeader.size) maskUnusedSpace(page);
}
