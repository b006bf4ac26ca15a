/** Who wrote a branch's WAL, by what control knows of the branches. */
import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  clearedAway,
  isLastOf,
  walRanges,
  type Ancestor,
  type Branch,
  type Project,
} from '../../../src/actors/control/project.ts';
import { lsn, lsnZero } from '../../../src/base/lsn.ts';

test('walRanges: the first branch wrote all of its WAL', () => {
  deepEqual(walRanges(project(), 'main'), [{ timeline: 'main-id', from: lsnZero, to: null }]);
});

test('walRanges: a branch has its ancestors’ WAL, each up to where the next begins', () => {
  deepEqual(walRanges(project(), 'deeper'), [
    { timeline: 'main-id', from: lsnZero, to: 100 },
    { timeline: 'dev-id', from: 100, to: 150 },
    { timeline: 'deeper-id', from: 150, to: null },
  ]);
});

test('walRanges: a timeline in between that wrote none of it is left out', () => {
  deepEqual(walRanges(project(), 'early'), [
    { timeline: 'main-id', from: lsnZero, to: 100 },
    { timeline: 'early-id', from: 100, to: null },
  ]);
});

test('walRanges: a branch that is not there is missing', () => {
  throws(() => walRanges(project(), 'nobody'), { code: 'branch_missing' });
});

test('deleted: the last host that had something of a timeline is told from the others', () => {
  const gone = { timeline: 'gone-id', hosts: ['a', 'b'] };
  const two = { ...project(), deleted: [gone, { timeline: 'other-id', hosts: ['a'] }] };
  const one = clearedAway(two, 'gone-id', 'a');

  deepEqual([isLastOf(two, 'gone-id', 'a'), isLastOf(two, 'other-id', 'a')], [false, true]);
  deepEqual([isLastOf(one, 'gone-id', 'b'), isLastOf(one, 'nobody', 'b')], [true, false]);
});

/** `early` was cut from `dev` before anything was written there. */
function project(): Project {
  const branches = [
    branch('main', null),
    branch('dev', { timeline: 'main-id', lsn: lsn(100) }),
    branch('deeper', { timeline: 'dev-id', lsn: lsn(150) }),
    branch('early', { timeline: 'dev-id', lsn: lsn(100) }),
  ];
  return { name: 'p', major: 18, systemId: '1', segment_bytes: 2 ** 24, branches, deleted: [] };
}

function branch(name: string, ancestor: Ancestor | null): Branch {
  const parent = ancestor === null ? null : 'main';
  const configuration = { generation: 1, members: ['a'], newMembers: null };
  const kept = { configuration, pending: [], leaving: [], copies: ['a'] };
  const rest = { ...kept, createdAt_ms: 0, host: null, port: null, running: false };
  return { name, timeline: `${name}-id`, parent, ancestor, ...rest };
}
