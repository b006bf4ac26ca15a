/**
 * Copies between a record and a page: a memcpy over `DataView`s, which makes no object for the few
 * bytes most tuples have.
 */

/** From here on two views cost less than the loop. */
const wideSize = 128;

/** Copies `size` bytes. Source and target do not overlap; beyond either view is a RangeError. */
// eslint-disable-next-line max-params -- a memcpy, on a hot path
export function copyBytes(
  target: DataView,
  at: number,
  source: DataView,
  from: number,
  size: number,
): void {
  if (size > wideSize) {
    copyWide(target, at, new Uint8Array(source.buffer, source.byteOffset + from, size));
    return;
  }
  let done = 0;
  for (; done + 4 <= size; done += 4)
    target.setUint32(at + done, source.getUint32(from + done, true), true);
  for (; done < size; done += 1) target.setUint8(at + done, source.getUint8(from + done));
}

function copyWide(target: DataView, at: number, source: Uint8Array): void {
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(source, at);
}

/** Sets bytes [begin, end) of `target` to `value`. */
export function fillBytes(target: DataView, begin: number, end: number, value: number): void {
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).fill(value, begin, end);
}
