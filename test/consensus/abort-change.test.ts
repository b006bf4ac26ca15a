/** What can be called off of a change of members, as the project document tells of it. */
import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { type Membership } from '../../src/consensus/change-state.ts';
import { abortChange } from '../../src/consensus/change.ts';

const old = ['a', 'b', 'c'];
const patience = 30;

test('abort: of a joint configuration the old members stay, and joiners leave', () => {
  const joint = { generation: 2, members: old, newMembers: ['a', 'b', 'd.2'] };
  const from: Membership = { configuration: joint, leaving: [] };

  const { effects } = abortChange(from, patience);

  const alone = { generation: 3, members: old, newMembers: null };
  deepEqual(effects, [{ kind: 'swap', from, to: { configuration: alone, leaving: ['d.2'] } }]);
});

for (const [what, membership, code] of [
  ['when nothing was ever begun', stands(1, old, []), 'change_missing'],
  ['after a change that is done', stands(3, ['a', 'b', 'd.2'], []), 'change_missing'],
  ['after an abort, while a joiner’s host is away', stands(3, old, ['d.2']), 'change_missing'],
  ['when the new members are the members', stands(3, ['a', 'b', 'd.2'], ['c']), 'change_decided'],
  ['the same, of a second change', stands(5, ['a', 'b', 'c.4'], ['d.2']), 'change_decided'],
] as const)
  test(`abort: ${what} it fails with ${code}`, () => {
    throws(() => abortChange(membership, patience), { code });
  });

function stands(
  generation: number,
  members: readonly string[],
  leaving: readonly string[],
): Membership {
  return { configuration: { generation, members, newMembers: null }, leaving };
}
