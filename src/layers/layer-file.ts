/**
 * LayerFile: what delta and image files have in common: a header that is known before the first
 * value, a footer that is known after the last, and the checks that a file is whole.
 *
 * ```
 * header   0 magic 8 | 8 version u16 | 10 flags u16 | 12 header size u32 | 16 timeline 16 |
 *          32 begin LSN u64 | 40 end LSN u64 | 48 zero 12 | 60 CRC u32 of the rest of the header
 * body     values, 8-byte aligned, each under a checksum of its own
 * index    8-byte aligned, one checksum over all of it
 * footer   0 magic 8 | 8 file size u64 | 16 index offset u64 | 24 versions u64 | 32 families u32 |
 *          36 entries u32 | 40 pages u32 | 44 values u32 | 48 header CRC u32 | 52 index CRC u32 |
 *          56 zero 4 | 60 CRC u32 of the rest of the footer
 * ```
 *
 * Checksums are CRC-32. Those of values start from the header's CRC and the value's place, so bytes
 * of another file or of another place in this one do not pass. A failure names what is wrong; which
 * file it is, the caller adds.
 */
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/crc32.ts';
import { ensure } from '../base/failure.ts';
import { type FailureCode } from '../base/failure-codes.ts';
import { type FamilyTable } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { bytes, lsnField, padding, struct, u16, u32, u64 } from '../base/struct.ts';
import { chunkOf } from './version-list.ts';

/**
 * Reads `size` bytes at `offset` of one file. Synchronous. What it returns must stay as it is until
 * the read it belongs to is over: the caller does not copy. Shorter than asked only at the file's end.
 */
export type ReadAt = (offset: number, size: number) => Uint8Array;
/** Fills `target` from `offset` on. Synchronous. False when the file ends before. */
export type ReadInto = (target: Uint8Array, offset: number) => boolean;

const LayerHeader = struct(
  {
    magic: bytes(8),
    version: u16,
    flags: u16,
    headerSize: u32,
    timeline: bytes(16),
    begin: lsnField,
    end: lsnField,
    zero: padding(12),
    crc: u32,
  },
  { size: 64 },
);

export const LayerFooter = struct(
  {
    magic: bytes(8),
    fileSize: u64,
    indexOffset: u64,
    versions: u64,
    families: u32,
    entries: u32,
    pages: u32,
    values: u32,
    headerCrc: u32,
    indexCrc: u32,
    zero: padding(4),
    crc: u32,
  },
  { size: 64 },
);

/** Everything in a file starts at a multiple of this. */
export const alignment = 8;
const formatVersion = 2;

/** What tells the two formats apart. */
export interface LayerFormat {
  readonly headMagic: string;
  readonly footMagic: string;
  readonly headerSize: number;
}

/** Whose layer it is, and of which LSNs; the end is exclusive. */
export interface LayerIdentity {
  /** 16 bytes. */
  readonly timeline: Uint8Array;
  readonly begin: Lsn;
  readonly end: Lsn;
}

export interface LayerOptions extends LayerIdentity {
  readonly families: FamilyTable;
}

/** What the footer counts. */
interface LayerCounts {
  readonly versions: number;
  readonly families: number;
  /** Delta: segments. Image: runs. */
  readonly entries: number;
  readonly pages: number;
  readonly values: number;
}

/** A file's header and footer, read and found in order. */
export interface LayerFrame extends LayerIdentity, LayerCounts {
  readonly headerCrc: number;
  readonly indexOffset: number;
  /** The verified index, aligned in memory. */
  readonly index: Uint8Array;
  readonly fileSize: number;
  readonly checksum: number;
}

/** The header's bytes. */
export function buildHeader(format: LayerFormat, identity: LayerIdentity): Uint8Array {
  assert(identity.begin < identity.end, 'a layer spans at least one LSN');
  const { bytes: header, view } = chunkOf(new Uint8Array(format.headerSize));
  LayerHeader.magic.set(view, 0, ascii(format.headMagic));
  LayerHeader.version.set(view, 0, formatVersion);
  LayerHeader.headerSize.set(view, 0, format.headerSize);
  LayerHeader.timeline.set(view, 0, identity.timeline);
  LayerHeader.begin.set(view, 0, identity.begin);
  LayerHeader.end.set(view, 0, identity.end);
  LayerHeader.crc.set(view, 0, headerCrcOf(header));
  return header;
}

/** The CRC a header carries: over all of it but the CRC itself. */
export function headerCrcOf(header: Uint8Array): number {
  const before = crc32(header, 0, LayerHeader.crc.offset);
  return crc32(header, LayerHeader.size, header.length, before);
}

export interface FooterParts extends LayerCounts {
  readonly headerCrc: number;
  readonly indexOffset: number;
  readonly index: Uint8Array;
}

/** The footer's bytes; its CRC is the file's checksum. */
export function buildFooter(format: LayerFormat, parts: FooterParts): Uint8Array {
  const { bytes: footer, view } = chunkOf(new Uint8Array(LayerFooter.size));
  assert(parts.indexOffset % alignment === 0, 'the index is aligned');
  LayerFooter.magic.set(view, 0, ascii(format.footMagic));
  LayerFooter.fileSize.set(view, 0, parts.indexOffset + parts.index.length + footer.length);
  LayerFooter.indexOffset.set(view, 0, parts.indexOffset);
  LayerFooter.versions.set(view, 0, parts.versions);
  LayerFooter.families.set(view, 0, parts.families);
  LayerFooter.entries.set(view, 0, parts.entries);
  LayerFooter.pages.set(view, 0, parts.pages);
  LayerFooter.values.set(view, 0, parts.values);
  LayerFooter.headerCrc.set(view, 0, parts.headerCrc);
  LayerFooter.indexCrc.set(view, 0, crc32(parts.index));
  LayerFooter.crc.set(view, 0, crc32(footer, 0, LayerFooter.crc.offset));
  return footer;
}

export function footerChecksum(footer: Uint8Array): number {
  return LayerFooter.crc.get(chunkOf(footer).view, 0);
}

/** Reads and verifies header, footer and index of a file of `size` bytes. */
export function readFrame(format: LayerFormat, readAt: ReadAt, size: number): LayerFrame {
  ensure(size >= format.headerSize + LayerFooter.size, 'layer_truncated', { size });
  const header = readWhole(readAt, 0, format.headerSize);
  const identity = checkHeader(format, header);
  const footer = readWhole(readAt, size - LayerFooter.size, LayerFooter.size);
  const { view } = chunkOf(footer);
  checkFooter(format, footer, size);
  const headerCrc = LayerFooter.headerCrc.get(view, 0);
  ensure(headerCrc === headerCrcOf(header), 'layer_header_of_another_file', { headerCrc });
  const indexOffset = LayerFooter.indexOffset.get(view, 0);
  const indexEnd = size - LayerFooter.size;
  ensure(
    indexOffset >= format.headerSize && indexOffset <= indexEnd && indexOffset % alignment === 0,
    'layer_index_malformed',
    { indexOffset, size },
  );
  const index = aligned(readWhole(readAt, indexOffset, indexEnd - indexOffset));
  const expected = LayerFooter.indexCrc.get(view, 0);
  const actual = crc32(index);
  ensure(expected === actual, 'layer_index_checksum_mismatch', { expected, actual });
  const checksum = LayerFooter.crc.get(view, 0);
  return {
    ...identity,
    ...readCounts(view),
    headerCrc,
    indexOffset,
    index,
    fileSize: size,
    checksum,
  };
}

/** Reads exactly `size` bytes; fails with `layer_truncated` when the file has fewer. */
export function readWhole(readAt: ReadAt, offset: number, size: number): Uint8Array {
  const found = readAt(offset, size);
  ensure(found.length === size, 'layer_truncated', { offset, size, found: found.length });
  return found;
}

/** Where the checksum of the value at `place` (a count of units of its format) starts from. */
export function valueSeed(headerCrc: number, place: number): number {
  return (headerCrc ^ place) >>> 0;
}

/** Bytes to add so that the next thing is aligned. */
export function alignmentGap(size: number): number {
  return -size & (alignment - 1);
}

function checkHeader(format: LayerFormat, header: Uint8Array): LayerIdentity {
  const { view } = chunkOf(header);
  checkMagic(format.headMagic, LayerHeader.magic.get(view, 0), 'layer_magic_wrong');
  const version = LayerHeader.version.get(view, 0);
  ensure(version === formatVersion, 'layer_version_unknown', { version });
  const expected = LayerHeader.crc.get(view, 0);
  const actual = headerCrcOf(header);
  ensure(expected === actual, 'layer_header_checksum_mismatch', { expected, actual });
  const headerSize = LayerHeader.headerSize.get(view, 0);
  ensure(headerSize === format.headerSize, 'layer_header_malformed', { headerSize });
  const flags = LayerHeader.flags.get(view, 0);
  ensure(flags === 0, 'layer_version_unknown', { version, flags });
  const begin = LayerHeader.begin.get(view, 0);
  const end = LayerHeader.end.get(view, 0);
  const lsnsInOrder = Number.isSafeInteger(end) && begin < end;
  ensure(lsnsInOrder, 'layer_header_malformed', { begin, end });
  return { timeline: LayerHeader.timeline.get(view, 0).slice(), begin, end };
}

function checkFooter(format: LayerFormat, footer: Uint8Array, size: number): void {
  const { view } = chunkOf(footer);
  checkMagic(format.footMagic, LayerFooter.magic.get(view, 0), 'layer_footer_missing');
  const expected = LayerFooter.crc.get(view, 0);
  const actual = crc32(footer, 0, LayerFooter.crc.offset);
  ensure(expected === actual, 'layer_footer_checksum_mismatch', { expected, actual });
  const fileSize = LayerFooter.fileSize.get(view, 0);
  ensure(fileSize === size, 'layer_size_wrong', { expected: fileSize, actual: size });
}

function readCounts(view: DataView): LayerCounts {
  return {
    versions: LayerFooter.versions.get(view, 0),
    families: LayerFooter.families.get(view, 0),
    entries: LayerFooter.entries.get(view, 0),
    pages: LayerFooter.pages.get(view, 0),
    values: LayerFooter.values.get(view, 0),
  };
}

function checkMagic(expected: string, actual: Uint8Array, code: FailureCode): void {
  const found = String.fromCharCode(...actual);
  ensure(found === expected, code, { expected, found: JSON.stringify(found) });
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The same bytes, starting at an address that 32-bit arrays can look at. */
function aligned(data: Uint8Array): Uint8Array {
  return data.byteOffset % alignment === 0 ? data : Uint8Array.from(data);
}
