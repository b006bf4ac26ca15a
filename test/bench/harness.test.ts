/**
 * How figures are judged and shown.
 */
import { equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { figure, formatReport, isGoalMet, median } from '../../bench/harness.ts';

const half = { what: 'reads', unit: 'tps', host: 50, peer: 100 };

test('harness: a goal of a ratio is judged by host over peer', () => {
  equal(isGoalMet(figure({ ...half, goal: { of: 'ratio', bound: 'min', value: 0.5 } })), true);
  equal(isGoalMet(figure({ ...half, goal: { of: 'ratio', bound: 'min', value: 0.51 } })), false);
});

test('harness: a goal that is an upper bound is missed above it', () => {
  equal(isGoalMet(figure({ ...half, goal: { of: 'host', bound: 'max', value: 50 } })), true);
  equal(isGoalMet(figure({ ...half, goal: { of: 'host', bound: 'max', value: 49 } })), false);
});

test('harness: a goal of a ratio without a peer is open', () => {
  const goal = { of: 'ratio', bound: 'min', value: 0.5 } as const;

  equal(isGoalMet(figure({ ...half, peer: null, goal })), null);
});

test('harness: a report as text has figure, peer, ratio and verdict in one line', () => {
  const goal = { of: 'ratio', bound: 'min', value: 0.6 } as const;
  const report = { question: 'q', settings: { scale: 5 }, figures: [figure({ ...half, goal })] };

  match(formatReport(report), /reads +50\.0 tps +100 tps +0\.500 +ratio >= 0\.6: missed/);
});

test('harness: the median of an odd number of values is the middle one, whatever their order', () => {
  equal(median([30, 1, 2]), 2);
});
