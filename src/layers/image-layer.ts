/**
 * ImageLayer: an immutable file with the state of a key range at one LSN: pages of 8192 bytes, and
 * other values of any size. It speaks for its whole range: a key it does not hold has no value.
 *
 * Consecutive blocks lie one after the other, page-aligned, so a scan reads a **run** of them at
 * once; all-zero pages take no room. The index, in memory, has 4 bytes per page.
 *
 * ```
 * header   64, layer-file.ts, zeros to 8192; magic STEMMAIM; end LSN = begin LSN + 1
 * pages    8192 each                              (CRC in the index, seed: header CRC ^ page number)
 * values   each with zeros to a multiple of 8     (CRC in the index, seed: header CRC ^ position)
 * index    families × 24 (family-section.ts; entries are runs)
 *          runs × first block u32 | runs × blocks u32 | runs × first page u32 (0: all zero)
 *          pages × CRC u32
 *          values × block u32 | (values + 1) × position u32 | values × size u32 | values × CRC u32
 *          0 or 4 zeros
 * footer   64, layer-file.ts; entries = runs
 * ```
 *
 * A page number is a file offset / 8192. A value's position counts 8 bytes from where pages end; the
 * last one is where values end.
 */
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/crc32.ts';
import { ensure } from '../base/failure.ts';
import { keyBlock, keyFamily, makeKey, type FamilyTable, type Key } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { FamilyRow, FamilySection } from './family-section.ts';
import { type KeyFilter } from './key-range.ts';
import {
  alignment,
  readFrame,
  readWhole,
  valueSeed,
  type LayerFormat,
  type LayerFrame,
  type ReadAt,
  type ReadInto,
} from './layer-file.ts';
import { chunkOf, emptyChunk, versionFlags, type VersionList } from './version-list.ts';

export const imagePageSize = 8_192;
export const imageFormat: LayerFormat = {
  headMagic: 'STEMMAIM',
  footMagic: 'IMSTEMMA',
  headerSize: imagePageSize,
};

const blocksMax = 2 ** 32;

/** How an image's file is read: pieces of it, and pages into where they are wanted. */
export interface ImageSource {
  readonly readAt: ReadAt;
  readonly readInto: ReadInto;
}

export class ImageLayer {
  readonly frame: LayerFrame;
  readonly families: FamilySection;
  readonly #readAt: ReadAt;
  readonly #readInto: ReadInto;
  readonly #runBlocks: Uint32Array;
  readonly #runCounts: Uint32Array;
  readonly #runPages: Uint32Array;
  readonly #pageCrcs: Uint32Array;
  readonly #valueBlocks: Uint32Array;
  readonly #valuePositions: Uint32Array;
  readonly #valueSizes: Uint32Array;
  readonly #valueCrcs: Uint32Array;
  readonly #valuesOffset: number;

  constructor(frame: LayerFrame, { readAt, readInto }: ImageSource, families: FamilyTable) {
    const { index, entries: runs, pages, values } = frame;
    const rowsAt = frame.families * FamilyRow.size;
    const columns = 3 * runs + pages + 4 * values + 1;
    const expected = rowsAt + Math.ceil((columns * 4) / alignment) * alignment;
    ensure(index.length === expected, 'layer_index_malformed', { size: index.length, expected });
    let at = index.byteOffset + rowsAt;
    function column(count: number): Uint32Array {
      const numbers = new Uint32Array(index.buffer, at, count);
      at += count * 4;
      return numbers;
    }
    this.frame = frame;
    this.#readAt = readAt;
    this.#readInto = readInto;
    const place = { count: frame.families, entries: runs, values };
    this.families = new FamilySection(chunkOf(index).view, place, families);
    this.#runBlocks = column(runs);
    this.#runCounts = column(runs);
    this.#runPages = column(runs);
    this.#pageCrcs = column(pages);
    this.#valueBlocks = column(values);
    this.#valuePositions = column(values + 1);
    this.#valueSizes = column(values);
    this.#valueCrcs = column(values);
    this.#valuesOffset = imagePageSize * (pages + 1);
    this.#checkRuns();
    this.#checkValues();
  }

  get lsn(): Lsn {
    return this.frame.begin;
  }

  /** Memory the index takes, in bytes. */
  get indexSize(): number {
    return this.frame.index.length;
  }

  /**
   * Adds the key's value to `out`, if it has one: a page (`isPage`; empty when all zero) or a value
   * that needs no older. Fails with `layer_page_checksum_mismatch`, `layer_value_checksum_mismatch`.
   */
  collect(key: Key, out: VersionList): boolean {
    const local = this.families.local(keyFamily(key));
    if (local < 0) return false;
    return this.#collectPage(local, key, out) || this.#collectValue(local, key, out);
  }

  /** How many pages, up to `count`, are stored one after the other from that of `key` on. */
  stretch(key: Key, count: number): number {
    return Math.min(count, this.#stored(key));
  }

  /**
   * Reads pages that are stored one after the other, from that of `key` on, at once and without a
   * copy. Fails with `layer_page_checksum_mismatch`, `layer_truncated`.
   */
  readStretch(key: Key, target: Uint8Array): void {
    const count = target.length / imagePageSize;
    assert(count > 0 && count <= this.#stored(key), 'the pages are stored one after the other');
    const local = this.families.local(keyFamily(key));
    const run = this.#runOf(local, keyBlock(key));
    this.#readPages(this.#runPages[run]! + keyBlock(key) - this.#runBlocks[run]!, target);
  }

  /** Every key that passes the filter once: family by family, in order, pages before values. */
  visitKeys(filter: KeyFilter, visit: (key: Key) => void): void {
    const { families } = this;
    for (let local = 0; local < families.count; local += 1) {
      if (!filter.hasFamily(families.id(local))) continue;
      const runsEnd = families.firstEntries[local + 1]!;
      for (let run = families.firstEntries[local]!; run < runsEnd; run += 1)
        this.#visitRun(makeKey(families.id(local), this.#runBlocks[run]!), run, visitFiltered);
      const valuesEnd = families.firstValues[local + 1]!;
      for (let at = families.firstValues[local]!; at < valuesEnd; at += 1)
        visitFiltered(makeKey(families.id(local), this.#valueBlocks[at]!));
    }
    function visitFiltered(key: Key): void {
      if (filter.has(key)) visit(key);
    }
  }

  /** Pages stored from that of `key` on; 0 when that one is not: absent or all zero. */
  #stored(key: Key): number {
    const local = this.families.local(keyFamily(key));
    const run = local < 0 ? -1 : this.#runOf(local, keyBlock(key));
    if (run < 0 || this.#runPages[run] === 0) return 0;
    return this.#runCounts[run]! - (keyBlock(key) - this.#runBlocks[run]!);
  }

  /** Reads pages from number `first` on, and verifies them. */
  #readPages(first: number, pages: Uint8Array): void {
    const offset = first * imagePageSize;
    assert(pages.length % imagePageSize === 0, 'pages are read whole');
    const whole = this.#readInto(pages, offset);
    ensure(whole, 'layer_truncated', { offset, size: pages.length });
    for (let at = 0; at < pages.length; at += imagePageSize) {
      const page = first + at / imagePageSize;
      const expected = this.#pageCrcs[page - 1]!;
      const actual = crc32(pages, at, at + imagePageSize, valueSeed(this.frame.headerCrc, page));
      ensure(expected === actual, 'layer_page_checksum_mismatch', {
        offset: page * imagePageSize,
        expected,
        actual,
      });
    }
  }

  #visitRun(first: Key, run: number, visit: (key: Key) => void): void {
    const count = this.#runCounts[run]!;
    for (let into = 0; into < count; into += 1) visit((first + into) as Key);
  }

  #collectPage(local: number, key: Key, out: VersionList): boolean {
    const block = keyBlock(key);
    const run = this.#runOf(local, block);
    if (run < 0) return false;
    const firstPage = this.#runPages[run]!;
    if (firstPage === 0) {
      out.from(emptyChunk);
      out.push(this.lsn, 0, 0, versionFlags.page);
      return true;
    }
    const chunk = out.ownChunk(imagePageSize);
    this.#readPages(firstPage + block - this.#runBlocks[run]!, chunk.bytes);
    out.from(chunk);
    out.push(this.lsn, 0, imagePageSize, versionFlags.page);
    return true;
  }

  #collectValue(local: number, key: Key, out: VersionList): boolean {
    const begin = this.families.firstValues[local]!;
    const end = this.families.firstValues[local + 1]!;
    const at = lastAtOrBelow(this.#valueBlocks, begin, end, keyBlock(key));
    if (at < begin || this.#valueBlocks[at] !== keyBlock(key)) return false;
    const position = this.#valuePositions[at]!;
    const size = (this.#valuePositions[at + 1]! - position) * alignment;
    const value = readWhole(this.#readAt, this.#valuesOffset + position * alignment, size);
    const expected = this.#valueCrcs[at]!;
    const actual = crc32(value, 0, size, valueSeed(this.frame.headerCrc, position));
    ensure(expected === actual, 'layer_value_checksum_mismatch', { position, expected, actual });
    out.from(chunkOf(value));
    out.push(this.lsn, 0, this.#valueSizes[at]!, versionFlags.init);
    return true;
  }

  /** The run that holds a block, or -1. */
  #runOf(local: number, block: number): number {
    const begin = this.families.firstEntries[local]!;
    const end = this.families.firstEntries[local + 1]!;
    const run = lastAtOrBelow(this.#runBlocks, begin, end, block);
    return run >= begin && block - this.#runBlocks[run]! < this.#runCounts[run]! ? run : -1;
  }

  /** Stored pages follow each other without a gap, and no block is in two runs. */
  #checkRuns(): void {
    let nextPage = 1;
    let blocks = 0;
    for (let local = 0; local < this.families.count; local += 1) {
      let nextBlock = 0;
      const end = this.families.firstEntries[local + 1]!;
      for (let run = this.families.firstEntries[local]!; run < end; run += 1) {
        const [block, page] = [this.#runBlocks[run]!, this.#runPages[run]!];
        const count = this.#runCounts[run]!;
        const inOrder = block >= nextBlock && block + count <= blocksMax && count > 0;
        const inPlace = page === 0 || page === nextPage;
        ensure(inOrder && inPlace, 'layer_index_malformed', { run, block, count, page });
        nextBlock = block + count;
        nextPage += page === 0 ? 0 : count;
        blocks += count;
      }
    }
    const { pages, values, versions } = this.frame;
    const whole = nextPage === pages + 1 && blocks + values === versions;
    ensure(whole, 'layer_index_malformed', { pages, blocks, values, versions });
  }

  #checkValues(): void {
    const positions = this.#valuePositions;
    for (let at = 0; at < this.#valueSizes.length; at += 1) {
      const room = (positions[at + 1]! - positions[at]!) * alignment;
      const size = this.#valueSizes[at]!;
      const fits = size <= room && room - size < alignment;
      ensure(fits, 'layer_index_malformed', { value: at, room, size });
    }
    const begin = positions[0]!;
    const valuesEnd = this.#valuesOffset + positions.at(-1)! * alignment;
    const whole = begin === 0 && valuesEnd === this.frame.indexOffset;
    ensure(whole, 'layer_index_malformed', { begin, valuesEnd });
  }
}

/** Opens an image file of `size` bytes. Fails, `corrupt`, with what is wrong with it. */
export function openImage(source: ImageSource, size: number, families: FamilyTable): ImageLayer {
  return new ImageLayer(readFrame(imageFormat, source.readAt, size), source, families);
}

/** The last index in `[begin, end)` of a sorted column whose number is at or below `wanted`. */
function lastAtOrBelow(column: Uint32Array, begin: number, end: number, wanted: number): number {
  let low = begin;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (column[middle]! <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
