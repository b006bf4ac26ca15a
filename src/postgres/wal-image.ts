/**
 * WalImage: full-page images in WAL, compressed or not, back to pages and into page values
 * (`RestoreBlockImage`, src/backend/access/transam/xlogreader.c).
 *
 * An image lacks the page's hole, the free space between its line pointers and tuples, which is
 * zeros. Its LSN is older than the record that carries it: whoever applies it stamps the page with
 * the record's end, unless the page is new.
 */
import { zstdDecompressSync } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { ensure, Failure } from '../base/failure.ts';
import { padding, struct, u16, u8 } from '../base/struct.ts';
import { lz4Decompress } from './lz4-block.ts';
import { majors, type Major } from './major.ts';
import { isNewPage, PageHeader, pageSize } from './page.ts';
import { valueTags } from './page-value.ts';
import { pglzDecompress } from './pglz.ts';
import { imageBitsOf, type WalRecord } from './wal-record.ts';

/** The head of an `image` value (page-value.ts); the page follows. */
export const ImageValue = struct({ tag: u8, pad: padding(7) }, { size: 8 });
/** The head of a `walImage` value (page-value.ts); the image as it was in WAL follows. */
export const WalImageValue = struct(
  { tag: u8, major: u8, info: u8, pad: padding(1), holeOffset: u16, holeSize: u16 },
  { size: 8 },
);

/** How an image is stored. Offsets and sizes in bytes. */
export interface ImageForm {
  readonly major: number;
  /** `bimg_info`. */
  readonly info: number;
  readonly holeOffset: number;
  readonly holeSize: number;
}

const scratch = new Uint8Array(pageSize);

/**
 * Restores the image of block `id` into `page`, 8 KiB, without touching its LSN. Fails with
 * `wal_image_invalid` when it does not decompress to exactly a page.
 */
export function restoreImage(record: WalRecord, id: number, page: DataView, major: number): void {
  const block = record.blocks[id]!;
  assert(block.present && block.hasImage, 'the block has an image');
  const { imageOffset, imageSize, holeOffset, holeSize } = block;
  const stored = record.bytes.subarray(imageOffset, imageOffset + imageSize);
  restoreImageBytes({ major, info: block.imageInfo, holeOffset, holeSize }, stored, page);
}

/** Restores an image from its stored bytes, as `restoreImage` does. */
export function restoreImageBytes(form: ImageForm, stored: Uint8Array, page: DataView): void {
  const { holeOffset, holeSize } = form;
  ensure(holeOffset + holeSize <= pageSize, 'wal_image_invalid', { holeOffset, holeSize });
  const target = new Uint8Array(page.buffer, page.byteOffset, pageSize);
  const bits = imageBitsOf(form.major);
  const packed = unpack(form, stored, (form.info & bits.compressed) !== 0);
  const holeEnd = holeOffset + holeSize;
  target.set(packed.subarray(0, holeOffset), 0);
  target.fill(0, holeOffset, holeEnd);
  target.set(packed.subarray(holeOffset, pageSize - holeSize), holeEnd);
}

/** Restores the page of the `walImage` value in `view` at [at, end), as `restoreImage` does. */
export function restoreImageValue(view: DataView, at: number, end: number, page: DataView): void {
  assert(WalImageValue.tag.get(view, at) === valueTags.walImage, 'the value is an image from WAL');
  const form = {
    major: majorOf(WalImageValue.major.get(view, at)),
    info: WalImageValue.info.get(view, at),
    holeOffset: WalImageValue.holeOffset.get(view, at),
    holeSize: WalImageValue.holeSize.get(view, at),
  };
  const begin = view.byteOffset + at + WalImageValue.size;
  const stored = new Uint8Array(view.buffer, begin, view.byteOffset + end - begin);
  restoreImageBytes(form, stored, page);
}

/** Of a value that is damaged, no major at all. */
function majorOf(stored: number): Major {
  const known = majors.find((major) => major === stored);
  ensure(known !== undefined, 'page_value_invalid', { major: stored });
  return known;
}

/** Size in bytes of the value `writeImageValue` writes for block `id`. */
export function imageValueSize(record: WalRecord, id: number): number {
  const block = record.blocks[id]!;
  const { compressed } = imageBitsOf(record.major);
  const isCompressed = (block.imageInfo & compressed) !== 0;
  return isCompressed ? WalImageValue.size + block.imageSize : ImageValue.size + pageSize;
}

/**
 * Writes block `id`'s image as a page value at `at`: a compressed one as it is (`walImage`), any
 * other as a whole page (`image`) stamped with the record's end unless new. The record is decoded;
 * `imageValueSize` bytes must be free in `target`.
 */
export function writeImageValue(
  record: WalRecord,
  id: number,
  target: Uint8Array,
  at: number,
): void {
  const block = record.blocks[id]!;
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  if ((block.imageInfo & imageBitsOf(record.major).compressed) === 0) {
    writeWholePage(record, id, new DataView(target.buffer, target.byteOffset + at));
    return;
  }
  view.setUint32(at, 0);
  WalImageValue.tag.set(view, at, valueTags.walImage);
  WalImageValue.major.set(view, at, record.major);
  WalImageValue.info.set(view, at, block.imageInfo);
  WalImageValue.holeOffset.set(view, at, block.holeOffset);
  WalImageValue.holeSize.set(view, at, block.holeSize);
  const { imageOffset, imageSize } = block;
  target.set(record.bytes.subarray(imageOffset, imageOffset + imageSize), at + WalImageValue.size);
}

function writeWholePage(record: WalRecord, id: number, value: DataView): void {
  new Uint8Array(value.buffer, value.byteOffset, ImageValue.size).fill(0);
  ImageValue.tag.set(value, 0, valueTags.image);
  const page = new DataView(value.buffer, value.byteOffset + ImageValue.size, pageSize);
  restoreImage(record, id, page, record.major);
  if (!isNewPage(page)) PageHeader.lsn.set(page, 0, record.end);
}

/** The page's bytes without its hole. */
function unpack(form: ImageForm, stored: Uint8Array, compressed: boolean): Uint8Array {
  const size = pageSize - form.holeSize;
  if (!compressed) {
    ensure(stored.length === size, 'wal_image_invalid', { size: stored.length, expected: size });
    return stored;
  }
  const { pglz, lz4, zstd } = imageBitsOf(form.major);
  if ((form.info & pglz) !== 0) return filled(pglzDecompress(stored, scratch, size), 'pglz');
  if ((form.info & lz4) !== 0) return filled(lz4Decompress(stored, scratch, size), 'lz4');
  assert((form.info & zstd) !== 0, 'a compressed image names its method');
  return unpackZstd(stored, size);
}

function filled(whole: boolean, method: string): Uint8Array {
  ensure(whole, 'wal_image_invalid', { method });
  return scratch;
}

function unpackZstd(stored: Uint8Array, size: number): Uint8Array {
  const unpacked = decompressZstd(stored);
  ensure(unpacked.length === size, 'wal_image_invalid', { method: 'zstd', size: unpacked.length });
  return unpacked;
}

function decompressZstd(stored: Uint8Array): Uint8Array {
  try {
    return zstdDecompressSync(stored, { maxOutputLength: pageSize });
  } catch (cause) {
    throw new Failure('wal_image_invalid', { method: 'zstd' }, cause);
  }
}
