/**
 * Masks of GiST and SP-GiST pages: what of them changes without a record (`gist_mask` in gistxlog.c,
 * `spg_mask` in spgxlog.c).
 */
import { lsnZero } from '../../base/lsn.ts';
import { PageHeader } from '../page.ts';
import { GistOpaque, changeGistFlags, gistFlags, gistOpaqueAt, isGistLeaf } from './gist-page.ts';
import {
  maskLinePointerFlags,
  maskLsnAndChecksum,
  maskPageHints,
  maskUnusedSpace,
} from './masks.ts';
import { fillBytes } from './page-bytes.ts';
import { SpgistMeta, spgistFlags, spgistFlagsOf } from './spgist-page.ts';

/** `MASK_MARKER`. */
const marker = 0;

const { followRight, hasGarbage, tuplesDeleted } = gistFlags;

/**
 * `gist_mask`. NSN and `followRight` change after the record that says so.
 *
 * `tuplesDeleted` is masked here and not there: redo of XLOG_GIST_DELETE sets it, while the server
 * that wrote the record did not (`gistprunepage`), so that a standby checking its pages stops at such
 * a record. Nothing in Postgres reads the flag.
 */
export function maskGist(page: DataView): void {
  maskLsnAndChecksum(page);
  maskPageHints(page);
  maskUnusedSpace(page);
  GistOpaque.nsn.set(page, gistOpaqueAt, lsnZero);
  // Scans mark leaf tuples dead in passing.
  if (isGistLeaf(page)) maskLinePointerFlags(page);
  changeGistFlags(page, followRight, hasGarbage | tuplesDeleted);
}

/** `spg_mask`. */
export function maskSpgist(page: DataView): void {
  maskLsnAndChecksum(page);
  maskPageHints(page);
  if (PageHeader.lower.get(page, 0) >= PageHeader.size) maskUnusedSpace(page);
}

/**
 * Also masks what an SP-GiST metapage remembers of pages last used: backends write it there without
 * a record (`SpGistUpdateMetaPage`), so Postgres's page and a rebuilt one differ, while images in the
 * log do not.
 */
export function maskSpgistCache(page: DataView): void {
  if ((spgistFlagsOf(page) & spgistFlags.meta) === 0) return;
  fillBytes(
    page,
    PageHeader.size + SpgistMeta.lastUsed.offset,
    PageHeader.size + SpgistMeta.size,
    marker,
  );
}
