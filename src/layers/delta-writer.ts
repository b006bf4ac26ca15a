/**
 * DeltaWriter: turns a stream of versions into the bytes of a delta file (delta-layer.ts), in one
 * pass and in order. Memory: one chunk, one segment, and 16 bytes per segment for the index.
 */
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/crc32.ts';
import { keyBlock, keyFamily, type FamilyId, type FamilyTable, type Key } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { ByteOutput } from './byte-output.ts';
import { deltaFormat, SegmentHead, SegmentRow } from './delta-layer.ts';
import { buildFamilySection, type FamilyStart } from './family-section.ts';
import { boundAfter, keyBound, type KeyRange } from './key-range.ts';
import {
  alignment,
  alignmentGap,
  buildFooter,
  buildHeader,
  footerChecksum,
  headerCrcOf,
  valueSeed,
  type LayerOptions,
} from './layer-file.ts';
import { NumberColumn } from './number-column.ts';
import { type VersionCursor } from './version-cursor.ts';
import { chunkOf, type Chunk } from './version-list.ts';

export interface DeltaOptions extends LayerOptions {
  /** The file ends at the first key that begins after so many bytes. */
  readonly sizeMax: number;
}

/** What became of a file once its last chunk is out. */
export interface LayerSummary {
  /** From the first key to just after the last; an image's is the range it was made for. */
  readonly keys: KeyRange;
  readonly size: number;
  readonly checksum: number;
  readonly versions: number;
}

/** A segment is closed when a value would take it past this. */
const segmentSizeMax = 32_768;
/** A version that needs no older one begins a new segment when the last has this much. */
const segmentSizeBeforeInit = 4_096;
const twoPow32 = 2 ** 32;

/**
 * The chunks of a delta file with the versions of `source`, up to `sizeMax`; the source is left on
 * the first version that is not in it. A chunk is valid until the next is asked for.
 */
export function* writeDelta(
  source: VersionCursor,
  options: DeltaOptions,
): Generator<Uint8Array, LayerSummary> {
  const writer = new DeltaWriter(options);
  const first = source.key;
  let last = first;
  do {
    last = source.key;
    writer.add(source);
    source.advance();
    if (writer.full) yield writer.take();
  } while (!source.ended && (source.key === last || writer.size < options.sizeMax));
  const checksum = writer.finish();
  const { families } = options;
  const keys = { begin: keyBound(families, first), end: boundAfter(families, last) };
  const { size, versionCount } = writer;
  yield writer.take();
  return { keys, size, checksum, versions: versionCount };
}

class DeltaWriter {
  versionCount = 0;
  readonly #output = new ByteOutput();
  readonly #families: FamilyTable;
  readonly #begin: Lsn;
  readonly #end: Lsn;
  readonly #headerCrc: number;
  readonly #starts: FamilyStart[] = [];
  readonly #blocks = new NumberColumn();
  readonly #positions = new NumberColumn();
  readonly #lsnsLow = new NumberColumn();
  readonly #lsnsHigh = new NumberColumn();
  readonly #segment = new SegmentBuffer();
  #key = -1;
  #family = -1;

  constructor(options: DeltaOptions) {
    const header = buildHeader(deltaFormat, options);
    this.#families = options.families;
    this.#begin = options.begin;
    this.#end = options.end;
    this.#headerCrc = headerCrcOf(header);
    this.#output.append(header);
  }

  /** Bytes of the file so far. */
  get size(): number {
    return this.#output.offset;
  }

  get full(): boolean {
    return this.#output.full;
  }

  take(): Uint8Array {
    return this.#output.take();
  }

  add(version: VersionCursor): void {
    assert(!version.ended, 'a delta layer has at least one version');
    assert(version.lsn >= this.#begin && version.lsn < this.#end, 'a version lies in its layer');
    if (version.key !== this.#key || !this.#segment.takes(version)) this.#startSegment(version);
    this.#segment.add(version);
    this.versionCount += 1;
  }

  /** Writes what is left, index and footer; returns the file's checksum. */
  finish(): number {
    this.#endSegment();
    const indexOffset = this.#output.offset;
    this.#positions.push(indexOffset / alignment);
    const index = new ByteOutput();
    index.append(buildFamilySection(this.#starts));
    for (const column of [this.#blocks, this.#positions, this.#lsnsLow, this.#lsnsHigh])
      index.append(column.bytes());
    index.align();
    const indexBytes = index.take();
    const footer = buildFooter(deltaFormat, {
      versions: this.versionCount,
      families: this.#starts.length,
      entries: this.#blocks.count,
      pages: 0,
      values: 0,
      headerCrc: this.#headerCrc,
      indexOffset,
      index: indexBytes,
    });
    this.#output.append(indexBytes);
    this.#output.append(footer);
    return footerChecksum(footer);
  }

  #startSegment({ key, lsn }: VersionCursor): void {
    this.#endSegment();
    this.#startFamily(key);
    assert(this.#output.offset % alignment === 0, 'a segment is aligned');
    this.#blocks.push(keyBlock(key));
    this.#positions.push(this.#output.offset / alignment);
    this.#lsnsLow.push(lsn % twoPow32);
    this.#lsnsHigh.push(Math.floor(lsn / twoPow32));
    this.#segment.start(lsn);
    this.#key = key;
  }

  #startFamily(key: Key): void {
    const family: FamilyId = keyFamily(key);
    if (family === this.#family) return;
    this.#family = family;
    this.#starts.push({
      family: this.#families.family(family),
      firstEntry: this.#blocks.count,
      firstValue: 0,
    });
  }

  #endSegment(): void {
    if (this.#segment.empty) return;
    const position = this.#output.offset / alignment;
    this.#output.append(this.#segment.finish(valueSeed(this.#headerCrc, position)));
  }
}

/** One segment being put together: rows in one buffer, values in another. */
class SegmentBuffer {
  #firstLsn = 0;
  #lastLsn = 0;
  #rowCount = 0;
  #valuesSize = 0;
  #rows: Chunk = chunkOf(new Uint8Array(SegmentRow.size * 512));
  #values = new Uint8Array(segmentSizeMax * 2);
  #whole: Chunk = chunkOf(new Uint8Array(segmentSizeMax * 2));

  get empty(): boolean {
    return this.#rowCount === 0;
  }

  /** Whether a version of the same key still fits, and does better here than in a new segment. */
  takes({ lsn, init, size }: VersionCursor): boolean {
    if (init && this.#valuesSize >= segmentSizeBeforeInit) return false;
    if (lsn - this.#firstLsn >= twoPow32) return false;
    const rowsSize = (this.#rowCount + 1) * SegmentRow.size;
    return this.empty || SegmentHead.size + rowsSize + this.#valuesSize + size <= segmentSizeMax;
  }

  start(firstLsn: Lsn): void {
    this.#firstLsn = firstLsn;
    this.#lastLsn = firstLsn;
    this.#rowCount = 0;
    this.#valuesSize = 0;
  }

  add({ lsn, init, chunk, offset, size }: VersionCursor): void {
    assert(lsn >= this.#lastLsn, 'versions of a key come in LSN order');
    this.#lastLsn = lsn;
    const row = this.#rowCount * SegmentRow.size;
    if (row === this.#rows.bytes.length) this.#rows = chunkOf(doubled(this.#rows.bytes, row * 2));
    SegmentRow.lsnAfterFirst.set(this.#rows.view, row, lsn - this.#firstLsn);
    SegmentRow.sized.set(this.#rows.view, row, size * 2 + (init ? 1 : 0));
    const valuesSize = this.#valuesSize + size;
    if (valuesSize > this.#values.length) this.#values = doubled(this.#values, valuesSize);
    this.#values.set(chunk.bytes.subarray(offset, offset + size), this.#valuesSize);
    this.#rowCount += 1;
    this.#valuesSize = valuesSize;
  }

  /** The segment's bytes, valid until the next; empties the buffer. */
  finish(crcSeed: number): Uint8Array {
    const rowsSize = this.#rowCount * SegmentRow.size;
    const unpadded = SegmentHead.size + rowsSize + this.#valuesSize;
    const size = unpadded + alignmentGap(unpadded);
    if (size > this.#whole.bytes.length) this.#whole = chunkOf(new Uint8Array(size * 2));
    const { bytes, view } = this.#whole;
    SegmentHead.versions.set(view, 0, this.#rowCount);
    bytes.set(this.#rows.bytes.subarray(0, rowsSize), SegmentHead.size);
    bytes.set(this.#values.subarray(0, this.#valuesSize), SegmentHead.size + rowsSize);
    bytes.fill(0, unpadded, size);
    SegmentHead.crc.set(view, 0, crc32(bytes, SegmentHead.versions.offset, size, crcSeed));
    this.#rowCount = 0;
    this.#valuesSize = 0;
    return bytes.subarray(0, size);
  }
}

function doubled(old: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(old.length * 2, size));
  larger.set(old);
  return larger;
}
