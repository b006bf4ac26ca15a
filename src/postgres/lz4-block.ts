/**
 * Lz4Block: decompression of one LZ4 block, of `wal_compression = lz4` (LZ4 block format
 * description, lz4/doc/lz4_Block_format.md).
 *
 * ```
 * sequence: token (literal length << 4 | match length - 4) · [more literal length] · literals ·
 *           offset (2 bytes, little-endian) · [more match length]     the last one has no match
 * ```
 * A nibble of 15 goes on in bytes that are added up, until one is not 255.
 */

const matchMin = 4;
const nibbleMax = 15;
/** Nowhere: more input was needed. */
const beyond = -1;

/** Length and position after reading a length that may go on: of the last `readLength`. */
let length = 0;

/** Decompresses `source` into `target[0, size)`. False unless it is well formed and fills it. */
export function lz4Decompress(source: Uint8Array, target: Uint8Array, size: number): boolean {
  let from = 0;
  let to = 0;
  while (from < source.length) {
    const token = source[from]!;
    from = readLength(source, from + 1, token >>> 4);
    if (from === beyond || from + length > source.length || to + length > size) return false;
    for (const end = from + length; from < end; from += 1, to += 1) target[to] = source[from]!;
    if (from === source.length) return to === size;

    if (from + 2 > source.length) return false;
    const offset = source[from]! | (source[from + 1]! << 8);
    from = readLength(source, from + 2, token & nibbleMax);
    const end = to + length + matchMin;
    if (from === beyond || offset === 0 || offset > to || end > size) return false;
    for (; to < end; to += 1) target[to] = target[to - offset]!;
  }
  return false;
}

/** Sets `length`; returns the position after it, or `beyond`. */
function readLength(source: Uint8Array, at: number, nibble: number): number {
  length = nibble;
  if (nibble !== nibbleMax) return at;
  for (let next = at; next < source.length; next += 1) {
    length += source[next]!;
    if (source[next] !== 255) return next + 1;
  }
  return beyond;
}
