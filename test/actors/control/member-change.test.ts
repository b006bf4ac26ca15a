/**
 * A driver of a change of members that cannot go on: whoever asked for it hears of it, nobody else. When it
 * is over, every host looks whom it is to run.
 */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { beginChange, resumeChange } from '../../../src/consensus/change.ts';
import { type ChangeDecision } from '../../../src/consensus/change-state.ts';
import {
  MemberChange,
  type MemberChangeOptions,
} from '../../../src/actors/control/member-change.ts';

const configuration = { generation: 1, members: ['a', 'b'], newMembers: null };
const membership = { configuration, leaving: [] };
const identity = {
  timeline: 't',
  major: 18,
  systemId: '1',
  segmentSize: 2 ** 20,
  startLsn: lsn(8),
};

/** A change whose project and context fail so. */
function changeThatFails(failure: Failure): MemberChange {
  const known = { context: { ref: () => ({ path: '' }), ask: fails, spawn: fails, stop: fails } };
  const projects = { refresh: fails, project: { branches: [{ name: 'main', running: false }] } };
  const options = { host: 'a', hosts: ['a', 'b'], branch: { name: 'main', timeline: 't' } };
  return new MemberChange({
    ...{ ...known, ...options, projects, identity, pause: fails },
  } as unknown as MemberChangeOptions);
  function fails(): Promise<never> {
    return Promise.reject(failure);
  }
}

test('member change: a project that cannot be read ends it', async () => {
  const damaged = new Failure('project_file_damaged', { path: 'p', reason: 'checksum' });
  const first = beginChange(membership, { remove: ['b'], addOn: [] }, 3);

  await rejects(changeThatFails(damaged).run(first), { code: 'project_file_damaged' });
});

test('member change: it ends with the actor that drives it', async () => {
  const stopped = new Failure('actor_stopped', { path: 'control/host' });
  const joint = { generation: 2, members: ['a', 'b'], newMembers: ['a'] };
  const resumed = resumeChange({ configuration: joint, leaving: [] }, 3);
  const waits: ChangeDecision = { ...resumed, effects: [{ kind: 'wait' }] };

  await rejects(changeThatFails(stopped).run(waits), { code: 'actor_stopped' });
});

test('member change: when it is over every host looks again whom it is to run, this one too', async () => {
  const told: string[] = [];
  const context = {
    self: { path: 'control/host' },
    ref: (path: string) => ({ path }),
    tell: ({ path }: { path: string }, { kind }: { kind: string }) => told.push(`${path} ${kind}`),
    ask: () => Promise.reject(new Failure('peer_unreachable', {})),
  };
  const others = {
    control: (host: string) => ({ path: `${host}:control/host` }),
    announce: () => told.push('the others'),
  };
  const known = { host: 'a', hosts: ['a', 'b', 'c'], branch: { name: 'main', timeline: 't' } };
  const parts = {
    ...known,
    context,
    others,
    projects: {},
    identity,
    pause: () => Promise.resolve(),
  };
  const change = new MemberChange(parts as unknown as MemberChangeOptions);

  const outcome = await change.run(beginChange(membership, { remove: ['b'], addOn: ['c'] }, 1));

  equal(outcome, 'failed');
  deepEqual(told, ['the others', 'control/host projectChanged']);
});
