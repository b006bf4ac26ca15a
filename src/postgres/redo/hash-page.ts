/**
 * What a hash index's pages are made of: the special space, the metapage and the bitmaps of overflow
 * pages (src/include/access/hash.h), and how each kind of page begins (hashpage.c, hashovfl.c).
 */
import { Failure } from '../../base/failure.ts';
import { bytes, f64, padding, struct, u16, u32 } from '../../base/struct.ts';
import { PageHeader, initPage, pageSize } from '../page.ts';
import { fillBytes } from './page-bytes.ts';

/** `HashPageOpaqueData`, the special space of every page. */
export const HashOpaque = struct(
  { previous: u32, next: u32, bucket: u32, flags: u16, pageId: u16 },
  { size: 16 },
);

/** Where the special space begins. */
export const opaqueAt = pageSize - HashOpaque.size;
/** Where a metapage's data or a bitmap page's bits begin. */
const contentsAt = PageHeader.size;

/** `hasho_flag`: the page's type, and its state. */
export const hashFlags = {
  unused: 0,
  overflow: 0x01,
  bucket: 0x02,
  bitmap: 0x04,
  meta: 0x08,
  needsSplitCleanup: 0x40,
  hasDeadTuples: 0x80,
} as const;
/** `LH_PAGE_TYPE`. */
export const pageTypeMask = 0x0f;
const hashPageId = 0xff80;
/** `InvalidBlockNumber`, and `InvalidBucket`. */
export const none = 0xffff_ffff;

/** `HASH_MAX_SPLITPOINTS`. */
const splitpointsMax = 98;
/** `HASH_MAX_BITMAPS`. */
const bitmapsMax = 1_024;

/** `HashMetaPageData`, the contents of block 0. */
export const HashMeta = struct(
  {
    magic: u32,
    version: u32,
    tupleCount: f64,
    fillFactor: u16,
    pageSize: u16,
    bitmapSize: u16,
    bitmapShift: u16,
    maxBucket: u32,
    highMask: u32,
    lowMask: u32,
    splitpoint: u32,
    firstFree: u32,
    bitmapCount: u32,
    procedure: u32,
    spares: bytes(splitpointsMax * u32.size),
    bitmaps: bytes(bitmapsMax * u32.size),
    padding: padding(4),
  },
  { size: 4_544 },
);

const hashMagic = 0x0644_0640;
const hashVersion = 4;
/** `HashGetMaxBitmapSize`: bytes between the header and the special space. */
const contentsSize = opaqueAt - contentsAt;
const bitsPerByte = 8;
const bitsPerWord = 32;

/** `_hash_initbuf`, and what every page has in common. */
export function initHashPage(
  page: DataView,
  previous: number,
  bucket: number,
  flags: number,
): void {
  initPage(page, HashOpaque.size);
  HashOpaque.previous.set(page, opaqueAt, previous);
  HashOpaque.next.set(page, opaqueAt, none);
  HashOpaque.bucket.set(page, opaqueAt, bucket);
  HashOpaque.flags.set(page, opaqueAt, flags);
  HashOpaque.pageId.set(page, opaqueAt, hashPageId);
}

/** `_hash_init_metabuffer`: the metapage of an index that has buckets for `tupleCount` tuples. */
export function initHashMeta(
  page: DataView,
  tupleCount: number,
  procedure: number,
  fillFactor: number,
): void {
  const buckets = firstBuckets(tupleCount / fillFactor);
  const splitpoint = splitpointOf(buckets);
  const shift = floorLog2(contentsSize);
  const highMask = nextPowerOf2(buckets + 1) - 1;
  initHashPage(page, none, none, hashFlags.meta);
  HashMeta.magic.set(page, contentsAt, hashMagic);
  HashMeta.version.set(page, contentsAt, hashVersion);
  HashMeta.fillFactor.set(page, contentsAt, fillFactor);
  HashMeta.pageSize.set(page, contentsAt, contentsSize);
  HashMeta.bitmapSize.set(page, contentsAt, 2 ** shift);
  HashMeta.bitmapShift.set(page, contentsAt, shift + floorLog2(bitsPerByte));
  HashMeta.procedure.set(page, contentsAt, procedure);
  HashMeta.maxBucket.set(page, contentsAt, buckets - 1);
  HashMeta.highMask.set(page, contentsAt, highMask);
  HashMeta.lowMask.set(page, contentsAt, highMask >>> 1);
  HashMeta.splitpoint.set(page, contentsAt, splitpoint);
  setSpares(page, contentsAt, splitpoint, 1);
  PageHeader.lower.set(page, 0, contentsAt + HashMeta.size);
}

/** `_hash_initbitmapbuffer`: a bitmap of `size` bytes in which every overflow page is in use. */
export function initHashBitmap(page: DataView, size: number): void {
  if (size > contentsSize) throw new Failure('redo_record_malformed', { bitmapSize: size });
  initHashPage(page, none, none, hashFlags.bitmap);
  fillBytes(page, contentsAt, contentsAt + size, 0xff);
  PageHeader.lower.set(page, 0, contentsAt + size);
}

/** Fails unless the page is initialised and has a hash index's special space. */
export function ensureHashPage(page: DataView): void {
  const special = PageHeader.special.get(page, 0);
  // As an `if`: the values of a failure are built only when it happens.
  if (special !== opaqueAt)
    throw new Failure('redo_page_unexpected', { special, expected: opaqueAt });
}

/** `HashPageGetMeta`: where the metapage's data is. Fails unless the page is one. */
export function hashMetaAt(page: DataView): number {
  ensureHashPage(page);
  const magic = HashMeta.magic.get(page, contentsAt);
  if (magic !== hashMagic)
    throw new Failure('redo_page_unexpected', { magic, expected: hashMagic });
  return contentsAt;
}

/** `hashm_spares[splitpoint] = count`: overflow pages before the buckets of a splitpoint. */
export function setSpares(page: DataView, meta: number, splitpoint: number, count: number): void {
  u32.write(page, sparesAt(meta, splitpoint), count);
}

/** `hashm_spares[hashm_ovflpoint]++`. */
export function addSpare(page: DataView, meta: number): void {
  const at = sparesAt(meta, HashMeta.splitpoint.get(page, meta));
  u32.write(page, at, u32.read(page, at) + 1);
}

function sparesAt(meta: number, splitpoint: number): number {
  if (splitpoint >= splitpointsMax) throw new Failure('redo_page_unexpected', { splitpoint });
  return meta + HashMeta.spares.offset + splitpoint * u32.size;
}

/** `hashm_mapp[hashm_nmaps++] = block`: one bitmap page more. */
export function addBitmap(page: DataView, meta: number, block: number): void {
  const count = HashMeta.bitmapCount.get(page, meta);
  if (count >= bitmapsMax) throw new Failure('redo_page_unexpected', { bitmapCount: count });
  u32.write(page, meta + HashMeta.bitmaps.offset + count * u32.size, block);
  HashMeta.bitmapCount.set(page, meta, count + 1);
}

/** `SETBIT` or `CLRBIT` of a bitmap page. */
export function setBitmapBit(page: DataView, bit: number, value: boolean): void {
  ensureHashPage(page);
  const at = contentsAt + Math.floor(bit / bitsPerWord) * u32.size;
  if (at >= opaqueAt) throw new Failure('redo_record_malformed', { bitmapBit: bit });
  const word = u32.read(page, at);
  const mask = 1 << (bit % bitsPerWord);
  u32.write(page, at, value ? word | mask : word & ~mask);
}

/** Up to so many buckets, all pages of a doubling are allocated at once; later in four phases. */
const groupsOfOnePhase = 10;
const phaseBits = 2;
const phaseMask = 3;
const bucketsMax = 0x4000_0000;

/** Buckets an index starts with: as many as are wanted, rounded up to whole phases. */
function firstBuckets(wanted: number): number {
  if (wanted <= 2) return 2;
  return wanted >= bucketsMax ? bucketsMax : totalBuckets(splitpointOf(wanted >>> 0));
}

/** `_hash_spareindex`: the splitpoint phase that a number of buckets ends in. */
function splitpointOf(buckets: number): number {
  const group = buckets < 2 ? 0 : floorLog2(buckets - 1) + 1;
  if (group < groupsOfOnePhase) return group;
  const phase = ((buckets - 1) >>> (group - (phaseBits + 1))) & phaseMask;
  return groupsOfOnePhase + ((group - groupsOfOnePhase) << phaseBits) + phase;
}

/** `_hash_get_totalbuckets`: buckets there are once a splitpoint phase is allocated. */
function totalBuckets(splitpoint: number): number {
  if (splitpoint < groupsOfOnePhase) return 2 ** splitpoint;
  const phases = splitpoint - groupsOfOnePhase;
  const before = 2 ** (groupsOfOnePhase + (phases >>> phaseBits) - 1);
  return before + (before >>> phaseBits) * ((phases & phaseMask) + 1);
}

/** Of a whole number below 2^32, 0 excepted. */
function floorLog2(value: number): number {
  return 31 - Math.clz32(value);
}

function nextPowerOf2(value: number): number {
  return 2 ** (floorLog2(value - 1) + 1);
}
