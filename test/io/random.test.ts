/**
 * The seeded generator.
 */
import { deepEqual, notDeepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../src/io/random.ts';

function draw(seed: number): number[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: 8 }, () => random.below(1_000));
}

test('seeded random: a seed gives the same numbers for ever', () => {
  deepEqual(draw(1), [563, 585, 895, 946, 272, 306, 594, 452]);
});

test('seeded random: another seed gives others', () => {
  notDeepEqual(draw(1), draw(2));
});

test('seeded random: numbers fall evenly below their bound', () => {
  const random = new SeededRandom(3);
  const counts = Array.from({ length: 10 }, () => 0);

  for (let round = 0; round < 10_000; round += 1) counts[random.below(10)]! += 1;

  ok(Math.min(...counts) > 850 && Math.max(...counts) < 1_150, counts.join(' '));
});
