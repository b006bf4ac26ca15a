/**
 * Raft's figure 8, told as a story: why a log that has not reached the leader's term start must not
 * count, even when a majority has it.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { recordSize } from './model-acceptor.ts';
import { type ModelProposer } from './model-proposer.ts';
import { converse, exchange, World } from './world.ts';

test('commit rule: WAL of an older term counts only once a majority has reached the term start', () => {
  const world = new World(['a', 'b', 'c']);
  const [p, q] = world.proposers as [ModelProposer, ModelProposer];
  elect(world, p, ['a', 'c']); //                term 1
  p.write(2 * recordSize);
  converse(world, p, 'a'); //                    two records of term 1, on a alone
  const start = world.commitLsn;

  elect(world, q, ['b', 'c'], 2); //             term 2: c votes, but only b follows
  converse(world, q, 'b');

  elect(world, p, ['a', 'c'], 4); //             term 3 begins behind the records of term 1
  converse(world, p, 'a'); //                    a gives c what it lacks
  meet(world, p, ['c'], 1); //                   c stores both records, and dies before the sync:
  world.acceptor('c').crash(recordSize); //      one has reached its disk
  p.lose('c');
  p.reconnect('c');
  meet(world, p, ['c'], 3); //                   c follows with one of the two: no commit yet
  const early = world.commitLsn;

  elect(world, q, ['b', 'c']); //                term 4: b's log is of term 2, and wins
  const wrote = q.write(recordSize);
  world.settle();

  assert.ok(wrote);
  assert.equal(early, start);
  assert.ok(world.commitLsn > start);
});

/** Elects `proposer` with these acceptors, and no others, in so many turns. */
function elect(world: World, proposer: ModelProposer, ids: readonly string[], turns = 99): void {
  world.network.packets = [];
  proposer.elect(world.document.configuration);
  meet(world, proposer, ids, turns);
}

/** Delivers `turns` messages to each of them, in turns, and what they answer. */
function meet(world: World, proposer: ModelProposer, ids: readonly string[], turns: number): void {
  for (let turn = 0; turn < turns; turn += 1) for (const id of ids) exchange(world, proposer, id);
}
