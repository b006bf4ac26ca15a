/**
 * DeltaLayer: an immutable file with the versions of many keys over an LSN range.
 *
 * Versions of one key lie together, oldest first, cut into **segments**: a read takes one or a few
 * segments and checks just those. The index, held in memory, has 16 bytes per segment.
 *
 * ```
 * header   64, layer-file.ts; magic STEMMADL
 * segment  0 CRC u32 of the rest | 4 versions u32 | versions × (LSN - first LSN u32, size * 2 + init u32) |
 *          values, back to back | zeros to a multiple of 8          (CRC seed: header CRC ^ position)
 * …
 * index    families × 24 (family-section.ts) | segments × block u32 | (segments + 1) × position u32 |
 *          segments × first LSN low u32 | segments × first LSN high u32 | 0 or 4 zeros
 * footer   64, layer-file.ts; entries = segments
 * ```
 *
 * A position is a file offset / 8, so a file ends at 32 GiB; the last one is where segments end.
 */
import { crc32 } from '../base/crc32.ts';
import { ensure, Failure } from '../base/failure.ts';
import {
  keyBlock,
  keyFamily,
  makeKey,
  type FamilyId,
  type FamilyTable,
  type Key,
} from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { struct, u32 } from '../base/struct.ts';
import { FamilyRow, FamilySection } from './family-section.ts';
import { type BlockRange, type KeyFilter } from './key-range.ts';
import {
  alignment,
  readFrame,
  readWhole,
  valueSeed,
  type LayerFormat,
  type LayerFrame,
  type ReadAt,
} from './layer-file.ts';
import { chunkOf, versionFlags, type LsnLimits, type VersionList } from './version-list.ts';

export const deltaFormat: LayerFormat = {
  headMagic: 'STEMMADL',
  footMagic: 'DLSTEMMA',
  headerSize: 64,
};
export const SegmentHead = struct({ crc: u32, versions: u32 }, { size: 8 });
export const SegmentRow = struct({ lsnAfterFirst: u32, sized: u32 }, { size: 8 });

const twoPow32 = 2 ** 32;

export class DeltaLayer {
  readonly frame: LayerFrame;
  readonly families: FamilySection;
  readonly #readAt: ReadAt;
  readonly #blocks: Uint32Array;
  readonly #positions: Uint32Array;
  readonly #lsnsLow: Uint32Array;
  readonly #lsnsHigh: Uint32Array;

  constructor(frame: LayerFrame, readAt: ReadAt, families: FamilyTable) {
    const { index, entries: segments } = frame;
    const rowsAt = frame.families * FamilyRow.size;
    const columns = 4 * segments + 1;
    const expected = rowsAt + Math.ceil((columns * 4) / alignment) * alignment;
    ensure(index.length === expected, 'layer_index_malformed', { size: index.length, expected });
    const { view } = chunkOf(index);
    const place = { count: frame.families, entries: segments, values: 0 };
    const numbers = new Uint32Array(index.buffer, index.byteOffset + rowsAt, columns);
    this.frame = frame;
    this.#readAt = readAt;
    this.families = new FamilySection(view, place, families);
    this.#blocks = numbers.subarray(0, segments);
    this.#positions = numbers.subarray(segments, 2 * segments + 1);
    this.#lsnsLow = numbers.subarray(2 * segments + 1, 3 * segments + 1);
    this.#lsnsHigh = numbers.subarray(3 * segments + 1);
    this.#checkPositions();
    this.#checkOrder();
  }

  get segmentCount(): number {
    return this.#blocks.length;
  }

  /** Memory the index takes, in bytes. */
  get indexSize(): number {
    return this.frame.index.length;
  }

  /**
   * Adds the key's versions in (`above`, `atOrBelow`] to `out`, newest first, up to one that needs no
   * older. Returns whether it met such a one. Fails with `layer_value_checksum_mismatch`.
   */
  collect(key: Key, limits: LsnLimits, out: VersionList): boolean {
    const local = this.families.local(keyFamily(key));
    if (local < 0) return false;
    const block = keyBlock(key);
    const first = this.families.firstEntries[local]!;
    let segment = this.#lastSegment(local, block, limits.atOrBelow);
    for (; segment >= first && this.#blocks[segment] === block; segment -= 1) {
      if (this.#collectSegment(segment, limits, out)) return true;
      if (this.segmentLsn(segment) <= limits.above) return false;
    }
    return false;
  }

  /** Whether the key has a version within the limits. Fails as `collect` does. */
  hasVersion(key: Key, limits: LsnLimits): boolean {
    const local = this.families.local(keyFamily(key));
    if (local < 0) return false;
    const block = keyBlock(key);
    const segment = this.#lastSegment(local, block, limits.atOrBelow);
    const first = this.families.firstEntries[local]!;
    if (segment < first || this.#blocks[segment] !== block) return false;
    if (this.segmentLsn(segment) > limits.above) return true;
    return this.#newestLsn(segment, limits.atOrBelow) > limits.above;
  }

  /**
   * Visits, in order, the blocks whose versions may be within the limits. They are, for `certain`, when
   * a segment begins within; else only its last version tells.
   */
  visitChanged(
    family: FamilyId,
    blocks: BlockRange,
    limits: LsnLimits,
    visit: (block: number, certain: boolean) => void,
  ): void {
    const local = this.families.local(family);
    if (local < 0) return;
    const end = this.families.firstEntries[local + 1]!;
    let segment = this.#lastSegment(local, blocks.begin, -1) + 1;
    while (segment < end && this.#blocks[segment]! < blocks.end) {
      const block = this.#blocks[segment]!;
      let newest = -1;
      for (; segment < end && this.#blocks[segment] === block; segment += 1)
        if (this.segmentLsn(segment) <= limits.atOrBelow) newest = segment;
      if (newest !== -1) visit(block, this.segmentLsn(newest) > limits.above);
    }
  }

  segmentBlock(segment: number): number {
    return this.#blocks[segment]!;
  }

  segmentLsn(segment: number): Lsn {
    return (this.#lsnsHigh[segment]! * twoPow32 + this.#lsnsLow[segment]!) as Lsn;
  }

  /** File offset of a segment; that of `segmentCount` is where the last one ends. */
  segmentOffset(segment: number): number {
    return this.#positions[segment]! * alignment;
  }

  /** Segments `[first, end)` in one read, not yet verified. */
  readSegments(first: number, end: number): Uint8Array {
    const offset = this.segmentOffset(first);
    return readWhole(this.#readAt, offset, this.segmentOffset(end) - offset);
  }

  /** Verifies a segment that lies at `at` in `data`. Fails with `layer_value_checksum_mismatch`. */
  checkSegment(segment: number, data: DataView, at: number): void {
    const size = this.segmentOffset(segment + 1) - this.segmentOffset(segment);
    const bytes = new Uint8Array(data.buffer, data.byteOffset + at, size);
    const expected = SegmentHead.crc.get(data, at);
    const seed = valueSeed(this.frame.headerCrc, this.#positions[segment]!);
    const actual = crc32(bytes, SegmentHead.versions.offset, size, seed);
    ensure(expected === actual, 'layer_value_checksum_mismatch', {
      offset: this.segmentOffset(segment),
      expected,
      actual,
    });
    checkSegmentShape(data, at, size);
  }

  /** Every key that passes the filter once, in file order. */
  visitKeys(filter: KeyFilter, visit: (key: Key) => void): void {
    for (let local = 0; local < this.families.count; local += 1) {
      const id = this.families.id(local);
      if (!filter.hasFamily(id)) continue;
      const end = this.families.firstEntries[local + 1]!;
      let last = -1;
      for (let segment = this.families.firstEntries[local]!; segment < end; segment += 1) {
        const block = this.#blocks[segment]!;
        if (block === last) continue;
        last = block;
        const key = makeKey(id, block);
        if (filter.has(key)) visit(key);
      }
    }
  }

  /** The last segment of the family that begins at or before (block, lsn); may be another block's. */
  #lastSegment(local: number, block: number, lsn: number): number {
    const blocks = this.#blocks;
    let low = this.families.firstEntries[local]!;
    let high = this.families.firstEntries[local + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = blocks[middle]!;
      if (other < block || (other === block && this.segmentLsn(middle) <= lsn)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** LSN of a segment's newest version at or below `atOrBelow`, at which it begins at the latest. */
  #newestLsn(segment: number, atOrBelow: number): number {
    const { view } = chunkOf(this.readSegments(segment, segment + 1));
    this.checkSegment(segment, view, 0);
    const firstLsn = this.segmentLsn(segment);
    const last = SegmentHead.versions.get(view, 0) - 1;
    for (let row = SegmentHead.size + last * SegmentRow.size; ; row -= SegmentRow.size) {
      const lsn = firstLsn + SegmentRow.lsnAfterFirst.get(view, row);
      if (lsn <= atOrBelow || row === SegmentHead.size) return lsn;
    }
  }

  #collectSegment(segment: number, limits: LsnLimits, out: VersionList): boolean {
    const chunk = chunkOf(this.readSegments(segment, segment + 1));
    const { view } = chunk;
    this.checkSegment(segment, view, 0);
    const firstLsn = this.segmentLsn(segment);
    const count = SegmentHead.versions.get(view, 0);
    let row = SegmentHead.size;
    let end = SegmentHead.size + count * SegmentRow.size;
    const rowsEnd = end;
    for (; row < rowsEnd; row += SegmentRow.size) {
      if (firstLsn + SegmentRow.lsnAfterFirst.get(view, row) > limits.atOrBelow) break;
      end += SegmentRow.sized.get(view, row) >>> 1;
    }
    out.from(chunk);
    for (row -= SegmentRow.size; row >= SegmentHead.size; row -= SegmentRow.size) {
      const lsn = (firstLsn + SegmentRow.lsnAfterFirst.get(view, row)) as Lsn;
      if (lsn <= limits.above) return false;
      const sized = SegmentRow.sized.get(view, row);
      end -= sized >>> 1;
      const init = (sized & 1) !== 0;
      out.push(lsn, end, sized >>> 1, init ? versionFlags.init : versionFlags.none);
      if (init) return true;
    }
    return false;
  }

  #checkPositions(): void {
    const positions = this.#positions;
    const end = this.frame.indexOffset / alignment;
    let previous = deltaFormat.headerSize / alignment;
    ensure(positions[0] === previous, 'layer_index_malformed', { position: positions[0]! });
    for (let segment = 1; segment < positions.length; segment += 1) {
      const position = positions[segment]!;
      ensure(position > previous, 'layer_index_malformed', { position, previous });
      previous = position;
    }
    ensure(previous === end, 'layer_index_malformed', { segmentsEnd: previous, indexBegin: end });
  }

  /** Within a family segments go by block, then LSN, and all LSNs are the layer's. */
  #checkOrder(): void {
    const { firstEntries, count } = this.families;
    const { begin, end } = this.frame;
    for (let local = 0; local < count; local += 1) {
      let [lastBlock, lastLsn] = [-1, 0];
      for (let segment = firstEntries[local]!; segment < firstEntries[local + 1]!; segment += 1) {
        const block = this.#blocks[segment]!;
        const lsn = this.segmentLsn(segment);
        const sorted = block > lastBlock || (block === lastBlock && lsn >= lastLsn);
        const inLayer = lsn >= begin && lsn < end;
        if (!sorted || !inLayer)
          throw new Failure('layer_index_malformed', { segment, block, lsn });
        lastBlock = block;
        lastLsn = lsn;
      }
    }
  }
}

/** Opens a delta file of `size` bytes. Fails, `corrupt`, with what is wrong with it. */
export function openDelta(readAt: ReadAt, size: number, families: FamilyTable): DeltaLayer {
  return new DeltaLayer(readFrame(deltaFormat, readAt, size), readAt, families);
}

/** Rows and values must fill the segment, up to its alignment. */
function checkSegmentShape(data: DataView, at: number, size: number): void {
  const count = SegmentHead.versions.get(data, at);
  let end = SegmentHead.size + count * SegmentRow.size;
  ensure(count > 0 && end <= size, 'layer_value_malformed', { count, size });
  const rowsEnd = at + end;
  for (let row = at + SegmentHead.size; row < rowsEnd; row += SegmentRow.size)
    end += SegmentRow.sized.get(data, row) >>> 1;
  ensure(end <= size && size - end < alignment, 'layer_value_malformed', { count, size, end });
}
