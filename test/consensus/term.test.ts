/**
 * Term histories and quorums: the arithmetic the decisions rest on.
 */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { lsn, type Lsn } from '../../src/base/lsn.ts';
import { hasQuorum, quorumLsn, type Configuration } from '../../src/consensus/membership.ts';
import {
  assertHistory,
  compareLogs,
  cutHistory,
  highestCommonPoint,
  lastLogTerm,
  term,
  type TermHistory,
} from '../../src/consensus/term.ts';

/** `history([1, 100], [3, 200])`: term 1 from 100 on, term 3 from 200 on. */
function history(...entries: readonly (readonly [number, number])[]): TermHistory {
  return entries.map(([number, start]) => ({ term: term(number), start: lsn(start) }));
}

test('history: an entry counts once the log has reached its start', () => {
  const both = history([1, 100], [3, 200]);

  equal(lastLogTerm(both, lsn(199)), 1);
  equal(lastLogTerm(both, lsn(200)), 3);
  deepEqual(cutHistory(both, lsn(150)), history([1, 100]));
});

test('history: terms rise and starts do not fall', () => {
  throws(() => {
    assertHistory(history([2, 100], [2, 200]));
  }, /terms rise/);
  throws(() => {
    assertHistory(history([1, 200], [2, 100]));
  }, /starts never fall/);
});

test('logs: the higher last term is further, then the longer log', () => {
  const old = { history: history([1, 100]), flushLsn: lsn(900) };
  const young = { history: history([1, 100], [2, 300]), flushLsn: lsn(300) };
  const longer = { history: history([1, 100], [2, 300]), flushLsn: lsn(400) };

  ok(compareLogs(young, old) > 0);
  ok(compareLogs(longer, young) > 0);
  equal(compareLogs(young, young), 0);
});

const points: readonly (readonly [string, TermHistory, TermHistory, number, number | null])[] = [
  ['the same history: all of it', history([1, 100]), history([1, 100]), 500, 500],
  ['behind in a term both have', history([1, 100], [2, 300]), history([1, 100]), 250, 250],
  ['ahead in a term cut short', history([1, 100], [2, 300]), history([1, 100]), 500, 300],
  ['another term from 200 on', history([1, 100], [3, 300]), history([1, 100], [2, 200]), 400, 200],
  [
    'an entry it has not reached',
    history([1, 100], [2, 300]),
    history([1, 100], [2, 300]),
    200,
    200,
  ],
  [
    'an older term it ended later',
    history([1, 100], [4, 150]),
    history([1, 100], [2, 300]),
    400,
    150,
  ],
  ['nothing in common', history([2, 100]), history([1, 100]), 400, null],
];
for (const [name, proposer, acceptor, flush, expected] of points) {
  test(`common point: ${name}`, () => {
    const point = highestCommonPoint(proposer, { history: acceptor, flushLsn: lsn(flush) });

    equal(point, expected);
  });
}

test('common point: one term that starts in two places is a bug', () => {
  const log = { history: history([1, 100], [2, 250]), flushLsn: lsn(400) };

  throws(() => highestCommonPoint(history([1, 100], [2, 300]), log), /one place/);
});

const flushed: Readonly<Record<string, number>> = { a: 10, b: 20, c: 30, d: 40, e: 50 };
function reached(id: string): Lsn {
  return lsn(flushed[id]!);
}
function of(members: string, newMembers: string | null = null): Configuration {
  const joining = newMembers === null ? null : newMembers.split(' ');
  return { generation: 1, members: members.split(' '), newMembers: joining };
}

test('quorum: a majority has reached the middle one of the positions', () => {
  deepEqual(
    ['a', 'a b', 'a b c', 'a b c d', 'a b c d e'].map((members) => quorumLsn(of(members), reached)),
    [10, 10, 20, 20, 30],
  );
});

test('quorum: a joint configuration needs both majorities', () => {
  const joint = of('a b c', 'c d e');

  equal(quorumLsn(joint, reached), 20);
  ok(!hasQuorum(joint, (id) => 'ab'.includes(id)));
  ok(!hasQuorum(joint, (id) => 'de'.includes(id)));
  ok(hasQuorum(joint, (id) => 'acd'.includes(id)));
});
