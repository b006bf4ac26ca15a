/** When the silence of a follower means that it has gone. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { onSilence } from '../../../src/actors/wal-sender/client.ts';

const timeout_ms = 60_000;

for (const [phase, quiet_ms, pinged, then] of [
  ['streaming', 29_999, false, 'wait'],
  ['streaming', 30_000, false, 'ping'],
  ['streaming', 59_999, true, 'wait'],
  ['streaming', 60_000, true, 'end'],
  ['streaming', 60_000, false, 'end'],
  ['idle', 3_600_000, false, 'wait'],
  ['starting', 59_999, false, 'wait'],
  ['starting', 60_000, false, 'end'],
  ['ending', 59_999, false, 'wait'],
  ['ending', 60_000, false, 'end'],
] as const)
  test(`silence: ${phase}, ${quiet_ms} ms${pinged ? ' in spite of a ping' : ''}: ${then}`, () => {
    equal(onSilence({ phase, quiet_ms, pinged }, timeout_ms), then);
  });
