/**
 * The runtime's benchmark still runs.
 */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { measureRuntime } from '../../bench/runtime.ts';

test('bench: the runtime’s measurements complete', async () => {
  equal((await measureRuntime(100)).length, 6);
});
