/**
 * DeltaCursor: the versions of a delta file in file order, read ahead some segments at a time. What
 * compaction merges. Every segment is verified before its first version is shown.
 */
import { makeKey, type Key } from '../base/key.ts';
import { lsnZero, type Lsn } from '../base/lsn.ts';
import { SegmentHead, SegmentRow, type DeltaLayer } from './delta-layer.ts';
import { type VersionCursor } from './version-cursor.ts';
import { chunkOf, emptyChunk, type Chunk } from './version-list.ts';

/** Segments are read together up to this size; a larger one is read alone. */
const readSizeMax = 2 ** 18;

export class DeltaCursor implements VersionCursor {
  ended = false;
  key = 0 as Key;
  lsn: Lsn = lsnZero;
  init = false;
  chunk: Chunk = emptyChunk;
  offset = 0;
  size = 0;
  readonly #layer: DeltaLayer;
  /** The file's number of the current family. */
  #local = 0;
  /** The next segment to enter. */
  #segment = 0;
  /** Segments `[#readFrom, #readTo)` are in `chunk`. */
  #readFrom = 0;
  #readTo = 0;
  #firstLsn: Lsn = lsnZero;
  /** Places in `chunk`: the next row, where rows end, the next value. */
  #row = 0;
  #rowsEnd = 0;
  #value = 0;

  constructor(layer: DeltaLayer) {
    this.#layer = layer;
    this.advance();
  }

  advance(): void {
    if (this.#row === this.#rowsEnd && !this.#enterSegment()) {
      this.ended = true;
      return;
    }
    const { view } = this.chunk;
    const sized = SegmentRow.sized.get(view, this.#row);
    this.lsn = (this.#firstLsn + SegmentRow.lsnAfterFirst.get(view, this.#row)) as Lsn;
    this.init = (sized & 1) !== 0;
    this.size = sized >>> 1;
    this.offset = this.#value;
    this.#value += this.size;
    this.#row += SegmentRow.size;
  }

  #enterSegment(): boolean {
    const layer = this.#layer;
    const segment = this.#segment;
    if (segment === layer.segmentCount) return false;
    if (segment === this.#readTo) this.#read();
    const at = layer.segmentOffset(segment) - layer.segmentOffset(this.#readFrom);
    layer.checkSegment(segment, this.chunk.view, at);
    while (segment >= layer.families.firstEntries[this.#local + 1]!) this.#local += 1;
    this.key = makeKey(layer.families.id(this.#local), layer.segmentBlock(segment));
    this.#firstLsn = layer.segmentLsn(segment);
    this.#row = at + SegmentHead.size;
    this.#rowsEnd = this.#row + SegmentHead.versions.get(this.chunk.view, at) * SegmentRow.size;
    this.#value = this.#rowsEnd;
    this.#segment = segment + 1;
    return true;
  }

  #read(): void {
    const layer = this.#layer;
    const first = this.#segment;
    const limit = layer.segmentOffset(first) + readSizeMax;
    let end = first + 1;
    while (end < layer.segmentCount && layer.segmentOffset(end + 1) <= limit) end += 1;
    this.chunk = chunkOf(layer.readSegments(first, end));
    this.#readFrom = first;
    this.#readTo = end;
  }
}
