/**
 * A lost disk, told as a story: why a member that has forgotten its promises must not come back as
 * itself, and how its host comes back all the same.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ModelAcceptor, recordSize } from './model-acceptor.ts';
import { type ModelDriver } from './model-driver.ts';
import { type ModelProposer } from './model-proposer.ts';
import { exchange, World } from './world.ts';

test('lost disk: a member without its log helps nobody to be elected', () => {
  const { world, q } = committedOnAAndC();
  world.host('c').acceptor = null;

  elect(world, q, ['b', 'c']);

  assert.notEqual(q.state?.phase, 'leading');
});

test('lost disk: a member that came back as itself would elect somebody who lacks what was committed', () => {
  const { world, q } = committedOnAAndC();
  world.host('c').acceptor = new ModelAcceptor('c');

  assert.throws(() => {
    elect(world, q, ['b', 'c']);
  }, /has all that was committed|has one leader/);
});

test('lost disk: its host joins under a new id, and the log goes on without the others being asked', () => {
  const { world, q } = committedOnAAndC();
  const [driver] = world.drivers as [ModelDriver];
  world.host('c').acceptor = null;

  driver.begin({ remove: ['c'], addOn: ['c'] }, 8);
  while (driver.state !== null) {
    world.settle();
    driver.timeOut(() => 0);
  }
  elect(world, q, ['a', 'c.2']);
  const before = world.commitLsn;
  const wrote = q.write(recordSize);
  world.settle();

  assert.deepEqual(driver.outcomes, ['done']);
  assert.deepEqual(world.document.configuration.members, ['a', 'b', 'c.2']);
  assert.ok(wrote && world.commitLsn > before);
});

/** Term 1 has committed a record on a and c; b has heard of nothing. */
function committedOnAAndC(): { readonly world: World; readonly q: ModelProposer } {
  const world = new World(['a', 'b', 'c']);
  const [p, q] = world.proposers as [ModelProposer, ModelProposer];
  elect(world, p, ['a', 'c']);
  p.write(recordSize);
  meet(world, p, ['a', 'c']);
  for (const id of ['a', 'c']) world.acceptor(id).sync();
  meet(world, p, ['a', 'c']);
  return { world, q };
}

/** Elects `proposer` with these acceptors, and no others. */
function elect(world: World, proposer: ModelProposer, ids: readonly string[]): void {
  world.network.packets = [];
  proposer.elect(world.document.configuration);
  meet(world, proposer, ids);
}

function meet(world: World, proposer: ModelProposer, ids: readonly string[]): void {
  for (let turn = 0; turn < 20; turn += 1) for (const id of ids) exchange(world, proposer, id);
}
