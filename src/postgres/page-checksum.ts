/**
 * PageChecksum: the checksum Postgres keeps in a page's header when a cluster has data checksums
 * (src/include/storage/checksum_impl.h): 32 interleaved FNV-1a-like hashes, folded to 16 bits, that
 * also depend on the block's number.
 */
import { isNewPage, PageHeader, pageSize } from './page.ts';

const prime = 16_777_619;
/** Where each of the 32 hashes begins. */
const offsets = new Int32Array([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
  0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
  0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
  0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);
const lanes = 32;
const wordSize = 4;
const sums = new Int32Array(lanes);
/** The checksum's word: its low half is the checksum field, which counts as zero. */
const checksumWord = PageHeader.checksum.offset / wordSize;
const checksumMask = 0xffff_0000 | 0;

/**
 * `pg_checksum_page`: what the checksum field of this page should be as block `block` of its fork,
 * counted over all its segment files. A number from 1 to 65535. Not for new pages, which have none.
 */
export function pageChecksum(page: DataView, block: number): number {
  sums.set(offsets);
  for (let word = 0; word < pageSize / wordSize; word += lanes)
    for (let lane = 0; lane < lanes; lane += 1) {
      const value = page.getInt32((word + lane) * wordSize, true);
      mix(lane, word + lane === checksumWord ? value & checksumMask : value);
    }
  let folded = 0;
  for (let lane = 0; lane < lanes; lane += 1) {
    mix(lane, 0);
    mix(lane, 0);
    folded ^= sums[lane]!;
  }
  return (((folded ^ block) >>> 0) % 65_535) + 1;
}

/** `PageSetChecksumInplace`: writes the checksum, unless the page is new. */
export function setPageChecksum(page: DataView, block: number): void {
  if (!isNewPage(page)) PageHeader.checksum.set(page, 0, pageChecksum(page, block));
}

/** `CHECKSUM_COMP`. */
function mix(lane: number, value: number): void {
  const mixed = sums[lane]! ^ value;
  sums[lane] = Math.imul(mixed, prime) ^ (mixed >>> 17);
}
