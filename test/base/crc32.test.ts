/** CRC-32 against the check value of its catalogue entry, and in parts. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from '../../src/base/crc32.ts';

const digits = new TextEncoder().encode('123456789');

test('crc32: gives the check value of CRC-32/ISO-HDLC', () => {
  equal(crc32(digits), 0xcbf43926);
});

test('crc32: a part goes on from the part before, and takes only its own bytes', () => {
  const padded = new TextEncoder().encode('--123456789--');

  equal(crc32(padded, 5, 11, crc32(padded, 2, 5)), crc32(digits));
});
