/**
 * Log lines.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { formatJson, formatText, type LogEntry } from '../../src/io/log.ts';

const entry: LogEntry = {
  time_ms: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  level: 'warn',
  thread: 'wal',
  source: 'acceptor/1',
  text: 'sync slow',
  values: { took_ms: 812, path: 'a b', last: null },
};

test('log: a text line quotes what would not read back', () => {
  equal(
    formatText(entry),
    '2026-01-02T03:04:05.678Z warn wal acceptor/1: sync slow took_ms=812 path="a b" last=null',
  );
});

test('log: a JSON line has the values beside the fixed fields', () => {
  deepEqual(JSON.parse(formatJson(entry)), {
    time: '2026-01-02T03:04:05.678Z',
    level: 'warn',
    thread: 'wal',
    source: 'acceptor/1',
    text: 'sync slow',
    took_ms: 812,
    path: 'a b',
    last: null,
  });
});

test('log: a line break in a value stays on the line', () => {
  equal(formatText({ ...entry, values: { stack: 'a\nb' } }).split('\n').length, 1);
});
