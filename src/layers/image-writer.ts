/**
 * ImageWriter: builds an image file (image-layer.ts) from pages and values in key order, in one
 * pass. Memory: one chunk, all values that are not pages, and 4 bytes per page for the index.
 *
 * The caller adds until `full`, takes a chunk and writes it, and so on; `finish` adds the rest.
 */
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/crc32.ts';
import { keyBlock, keyFamily, type FamilyTable, type Key } from '../base/key.ts';
import { lsn as makeLsn, type Lsn } from '../base/lsn.ts';
import { ByteOutput } from './byte-output.ts';
import { type LayerSummary } from './delta-writer.ts';
import { buildFamilySection, type FamilyStart } from './family-section.ts';
import { imageFormat, imagePageSize } from './image-layer.ts';
import { rangeContains, type KeyRange } from './key-range.ts';
import {
  alignment,
  alignmentGap,
  buildFooter,
  buildHeader,
  footerChecksum,
  headerCrcOf,
  valueSeed,
} from './layer-file.ts';
import { NumberColumn } from './number-column.ts';

export interface ImageOptions {
  readonly families: FamilyTable;
  /** 16 bytes. */
  readonly timeline: Uint8Array;
  readonly lsn: Lsn;
}

export class ImageWriter {
  readonly #families: FamilyTable;
  readonly #headerCrc: number;
  readonly #output = new ByteOutput();
  readonly #starts: FamilyStart[] = [];
  readonly #runBlocks = new NumberColumn();
  readonly #runCounts = new NumberColumn();
  readonly #runPages = new NumberColumn();
  readonly #pageCrcs = new NumberColumn();
  readonly #valueBlocks = new NumberColumn();
  readonly #valuePositions = new NumberColumn();
  readonly #valueSizes = new NumberColumn();
  readonly #valueCrcs = new NumberColumn();
  /** Values wait here until the last page is out. */
  readonly #values = new ByteOutput();
  #firstKey: Key | null = null;
  #lastKey: Key | null = null;
  /** The run being extended: how many blocks, and whether they are all zero. */
  #runCount = 0;
  #runIsZero = false;
  #pagesAdded = 0;

  constructor({ families, timeline, lsn }: ImageOptions) {
    const header = buildHeader(imageFormat, { timeline, begin: lsn, end: makeLsn(lsn + 1) });
    this.#families = families;
    this.#headerCrc = headerCrcOf(header);
    this.#output.append(header);
  }

  /** Bytes of the file so far, values included. */
  get size(): number {
    return this.#output.offset + this.#values.offset;
  }

  /** Whether a chunk should be taken. */
  get full(): boolean {
    return this.#output.full;
  }

  /** The chunk to write next; valid until the next call of any other kind. */
  take(): Uint8Array {
    return this.#output.take();
  }

  /** Adds a page of 8192 bytes. Keys come in order. */
  addPage(key: Key, page: Uint8Array): void {
    assert(page.length === imagePageSize, 'a page is 8192 bytes');
    const isZero = page.every(isZeroByte);
    if (!this.#extendsRun(key, isZero)) this.#startRun(key, isZero);
    this.#follow(key);
    this.#runCount += 1;
    this.#pagesAdded += 1;
    if (isZero) return;
    const number = this.#pageCrcs.count + 1;
    const seed = valueSeed(this.#headerCrc, number);
    this.#pageCrcs.push(crc32(page, 0, imagePageSize, seed));
    this.#output.append(page);
  }

  /** Adds any other value; an empty one says "there is none" and takes no room. Keys come in order. */
  addValue(key: Key, value: Uint8Array): void {
    this.#endRun();
    this.#startFamily(key);
    this.#follow(key);
    const position = this.#values.offset / alignment;
    this.#valueBlocks.push(keyBlock(key));
    this.#valuePositions.push(position);
    this.#valueSizes.push(value.length);
    const padded = new Uint8Array(value.length + alignmentGap(value.length));
    padded.set(value);
    const seed = valueSeed(this.#headerCrc, position);
    this.#valueCrcs.push(crc32(padded, 0, padded.length, seed));
    this.#values.append(padded);
  }

  /** Adds values, index and footer, to be taken as the last chunk. The image speaks for `keys`. */
  finish(keys: KeyRange): LayerSummary {
    for (const key of [this.#firstKey, this.#lastKey])
      assert(key === null || rangeContains(this.#families, keys, key), 'keys lie in the range');
    this.#endRun();
    this.#output.append(this.#values.take());
    this.#valuePositions.push(this.#values.offset / alignment);
    const versions = this.#pagesAdded + this.#valueBlocks.count;
    const indexOffset = this.#output.offset;
    const index = this.#buildIndex();
    const footer = buildFooter(imageFormat, {
      versions,
      families: this.#starts.length,
      entries: this.#runBlocks.count,
      pages: this.#pageCrcs.count,
      values: this.#valueBlocks.count,
      headerCrc: this.#headerCrc,
      indexOffset,
      index,
    });
    this.#output.append(index);
    this.#output.append(footer);
    return { keys, size: this.#output.offset, checksum: footerChecksum(footer), versions };
  }

  #buildIndex(): Uint8Array {
    const index = new ByteOutput();
    index.append(buildFamilySection(this.#starts));
    for (const column of [this.#runBlocks, this.#runCounts, this.#runPages, this.#pageCrcs])
      index.append(column.bytes());
    index.append(this.#valueBlocks.bytes());
    index.append(this.#valuePositions.bytes());
    index.append(this.#valueSizes.bytes());
    index.append(this.#valueCrcs.bytes());
    index.align();
    return index.take();
  }

  #extendsRun(key: Key, isZero: boolean): boolean {
    if (this.#runCount === 0 || this.#runIsZero !== isZero || this.#lastKey === null) return false;
    return key === this.#lastKey + 1 && keyFamily(key) === keyFamily(this.#lastKey);
  }

  #startRun(key: Key, isZero: boolean): void {
    this.#endRun();
    this.#startFamily(key);
    this.#runBlocks.push(keyBlock(key));
    this.#runPages.push(isZero ? 0 : this.#pageCrcs.count + 1);
    this.#runIsZero = isZero;
  }

  #endRun(): void {
    if (this.#runCount > 0) this.#runCounts.push(this.#runCount);
    this.#runCount = 0;
  }

  #startFamily(key: Key): void {
    if (this.#lastKey !== null && keyFamily(key) === keyFamily(this.#lastKey)) return;
    this.#starts.push({
      family: this.#families.family(keyFamily(key)),
      firstEntry: this.#runBlocks.count,
      firstValue: this.#valueBlocks.count,
    });
  }

  #follow(key: Key): void {
    const last = this.#lastKey;
    assert(last === null || this.#families.compare(last, key) < 0, 'keys come in order, once');
    this.#firstKey ??= key;
    this.#lastKey = key;
  }
}

function isZeroByte(byte: number): boolean {
  return byte === 0;
}
