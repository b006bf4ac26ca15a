/** Builders for layer tests: keys, values, files in memory, a seeded random generator, and a model. */
import { crc32 } from '../../src/base/crc32.ts';
import { Failure } from '../../src/base/failure.ts';
import { keyKinds, makeKey, type FamilyTable, type Key, type KeyKind } from '../../src/base/key.ts';
import { lsn, type Lsn } from '../../src/base/lsn.ts';
import { ChunkPool } from '../../src/layers/arena.ts';
import { openDelta, type DeltaLayer } from '../../src/layers/delta-layer.ts';
import { writeDelta, type LayerSummary } from '../../src/layers/delta-writer.ts';
import { openImage, type ImageLayer, type ImageSource } from '../../src/layers/image-layer.ts';
import { type ImageWriter } from '../../src/layers/image-writer.ts';
import { KeyFilter, wholeKeySpace, type KeyRange } from '../../src/layers/key-range.ts';
import { formatLayerName, type LayerDescription } from '../../src/layers/layer-description.ts';
import { LayerFooter, type ReadAt } from '../../src/layers/layer-file.ts';
import {
  LayerMap,
  type Ancestor,
  type DeltaEntry,
  type ImageEntry,
} from '../../src/layers/layer-map.ts';
import { OpenLayer } from '../../src/layers/open-layer.ts';
import { type VersionCursor } from '../../src/layers/version-cursor.ts';
import { type VersionList } from '../../src/layers/version-list.ts';

export const timeline = Uint8Array.from({ length: 16 }, (_, at) => at + 1);
export const pool = new ChunkPool(8 * 2 ** 20);

/** A version as tests compare it: its LSN and its bytes as text. */
export type Seen = readonly [number, string];

export function everyKey(families: FamilyTable): KeyFilter {
  return new KeyFilter(families, wholeKeySpace);
}

export function textBytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function seenIn(list: VersionList): Seen[] {
  return Array.from({ length: list.count }, (_, at) => [list.lsn(at), textOf(list.bytes(at))]);
}

export interface KeyParts {
  readonly kind?: KeyKind;
  readonly database?: number;
  readonly relation?: number;
  readonly fork?: number;
  readonly block?: number;
}

export function keyIn(families: FamilyTable, parts: KeyParts): Key {
  const { kind = keyKinds.relationBlock, database = 5, relation = 1, fork = 0, block = 0 } = parts;
  return makeKey(families.id(kind, 1663, database, relation, fork), block);
}

export function openLayer(families: FamilyTable, begin = 0): OpenLayer {
  return new OpenLayer({ families, pool, begin: lsn(begin) });
}

export interface BuiltFile {
  readonly bytes: Uint8Array;
  readonly summary: LayerSummary;
}

/** All chunks of a file being written, in one piece. */
export function collectFile(chunks: Generator<Uint8Array, LayerSummary>): BuiltFile {
  const parts: Uint8Array[] = [];
  for (;;) {
    const step = chunks.next();
    if (step.done === true) return { bytes: Buffer.concat(parts), summary: step.value };
    parts.push(step.value.slice());
  }
}

export function readFrom(bytes: Uint8Array): ReadAt {
  return (offset, size) => bytes.subarray(offset, offset + size);
}

export function sourceOf(bytes: Uint8Array): ImageSource {
  return { readAt: readFrom(bytes), readInto };
  function readInto(target: Uint8Array, offset: number): boolean {
    const found = bytes.subarray(offset, offset + target.length);
    target.set(found);
    return found.length === target.length;
  }
}

export interface Lsns {
  readonly begin: number;
  readonly end: number;
}

export function deltaFile(
  families: FamilyTable,
  source: VersionCursor,
  { begin, end }: Lsns,
): BuiltFile {
  const sizeMax = Infinity;
  return collectFile(
    writeDelta(source, { families, timeline, begin: lsn(begin), end: lsn(end), sizeMax }),
  );
}

/** Freezes a layer at `lastLsn` and reopens it from the file it makes. */
export function deltaOf(layer: OpenLayer, lastLsn: number): DeltaLayer {
  layer.freeze(lsn(lastLsn));
  const lsns = { begin: layer.begin, end: lastLsn + 1 };
  const { bytes } = deltaFile(layer.families, layer.cursor(), lsns);
  return openDelta(readFrom(bytes), bytes.length, layer.families);
}

export function imageFile(writer: ImageWriter, keys: KeyRange = wholeKeySpace): BuiltFile {
  const summary = writer.finish(keys);
  return { bytes: writer.take().slice(), summary };
}

export function openFile(families: FamilyTable, bytes: Uint8Array): ImageLayer {
  return openImage(sourceOf(bytes), bytes.length, families);
}

export interface DescriptionParts extends Lsns {
  readonly kind: 'delta' | 'image';
  readonly keys?: KeyRange;
  readonly level?: 0 | 1;
  readonly size?: number;
}

export function description(parts: DescriptionParts): LayerDescription {
  const { kind, keys = wholeKeySpace, level = 0, size = 1_000 } = parts;
  const name = { kind, keys, begin: lsn(parts.begin), end: lsn(parts.end), generation: 1 };
  return { ...name, name: formatLayerName(name), level, size, checksum: 7 };
}

export function deltaEntry(reader: DeltaLayer, keys: KeyRange = wholeKeySpace): DeltaEntry {
  const { begin, end } = reader.frame;
  return { kind: 'delta', description: description({ kind: 'delta', keys, begin, end }), reader };
}

export function imageEntry(reader: ImageLayer, keys: KeyRange = wholeKeySpace): ImageEntry {
  const { begin, end } = reader.frame;
  return { kind: 'image', description: description({ kind: 'image', keys, begin, end }), reader };
}

/** The same file after a change to its index, with every checksum made to fit again. */
export function withIndex(whole: Uint8Array, change: (index: Uint8Array) => void): Uint8Array {
  const bytes = Uint8Array.from(whole);
  const footerAt = bytes.length - LayerFooter.size;
  const view = new DataView(bytes.buffer);
  const index = bytes.subarray(LayerFooter.indexOffset.get(view, footerAt), footerAt);
  change(index);
  LayerFooter.indexCrc.set(view, footerAt, crc32(index));
  const crc = crc32(bytes, footerAt, footerAt + LayerFooter.crc.offset);
  LayerFooter.crc.set(view, footerAt, crc);
  return bytes;
}

/** Whether reading fails, and as a corrupt file does. Any other error is thrown on. */
export function isCorrupt(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (error instanceof Failure) return error.kind === 'corrupt';
    throw error;
  }
}

/** Whole numbers in [0, bound), the same for the same seed. */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

export function emptyMap(
  families: FamilyTable,
  begin = 0,
  ancestor: Ancestor | null = null,
): LayerMap {
  return new LayerMap({ families, ancestor, open: openLayer(families, begin), entries: [] });
}

/** Freezes the open layer at `lastLsn` and writes all that is frozen. */
export function flush(map: LayerMap, lastLsn: Lsn): void {
  map.freeze(lastLsn, openLayer(map.families, lastLsn + 1));
  for (const layer of map.frozen.toReversed()) {
    if (layer.versionCount === 0) {
      map.frozenWritten(layer, null);
      continue;
    }
    const lsns = { begin: layer.begin, end: layer.end! };
    const { bytes, summary } = deltaFile(map.families, layer.cursor(), lsns);
    const delta = openDelta(readFrom(bytes), bytes.length, map.families);
    map.frozenWritten(layer, deltaEntry(delta, summary.keys));
  }
}

/** What a timeline holds, in the simplest terms: every version of every key, oldest first. */
export class Model {
  readonly versions = new Map<Key, { lsn: Lsn; init: boolean; text: string }[]>();

  put(key: Key, lsn: Lsn, init: boolean, text: string): void {
    const versions = this.versions.get(key) ?? [];
    this.versions.set(key, [...versions, { lsn, init, text }]);
  }

  /** Newest to oldest at or below `atOrBelow`, up to one that needs no older. */
  collect(key: Key, atOrBelow: Lsn): Seen[] {
    const seen: Seen[] = [];
    for (const version of (this.versions.get(key) ?? []).toReversed()) {
      if (version.lsn > atOrBelow) continue;
      seen.push([version.lsn, version.text]);
      if (version.init) break;
    }
    return seen;
  }
}
