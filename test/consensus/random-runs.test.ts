/**
 * Random runs: three acceptors, two proposers that fight, messages lost and late, crashes. Whatever
 * happens, what was acknowledged is never lost (the checks are world.ts's).
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { SeededRandom } from './random.ts';
import { ModelProposer, recordSize, World } from './world.ts';

const seeds = Number(process.env['CONSENSUS_SEEDS'] ?? 400);
const first = Number(process.env['CONSENSUS_FIRST_SEED'] ?? 1);

interface Run {
  readonly world: World;
  readonly proposers: readonly ModelProposer[];
}

function run(seed: number, members: readonly string[]): Run {
  const random = new SeededRandom(seed);
  const world = new World(members);
  const proposers = [new ModelProposer(world, 'p'), new ModelProposer(world, 'q')];
  const loss = random.pick([0, 2, 10, 30]);
  const steps = 100 + random.below(500);
  for (let step = 0; step < steps; step += 1) act(random, { world, proposers }, loss);
  return { world, proposers };
}

function act(random: SeededRandom, { world, proposers }: Run, loss: number): void {
  const dice = random.below(100);
  const proposer = random.pick(proposers);
  const id = random.pick(world.configuration.members);
  const acceptor = world.acceptors.get(id)!;
  if (dice < 55) deliver(random, world, loss);
  else if (dice < 70) acceptor.sync();
  else if (dice < 82) proposer.write(8 * (1 + random.below(6)));
  else if (dice < 85) proposer.elect();
  else if (dice < 88) proposer.loseStream();
  else if (dice < 92) proposer.lose(id);
  else if (dice < 97) proposer.reconnect(id);
  else if (dice < 99) acceptor.crash(random.below(3 * recordSize));
}

function deliver(random: SeededRandom, world: World, loss: number): void {
  const busy = world.busy();
  if (busy.length === 0) return;
  const contact = random.pick(busy);
  if (random.chance(loss)) {
    if (random.chance(50)) world.deliver(contact, false);
    else contact.queue.shift();
    contact.proposer.lose(contact.acceptor);
  } else world.deliver(contact);
}

/** Heals everything and lets one proposer win: it must be able to go on. */
function heal({ world, proposers }: Run): void {
  for (const acceptor of world.acceptors.values()) acceptor.crash(0);
  world.contacts = [];
  const [proposer] = proposers;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    proposer!.elect();
    world.settle();
    if (proposer!.write(recordSize)) break;
  }
  world.settle();
}

test(`quorum: acknowledged WAL survives fights, losses and crashes (${seeds} seeds)`, () => {
  for (let seed = first; seed < first + seeds; seed += 1) {
    try {
      run(seed, ['a', 'b', 'c']);
    } catch (error) {
      throw new Error(`CONSENSUS_FIRST_SEED=${seed}`, { cause: error });
    }
  }
});

test('quorum: after any run, a healed quorum elects, keeps what was committed and commits more', () => {
  for (let seed = first; seed < first + seeds / 4; seed += 1) {
    const healed = run(seed, ['a', 'b', 'c']);
    const before = healed.world.commitLsn;

    heal(healed);

    assert.ok(healed.world.commitLsn >= before + recordSize, `CONSENSUS_FIRST_SEED=${seed}`);
  }
});

test('quorum: of one acceptor keeps the same promises', () => {
  for (let seed = first; seed < first + seeds / 4; seed += 1) {
    const healed = run(seed, ['a']);
    const before = healed.world.commitLsn;

    heal(healed);

    assert.ok(healed.world.commitLsn >= before + recordSize, `CONSENSUS_FIRST_SEED=${seed}`);
  }
});

test('quorum: the runs reach what they are meant to test', () => {
  const totals = { committed: 0, elections: 0 };
  for (let seed = first; seed < first + 100; seed += 1) {
    const { world } = run(seed, ['a', 'b', 'c']);
    totals.committed += world.committed.length / recordSize;
    totals.elections += Math.max(...[...world.acceptors.values()].map(({ state }) => state.term));
  }
  assert.ok(totals.committed > 300, `committed ${totals.committed} records`);
  assert.ok(totals.elections > 300, `held ${totals.elections} elections`);
});
