/**
 * CRC-32C against RFC 3720's values, and its fast paths against each other.
 */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../src/base/crc32c.ts';

test('crc32c: gives the checksums of RFC 3720 B.4', () => {
  equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  equal(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e);
});

test('crc32c: long data, wherever it begins and ends, has the checksum of its bytes one by one', () => {
  const data = Uint8Array.from({ length: 9_000 }, (_, at) => (at * 7_919) >>> 3).subarray(8);

  for (const [begin, end] of [
    [0, 8_192],
    [3, 8_195],
    [1, 1_026],
    [5, 8_990],
  ] as const) {
    let slowly = 7;
    for (let at = begin; at < end; at += 1) slowly = crc32c(data, at, at + 1, slowly);
    equal(crc32c(data, begin, end, 7), slowly);
  }
});
