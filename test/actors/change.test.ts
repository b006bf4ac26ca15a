/**
 * A change of members with real acceptors and proposers: with a Postgres that goes on meanwhile, without
 * one, and with drivers that die at every step.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { type ChangePlan, type Membership } from '../../src/consensus/change-state.ts';
import { beginChange, resumeChange } from '../../src/consensus/change.ts';
import { term } from '../../src/consensus/term.ts';
import { walFixture } from '../postgres/wal-fixture.ts';
import { ChangeShell, type ProjectDocument } from './change-shell.ts';
import {
  fixtureIdentity,
  recordEnds,
  TestAcceptor,
  withQuorum,
  type QuorumHost,
} from './quorum-host.ts';

const { start } = walFixture(18);
const end = recordEnds(walFixture(18))[400]!;
const patience = 2_000;
const replaceC: ChangePlan = { remove: ['c'], addOn: ['d'] };

test('change: without a compute, a member without its disk is replaced by one that has all', async () => {
  await withQuorum(async (host) => {
    const document = await threeMembers(host);
    const lost = new TestAcceptor(host, 'c');
    await lost.stop();
    rmSync(lost.directory, { recursive: true });
    await lost.start({ newborn: false });

    const outcome = await shell(host, document).run(
      beginChange(document.membership, replaceC, patience),
    );

    equal(outcome, 'done');
    deepEqual(document.membership, members(3, ['a', 'b', 'd.2']));
    const joined = await new TestAcceptor(host, 'd.2').describe();
    equal(joined.flushLsn, end);
    deepEqual(joined.configuration, document.membership.configuration);
    const { bytes } = await new TestAcceptor(host, 'd.2').copy(start, end - start);
    ok(Buffer.from(bytes).equals(lost.bytes(start, end)));
    await rejects(lost.vote(99, 3), { code: 'acceptor_missing' });
  });
});

test('change: a member that has its disk deletes its log when it has been replaced', async () => {
  await withQuorum(async (host) => {
    const document = await threeMembers(host);

    await shell(host, document).run(beginChange(document.membership, replaceC, patience));

    const { created } = await new TestAcceptor(host, 'c').describe();
    equal(created, false);
  });
});

const deaths = [
  'makeMember when making',
  'made when making',
  'swap when opening',
  'swapped when opening',
  'configured when announcing',
  'carry when carrying',
  'elect when carrying',
  'release when closing',
  'swap when closing',
  'swapped when closing',
  'configured when settling',
  'leave when clearing',
  'left when clearing',
  'swapped when noting',
];

for (const death of deaths)
  test(`change: a driver that dies at "${death}" leaves a change that another one ends`, async () => {
    await withQuorum(async (host) => {
      const document = await threeMembers(host);

      const died = await shell(host, document).run(
        beginChange(document.membership, replaceC, patience),
        (at) => at === death,
      );
      const begun = document.membership.configuration.generation > 1;
      const next = begun
        ? resumeChange(document.membership, patience)
        : beginChange(document.membership, replaceC, patience);
      const ended = await shell(host, document).run(next);

      deepEqual([died, ended], [null, 'done']);
      deepEqual(document.membership, members(3, ['a', 'b', 'd.2']));
      equal((await new TestAcceptor(host, 'd.2').describe()).flushLsn, end);
      equal((await new TestAcceptor(host, 'c').describe()).created, false);
    });
  });

test('change: one that cannot be ended is called off, and the old members go on', async () => {
  await withQuorum(async (host) => {
    const document = await threeMembers(host);
    const driver = shell(host, document);
    await driver.run(
      beginChange(document.membership, replaceC, patience),
      (at) => at === 'swapped when opening',
    );
    await new TestAcceptor(host, 'd.2').stop();

    const stuck = await shell(host, document).run(resumeChange(document.membership, 3));
    const { state, effects } = resumeChange(document.membership, 3);
    const aborting = shell(host, document);
    aborting.event({ kind: 'abort' });
    const outcome = await aborting.run({ state, effects });

    deepEqual([stuck, outcome], ['stuck', 'aborted']);
    deepEqual(document.membership, members(3, ['a', 'b', 'c']));
    equal((await new TestAcceptor(host, 'c').describe()).configuration.generation, 3);
  });
});

function shell(host: QuorumHost, document: ProjectDocument): ChangeShell {
  return new ChangeShell({ host, document, identity: fixtureIdentity(), computeProposer: null });
}

function members(generation: number, ids: readonly string[]): Membership {
  return { configuration: { generation, members: ids, newMembers: null }, leaving: [] };
}

/** Members a, b and c, of which a and c have a log that nobody has called committed. */
async function threeMembers(host: QuorumHost): Promise<ProjectDocument> {
  const { configuration, leaving } = members(1, ['a', 'b', 'c']);
  for (const id of configuration.members) {
    const acceptor = await new TestAcceptor(host, id).start();
    await acceptor.create();
    await acceptor.greet(configuration);
    const { flushLsn, history } = await acceptor.vote(1);
    await acceptor.install([...history, { term: term(1), start: flushLsn }], flushLsn);
    if (id !== 'b') await acceptor.append(start, end);
  }
  const options = {
    acceptorPath: 'acceptor/{member}',
    answerTimeout_ms: 5_000,
    reconnect_ms: 5,
    followTimeout_ms: 5_000,
  };
  await host.runtime.spawn({ behavior: 'proposer', name: 'change', options, thread: null });
  return { membership: { configuration, leaving } };
}
