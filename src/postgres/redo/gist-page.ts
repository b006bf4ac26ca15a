/**
 * What a GiST page looks like (src/include/access/gist.h), and the changes to one that more than one
 * record makes.
 *
 * A split gives its left half a right link and, until the parent has the right half's downlink, the
 * flag `followRight`. When the downlink is in, the left half gets the position of that record as its
 * NSN: a scan that saw the parent before it knows that it must follow the link.
 */
import { Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { pageLsn, struct, u16, u32, u64, u8 } from '../../base/struct.ts';
import { PageHeader, initPage, pageSize } from '../page.ts';
import { valueTags } from '../page-value.ts';
import { pageDeltaKinds } from './visibility-map.ts';

/** `GISTPageOpaqueData`, the special space of every GiST page. */
export const GistOpaque = struct(
  { nsn: pageLsn, rightLink: u32, flags: u16, pageId: u16 },
  { size: 16 },
);
/** `GISTDeletedPageContents`. */
export const GistDeletedPage = struct({ deleteXid: u64 }, { size: 8 });
/**
 * Ours: the left half's change for a page that came as an image. Postgres makes the image of it
 * before the change, and repeats the change after restoring the image.
 */
const SplitFinished = struct({ tag: u8, kind: u8 }, { size: 2 });

/** Size in bytes of the value `writeGistSplitFinished` writes. */
export const gistSplitFinishedSize = SplitFinished.size;
/** Where the special space begins. */
export const gistOpaqueAt = pageSize - GistOpaque.size;
/** `GIST_ROOT_BLKNO`. */
export const gistRootBlock = 0;
/** `InvalidBlockNumber`: no right link. */
export const noRightLink = 0xffff_ffff;
/** `GISTPageOpaqueData.flags`. */
export const gistFlags = {
  leaf: 0x01,
  deleted: 0x02,
  tuplesDeleted: 0x04,
  followRight: 0x08,
  hasGarbage: 0x10,
} as const;
/** `GIST_PAGE_ID`. */
const gistPageId = 0xff81;

/** `gistinitpage`. */
export function initGistPage(page: DataView, flags: number): void {
  initPage(page, GistOpaque.size);
  GistOpaque.rightLink.set(page, gistOpaqueAt, noRightLink);
  GistOpaque.flags.set(page, gistOpaqueAt, flags);
  GistOpaque.pageId.set(page, gistOpaqueAt, gistPageId);
}

/** Fails unless the page is initialised and has a GiST page's special space. */
export function ensureGistPage(page: DataView): void {
  const special = PageHeader.special.get(page, 0);
  if (special !== gistOpaqueAt)
    throw new Failure('redo_page_unexpected', { special, expected: gistOpaqueAt });
}

/** `GistPageIsLeaf`. */
export function isGistLeaf(page: DataView): boolean {
  return (GistOpaque.flags.get(page, gistOpaqueAt) & gistFlags.leaf) !== 0;
}

/** Sets the flags `set` and clears the flags `cleared`. */
export function changeGistFlags(page: DataView, set: number, cleared: number): void {
  const flags = GistOpaque.flags.get(page, gistOpaqueAt);
  GistOpaque.flags.set(page, gistOpaqueAt, (flags & ~cleared) | set);
}

/** The right half of the page's split has its downlink, by the record that ends at `end`. */
export function finishGistSplit(page: DataView, end: Lsn): void {
  ensureGistPage(page);
  GistOpaque.nsn.set(page, gistOpaqueAt, end);
  changeGistFlags(page, 0, gistFlags.followRight);
}

/** Writes the value that does `finishGistSplit`: `gistSplitFinishedSize` bytes at `at`. */
export function writeGistSplitFinished(target: DataView, at: number): void {
  SplitFinished.tag.set(target, at, valueTags.delta);
  SplitFinished.kind.set(target, at, pageDeltaKinds.gistSplitFinished);
}

/** Applies that value, which follows the image in the same record. */
export function applyGistSplitFinished(
  page: DataView,
  _view: DataView,
  _at: number,
  end: Lsn,
): void {
  finishGistSplit(page, end);
}
