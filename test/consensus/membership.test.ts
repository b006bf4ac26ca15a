import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../src/base/lsn.ts';
import {
  ensureNoContradiction,
  hasQuorum,
  hostOf,
  isMember,
  joinerId,
  mayBegin,
  mayDelete,
  memberOn,
  quorumLsn,
  type Configuration,
} from '../../src/consensus/membership.ts';
import { type ConfigureResult } from '../../src/consensus/messages.ts';
import { isOutOfReach, isReached, syncPoint } from '../../src/consensus/sync-point.ts';
import { term } from '../../src/consensus/term.ts';

const joint: Configuration = {
  generation: 4,
  members: ['a', 'b', 'c'],
  newMembers: ['a', 'b', 'c.4'],
};
const alone: Configuration = { generation: 5, members: ['a', 'b', 'c.4'], newMembers: null };

test('member: whoever the document names cannot begin a log again, lost or not', () => {
  for (const configuration of [joint, alone])
    for (const id of ['a', 'b', 'c', 'c.4']) equal(mayBegin(configuration, id), false, id);
});

test('member: a joiner may begin its log until the document has reached its generation', () => {
  const before: Configuration = { generation: 3, members: ['a', 'b', 'c'], newMembers: null };

  equal(mayBegin(before, joinerId('c', 4)), true);
  equal(mayBegin({ ...joint, newMembers: ['a', 'b', 'd.4'] }, joinerId('c', 4)), false);
});

test('member: what a host keeps of it may be deleted when no document can name it any more', () => {
  equal(mayDelete(alone, 'c'), true);
  equal(mayDelete(joint, 'c'), false);
  equal(mayDelete(alone, 'd.6'), false);
  equal(mayDelete(alone, 'd.5'), true);
});

test('member: on a host where one joins in the place of another, it is the one that joins', () => {
  deepEqual([memberOn(joint, 'c'), memberOn(joint, 'a'), memberOn(joint, 'd')], ['c.4', 'a', null]);
  deepEqual([hostOf('c.4'), hostOf('a')], ['c', 'a']);
});

test('member: of either set it has a say', () => {
  deepEqual(
    ['c', 'c.4', 'd'].map((id) => isMember(joint, id)),
    [true, true, false],
  );
});

test('configuration: one generation stands for one configuration', () => {
  ensureNoContradiction(joint, joint);
  ensureNoContradiction(joint, alone);
  const other = { ...joint, newMembers: null };
  throws(
    () => {
      ensureNoContradiction(joint, other);
    },
    { code: 'configuration_contradicts' },
  );
});

test('quorum: while joint, neither set alone decides', () => {
  equal(
    hasQuorum(joint, (id) => id === 'a' || id === 'c'),
    false,
  );
  equal(
    hasQuorum(joint, (id) => id === 'a' || id === 'c.4'),
    false,
  );
  equal(
    hasQuorum(joint, (id) => id !== 'b'),
    true,
  );
  const reached = { a: 10, b: 5, c: 20, 'c.4': 7 };
  equal(
    quorumLsn(joint, (id) => lsn(reached[id as 'a'])),
    7,
  );
});

test('sync point: the furthest log and the highest term of a majority of the old members', () => {
  const standings = [
    standing('a', { term: 9, log: [2, 500] }),
    standing('c', { term: 3, log: [3, 100] }),
  ];

  deepEqual(syncPoint(joint.members, standings), { term: 9, lastLogTerm: 3, flushLsn: 100 });
  equal(syncPoint(joint.members, standings.slice(1)), null);
  equal(
    syncPoint(joint.members, [...standings.slice(1), standing('c.4', { term: 3, log: [3, 9] })]),
    null,
  );
});

test('sync point: is reached by a majority of the new members and every joiner', () => {
  const sync = { term: term(4), lastLogTerm: term(3), flushLsn: lsn(100) };
  const there = { term: 4, log: [3, 100] } as const;
  const further = { term: 5, log: [5, 40] } as const;
  const cases: readonly (readonly [boolean, ...ConfigureResult[]])[] = [
    [true, standing('a', there), standing('c.4', further)],
    [false, standing('a', there), standing('b', there)], // the joiner lacks
    [false, standing('c.4', there)], // no majority
    [false, standing('a', there), standing('c.4', { term: 3, log: [3, 100] })],
    [false, standing('a', there), standing('c.4', { term: 4, log: [2, 900] })],
  ];

  for (const [expected, ...standings] of cases) {
    const reached = isReached(sync, alone.members, { joiners: ['c.4'], standings });
    equal(reached, expected, JSON.stringify(standings));
  }
});

test('sync point: is out of reach when no old member keeps what a joiner lacks', () => {
  const joiner = standing('c.4', { term: 1, log: [1, 50] });

  for (const [first, expected] of [
    [50, false],
    [51, true],
  ] as const) {
    const donors = ['a', 'b'].map((id) => standing(id, { term: 1, log: [1, 90], first }));
    const known = { joiners: ['c.4'], standings: [...donors, joiner] };
    equal(isOutOfReach(joint.members, known), expected);
  }
});

interface Stands {
  readonly term: number;
  /** Its last term, and its end. */
  readonly log: readonly [number, number];
  readonly first?: number;
}

function standing(acceptor: string, { term: number, log, first = 0 }: Stands): ConfigureResult {
  const [lastLogTerm, flushLsn] = log;
  const at = { flushLsn: lsn(flushLsn), commitLsn: lsn(0), firstLsn: lsn(first) };
  return { acceptor, generation: 4, term: term(number), lastLogTerm: term(lastLogTerm), ...at };
}
