/**
 * ImageRecord: a record of full-page images, `XLOG_FPI`, as Postgres would have written it
 * (`log_newpages`, src/backend/access/transam/xloginsert.c).
 *
 * An image leaves out the longest stretch of zeros, its hole: any reader of WAL puts it back. The page's
 * own LSN and checksum do not matter, since who restores an image stamps it.
 */
import { assert } from '../base/assert.ts';
import { type Lsn } from '../base/lsn.ts';
import { u32 } from '../base/struct.ts';
import { pageSize } from './page.ts';
import { resourceManagers } from './resource-managers.ts';
import {
  BlockHeader,
  BlockImageHeader,
  RecordHeader,
  RelationLocator,
  imageBitsOf,
} from './wal-record.ts';
import { placeEncoded, sealRecord, type WalBytes, type WalIdentity } from './wal-writer.ts';

/** A page of a relation as it is to be. */
export interface NewImage {
  readonly tablespace: number;
  readonly database: number;
  readonly relation: number;
  readonly fork: number;
  readonly block: number;
  /** 8 KiB. */
  readonly page: Uint8Array;
}

/** `XLR_MAX_BLOCK_ID`: a record has one more block than this, but Postgres logs so many at once. */
export const imagesPerRecord = 32;
/** `XLOG_FPI`. */
const fullPageImages = 0xb0;
/** `BKPBLOCK_HAS_IMAGE`. */
const hasImage = 0x10;
/** Of one block: none is of the relation before it, so each names its own. */
const headerSize = BlockHeader.size + BlockImageHeader.size + RelationLocator.size + u32.size;

/** The record as WAL that follows on `begin`; `previous` is where the record before it starts. */
export function placeImages(
  identity: WalIdentity,
  begin: Lsn,
  previous: Lsn,
  images: readonly NewImage[],
): WalBytes {
  assert(images.length > 0 && images.length <= imagesPerRecord, 'a record has some blocks');
  const holes = images.map(({ page }) => longestHole(page));
  const stored = holes.reduce((sum, { size }) => sum + pageSize - size, 0);
  const bytes = new Uint8Array(RecordHeader.size + images.length * headerSize + stored);
  let imageAt = RecordHeader.size + images.length * headerSize;
  images.forEach((image, id) => {
    const hole = holes[id]!;
    writeHeaders(bytes, { id, image, hole, major: identity.major });
    bytes.set(image.page.subarray(0, hole.offset), imageAt);
    bytes.set(image.page.subarray(hole.offset + hole.size), imageAt + hole.offset);
    imageAt += pageSize - hole.size;
  });
  sealRecord(bytes, { rmgr: resourceManagers.xlog, info: fullPageImages, xid: 0, previous });
  return placeEncoded(identity, begin, bytes);
}

interface Hole {
  readonly offset: number;
  readonly size: number;
}

interface HeaderParts {
  readonly id: number;
  readonly image: NewImage;
  readonly hole: Hole;
  readonly major: number;
}

function writeHeaders(bytes: Uint8Array, { id, image, hole, major }: HeaderParts): void {
  const view = new DataView(bytes.buffer);
  const bits = imageBitsOf(major);
  let at = RecordHeader.size + id * headerSize;
  BlockHeader.id.set(view, at, id);
  BlockHeader.forkFlags.set(view, at, image.fork | hasImage);
  at += BlockHeader.size;
  BlockImageHeader.imageSize.set(view, at, pageSize - hole.size);
  BlockImageHeader.holeOffset.set(view, at, hole.offset);
  BlockImageHeader.info.set(view, at, bits.apply | (hole.size > 0 ? bits.hasHole : 0));
  at += BlockImageHeader.size;
  RelationLocator.tablespace.set(view, at, image.tablespace);
  RelationLocator.database.set(view, at, image.database);
  RelationLocator.relation.set(view, at, image.relation);
  u32.write(view, at + RelationLocator.size, image.block);
}

/** The longest stretch of zeros that does not begin the page; no hole is one of no size at 0. */
function longestHole(page: Uint8Array): Hole {
  assert(page.length === pageSize, 'an image is of a whole page');
  let best: Hole = { offset: 0, size: 0 };
  for (let offset = 1; offset < pageSize; offset += 1) {
    if (page[offset] !== 0) continue;
    let end = offset;
    while (end < pageSize && page[end] === 0) end += 1;
    if (end - offset > best.size) best = { offset, size: end - offset };
    offset = end;
  }
  return best;
}
