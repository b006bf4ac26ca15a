/**
 * Pglz: Postgres's own compression, of `wal_compression = pglz` (src/common/pg_lzcompress.c).
 *
 * ```
 * control byte, then one item per bit, lowest first: 0 a literal byte · 1 a match:
 *   offset bits 11–8 | length - 3 (4 bits)  ·  offset bits 7–0  ·  [more length, when it was 18]
 * ```
 */

const matchMin = 3;
/** A length nibble of 15 says that another byte adds to the length. */
const lengthNibbleMax = 0x0f;

/**
 * Decompresses `source` into `target[0, size)`. False unless it is well formed and both end together.
 */
export function pglzDecompress(source: Uint8Array, target: Uint8Array, size: number): boolean {
  let from = 0;
  let to = 0;
  while (from < source.length && to < size) {
    let control = source[from]!;
    from += 1;
    for (let item = 0; item < 8 && from < source.length && to < size; item += 1) {
      if ((control & 1) === 0) {
        target[to] = source[from]!;
        from += 1;
        to += 1;
      } else {
        const long = (source[from]! & lengthNibbleMax) === lengthNibbleMax;
        const itemSize = long ? 3 : 2;
        if (from + itemSize > source.length) return false;
        const offset = ((source[from]! & 0xf0) << 4) | source[from + 1]!;
        const wanted =
          (source[from]! & lengthNibbleMax) + matchMin + (long ? source[from + 2]! : 0);
        if (offset === 0 || offset > to) return false;
        const end = Math.min(to + wanted, size);
        for (; to < end; to += 1) target[to] = target[to - offset]!;
        from += itemSize;
      }
      control >>>= 1;
    }
  }
  return from === source.length && to === size;
}
