/** Members: what a host does that is asked for a joiner, or to forget a member, when things have moved on. */
import { deepEqual, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Members, type MembersParts } from '../../../src/actors/control/members.ts';
import { oneByOne } from '../../../src/actors/control/one-by-one.ts';
import { type DropMember, type MakeMember } from '../../../src/actors/control/protocol.ts';
import { type Configuration } from '../../../src/consensus/membership.ts';

const members = ['a', 'b', 'c'];
const alone: Configuration = { generation: 3, members, newMembers: null };
const joint: Configuration = { generation: 4, members, newMembers: ['a', 'b', 'd.4'] };
const replaced: Configuration = { generation: 5, members: ['a', 'b', 'd.4'], newMembers: null };

/** Host d, in the eyes of its own control. */
class Scene {
  configuration: Configuration;
  /** What became of the acceptors here. */
  readonly done: string[] = [];
  /** While the donor is asked. */
  meanwhile: () => void = () => undefined;

  constructor(configuration: Configuration) {
    this.configuration = configuration;
  }

  members(): Members {
    const branch = (): object => ({ name: 'main', configuration: this.configuration });
    const timelines = {
      describeLog: () => {
        this.meanwhile();
        return Promise.resolve('log');
      },
      join: async (_branch: unknown, { id, newborn }: { id: string; newborn: boolean }) => {
        this.done.push(`stop the one before ${id}`);
        await new Promise(setImmediate);
        this.done.push(`run ${id}${newborn ? ', newborn' : ''}`);
      },
      leave: (_branch: unknown, id: string) => Promise.resolve(this.done.push(`delete ${id}`)),
    };
    return new Members({
      options: { host: 'd', hosts: ['a', 'b', 'c', 'd'] },
      projects: { refresh: () => Promise.resolve({ branches: [branch()] }) },
      timelines,
      inTurn: oneByOne(),
    } as unknown as MembersParts);
  }
}

function make(id: string): MakeMember {
  return { kind: 'makeMember', branch: 'main', id, from: 'a' };
}

function drop(id: string): DropMember {
  return { kind: 'dropMember', branch: 'main', id };
}

test('members: one who joins is born before the project names it, and only then', async () => {
  for (const [configuration, run] of [
    [alone, 'run d.4, newborn'],
    [joint, 'run d.4'],
    [replaced, 'run d.4'],
  ] as const) {
    const scene = new Scene(configuration);
    await scene.members().make(make('d.4'));
    deepEqual(scene.done, ['stop the one before d.4', run]);
  }
});

test('members: a joiner of a change that was overtaken takes nobody’s place', async () => {
  const scene = new Scene(joint);

  await rejects(scene.members().make(make('d.2')), { code: 'acceptor_not_member' });

  deepEqual(scene.done, []);
});

test('members: nor does one that was overtaken while the donor was asked', async () => {
  const scene = new Scene({ ...alone, generation: 1 });
  scene.meanwhile = () => (scene.configuration = joint);

  await rejects(scene.members().make(make('d.2')), { code: 'acceptor_not_member' });

  deepEqual(scene.done, []);
});

test('members: one host makes and forgets members one after the other', async () => {
  const scene = new Scene(joint);
  const { done } = scene;
  const all = scene.members();

  await Promise.all([all.make(make('d.4')), all.make(make('d.4')), all.drop(drop('d.2'))]);

  const made = ['stop the one before d.4', 'run d.4'];
  deepEqual(done, ['delete d.2', ...made, ...made]);
});

test('members: what a member keeps is not deleted while the project names it', async () => {
  const scene = new Scene(joint);

  await rejects(scene.members().drop(drop('d.4')), { code: 'acceptor_is_member' });
  await scene.members().drop(drop('d.2'));

  deepEqual(scene.done, ['delete d.2']);
});
