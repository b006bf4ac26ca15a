/** Xids that wrap around. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  fullXidBefore,
  multixactPrecedes,
  nextFullXidPast,
  xidPrecedes,
} from '../../src/postgres/xid.ts';

const epoch = 2 ** 32;

test('xid: an xid precedes those up to 2^31 after it, also around the wrap', () => {
  equal(xidPrecedes(4_294_967_290, 10), true);
  equal(xidPrecedes(10, 4_294_967_290), false);
  equal(xidPrecedes(100, 101), true);
  equal(xidPrecedes(100, 100), false);
});

test('xid: permanent xids precede all normal ones', () => {
  equal(xidPrecedes(2, 4_294_967_290), true);
  equal(xidPrecedes(4_294_967_290, 2), false);
});

test('xid: multixacts have no permanent ones', () => {
  equal(multixactPrecedes(4_294_967_295, 0), true);
  equal(multixactPrecedes(0, 4_294_967_295), false);
});

test('xid: the next one moves past what is seen, and never back', () => {
  equal(nextFullXidPast(700, 700), 701);
  equal(nextFullXidPast(900, 700), 901);
  equal(nextFullXidPast(699, 700), 700);
  equal(nextFullXidPast(0, 700), 700);
});

test('xid: passing the last one of an epoch skips the permanent ones of the next', () => {
  equal(nextFullXidPast(epoch - 1, 3 * epoch + epoch - 1), 4 * epoch + 3);
  equal(nextFullXidPast(5, 3 * epoch + epoch - 2), 4 * epoch + 6);
});

test('xid: an xid above the next one is of the epoch before', () => {
  equal(fullXidBefore(100, 2 * epoch + 200), 2 * epoch + 100);
  equal(fullXidBefore(300, 2 * epoch + 200), epoch + 300);
  equal(fullXidBefore(300, 200), 300);
});
