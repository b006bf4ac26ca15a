/**
 * Reading ahead: the same bytes with fewer reads.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ReadAhead } from '../../src/io/read-ahead.ts';

const file = Uint8Array.from({ length: 1_000_000 }, (_, at) => (at * 31) >>> 4);
const piece_bytes = 8_000;

/** A reader of `file`, and the offset and size of every read it made. */
function reading(): { readonly ahead: ReadAhead; readonly reads: [number, number][] } {
  const reads: [number, number][] = [];
  const ahead = new ReadAhead((target, offset) => {
    reads.push([offset, target.length]);
    target.set(file.subarray(offset, offset + target.length));
  }, file.length);
  return { ahead, reads };
}

test('read-ahead: from front to back it gives the file, in few reads', () => {
  const { ahead, reads } = reading();

  const pieces: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += piece_bytes)
    pieces.push(ahead.readAt(at, Math.min(piece_bytes, file.length - at)));

  equal(Buffer.compare(Buffer.concat(pieces), file), 0);
  equal(reads.length < 12, true, `${reads.length} reads of ${pieces.length} pieces`);
});

test('read-ahead: a read elsewhere has its own size', () => {
  const { ahead, reads } = reading();

  for (const at of [800_000, 400_000, 200_000]) ahead.readAt(at, 80);

  deepEqual(reads, [
    [800_000, 80],
    [400_000, 80],
    [200_000, 80],
  ]);
});

test('read-ahead: never reads past the end of the file', () => {
  const { ahead, reads } = reading();
  const near = file.length - 10_000;

  ahead.readAt(near, 80);
  const last = ahead.readAt(near + 80, 9_920);

  equal(Buffer.compare(last, file.subarray(near + 80)), 0);
  equal(
    reads.every(([offset, size]) => offset + size <= file.length),
    true,
  );
});

test('read-ahead: what begins at an odd offset is still aligned where it is', () => {
  const { ahead } = reading();
  for (const at of [0, 8]) ahead.readAt(at, 8); // the second has read ahead

  const odd = ahead.readAt(21, 100);

  equal(odd.byteOffset % 8, 0);
  equal(Buffer.compare(odd, file.subarray(21, 121)), 0);
});
