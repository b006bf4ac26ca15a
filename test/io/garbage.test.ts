/** Memory that is given back when its use is over. */
import { equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { collectGarbageSoon } from '../../src/io/garbage.ts';

test('garbage: what nobody refers to any more is collected, what somebody does is not', async () => {
  const kept = { bytes: new SharedArrayBuffer(2 ** 30) };
  const references = [new WeakRef({ bytes: new SharedArrayBuffer(2 ** 30) }), new WeakRef(kept)];
  await turn(); // the end of the job that made them

  collectGarbageSoon();
  await turn();

  const [dropped, held] = references.map((reference) => reference.deref());
  equal(dropped, undefined);
  notEqual(held, undefined);
  equal(kept.bytes.byteLength, 2 ** 30);
});
