/**
 * The proposer and the members of its quorum: which timeline they are of, how they change under a
 * Postgres that goes on, and from whom one gets what it lacks.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type ElectResult,
  type ProposerDescription,
} from '../../../src/actors/proposer/protocol.ts';
import { parseLsn, type Lsn } from '../../../src/base/lsn.ts';
import { beginChange } from '../../../src/consensus/change.ts';
import { type Configuration } from '../../../src/consensus/membership.ts';
import { ChangeShell } from '../change-shell.ts';
import { fixtureIdentity, TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';
import { told } from '../quorum-registry.ts';
import { askProposer, electing, position, spawnProposer, withCluster } from './cluster.ts';

const joint: Configuration = {
  generation: 2,
  members: ['a', 'b', 'c'],
  newMembers: ['a', 'b', 'd.2'],
};

test('elect: acceptors of another timeline elect nobody, and the failure names both', async () => {
  await withQuorum(async (host) => {
    await born(host, ['a', 'b', 'c']);
    const identity = { ...fixtureIdentity(), systemId: '7' };

    const elected = askProposer(host, electing(['a', 'b', 'c'], 9_000, { identity }));

    const own = fixtureIdentity().systemId;
    const values = { what: 'systemId', own, asked: '7' };
    await rejects(elected, { code: 'timeline_mismatch', values });
  });
});

test('elect: a log that does not begin where the timeline does elects nobody', async () => {
  await withQuorum(async (host) => {
    const [acceptor] = await born(host, ['a']);
    const startLsn = parseLsn(acceptor!.fixture.listing[9]!.split('|')[1]!);
    const identity = { ...fixtureIdentity(), startLsn };

    const elected = askProposer(host, electing(['a'], 9_000, { identity }));

    await rejects(elected, { code: 'timeline_mismatch' });
  });
});

test('elect: one member that lost its disk is not needed, and is never asked for its vote', async () => {
  await withQuorum(async (host) => {
    const [, , lost] = await born(host, ['a', 'b', 'c']);
    await lost!.stop();
    rmSync(lost!.directory, { recursive: true });
    await lost!.start({ newborn: false });

    await askProposer(host, electing(['a', 'b', 'c'], 9_000));

    equal((await lost!.describe()).created, false);
  });
});

test('elect: where acceptors know newer members, it is these that elect', async () => {
  await withQuorum(async (host) => {
    const [a, b] = await born(host, ['a', 'b', 'd.2']);
    for (const acceptor of [a!, b!]) await acceptor.configure(joint);

    await askProposer(host, electing(['a', 'b', 'c'], 9_000));

    deepEqual((await describe(host)).configuration, joint);
    equal((await new TestAcceptor(host, 'd.2').describe()).configuration.generation, 2);
  });
});

test('elect: a deadline names what is wrong with each acceptor', async () => {
  await withQuorum(async (host) => {
    await born(host, ['a']);
    await new TestAcceptor(host, 'b').start();

    const elected = askProposer(host, electing(['a', 'b', 'c'], 200));

    const why =
      'b: acceptor missing. acceptor=b timeline=t; c: actor missing. path=acceptor/c message=greet';
    await rejects(elected, { code: 'quorum_unreachable', values: { why } });
  });
});

test('elect: acceptors that contradict each other elect nobody, whenever they are asked', async () => {
  await withQuorum(async (host) => {
    const [a, b] = await born(host, ['a', 'b']);
    const end = recordEnd(a!, 20);
    await a!.elect(1);
    await a!.append(a!.fixture.start, end);
    await a!.commit(end);
    await b!.elect(5); // its log is the newest, and lacks what a calls committed
    const elect = electing(['a', 'b'], 9_000, { configuration: first(['a', 'b'], 2) });

    await rejects(askProposer(host, elect), { code: 'log_diverged' });
    await rejects(askProposer(host, elect), { code: 'log_diverged' });
  });
});

test('reconfigure: without a reign it is refused', async () => {
  await withQuorum(async (host) => {
    await spawnProposer(host);

    const asked = askProposer(host, { kind: 'reconfigure', configuration: joint });

    await rejects(asked, { code: 'proposer_not_leading' });
  });
});

test('proposer: news of other members from an acceptor do not end its reign', async () => {
  await withQuorum(async (host) => {
    const acceptors = await born(host, ['a', 'b', 'c', 'd.2']);
    const { endOfLog, term } = (await askProposer(
      host,
      electing(['a', 'b', 'c'], 9_000),
    )) as ElectResult;
    for (const acceptor of acceptors.slice(0, 2)) await acceptor.configure(joint);
    const bytes = acceptors[0]!.bytes(endOfLog, recordEnd(acceptors[0]!, 20));

    await askProposer(host, { kind: 'appendRecord', begin: endOfLog, bytes });

    const now = await describe(host);
    deepEqual([now.phase, now.term, now.configuration], ['leading', term, joint]);
    equal((await acceptors[3]!.describe()).configuration.generation, 2);
  });
});

test('proposer: what one member cannot hand on, another does', async () => {
  await withQuorum(async (host) => {
    const acceptors = await born(host, ['a', 'b', 'c']);
    await acceptors[2]!.stop();
    const { endOfLog } = (await askProposer(host, electing(['a', 'b', 'c'], 9_000))) as ElectResult;
    const end = recordEnd(acceptors[0]!, 300);
    const bytes = acceptors[0]!.bytes(endOfLog, end);
    await askProposer(host, { kind: 'appendRecord', begin: endOfLog, bytes });
    while (!(await acceptors[0]!.rest(end)).resting) await turn(); // then it remembers nothing
    const wal = join(acceptors[0]!.directory, 'wal');
    for (const name of readdirSync(wal)) truncateSync(join(wal, name), 8_192);

    await acceptors[2]!.start({ newborn: false });
    while ((await acceptors[2]!.describe()).flushLsn < end) await turn();

    const [{ acceptor }] = host.logged
      .filter(({ text }) => text === 'an acceptor is lost')
      .map(({ values }) => values)
      .filter(({ failure }) => String(failure).includes('damaged')) as [{ acceptor: string }];
    equal(acceptor, 'a');
  });
});

test('proposer: that a member is away is said once, whatever it was asked', async () => {
  await withQuorum(async (host) => {
    const acceptors = await born(host, ['a', 'b', 'c']);
    const { endOfLog } = (await askProposer(host, electing(['a', 'b', 'c'], 9_000))) as ElectResult;
    while ((await describe(host)).members.at(-1)!.phase !== 'following') await turn();
    await acceptors[2]!.stop();

    const bytes = acceptors[0]!.bytes(endOfLog, recordEnd(acceptors[0]!, 20));
    await askProposer(host, { kind: 'appendRecord', begin: endOfLog, bytes });
    const asked = host.asks.length;
    const greet = 'greet to acceptor/c';
    while (host.asks.slice(asked).filter((ask) => ask === greet).length < 2) await turn();

    const said = host.logged.filter(({ text }) => text === 'an acceptor is lost');
    deepEqual(
      said.map(({ values }) => values),
      [{ acceptor: 'c', failure: 'actor missing. path=acceptor/c message=appendWal' }],
    );
  });
});

test('change: Postgres goes on while a member of its quorum is replaced', async () => {
  await withCluster(['a', 'b', 'c'], async ({ cluster, client }) => {
    const { host, identity } = cluster;
    await client.query('create table t (a int, b text)');
    await client.query("insert into t select g, repeat('x', 500) from generate_series(1, 20000) g");
    await spawnProposer(host, 'change');
    const document = { membership: { configuration: first(['a', 'b', 'c']), leaving: [] } };
    const load = { rows: 0, over: false };
    const loading = (async () => {
      while (!load.over) {
        await client.query('insert into t values (0, null)');
        load.rows += 1;
      }
    })();

    const shell = new ChangeShell({ host, document, identity, computeProposer: 'proposer/p' });
    const plan = { remove: ['c'], addOn: ['d'] };
    const outcome = await shell.run(beginChange(document.membership, plan, 2_000));
    load.over = true;
    await loading;

    const { term, phase, members } = await cluster.describe();
    deepEqual([outcome, term, phase], ['done', 1, 'leading']);
    deepEqual(
      members.map(({ id }) => id),
      ['a', 'b', 'd.2'],
    );
    deepEqual(told, []);
    const { rows } = await client.query('select count(*) from t');
    deepEqual(rows, [[`${20_000 + load.rows}`]]);
    const written = await position(client);
    const { bytes } = await cluster.copy('d.2', cluster.start, written);
    ok(Buffer.from(bytes).equals(cluster.server.wal(cluster.start, written)));
    equal((await cluster.acceptor('c')).created, false);
  });
});

function first(members: readonly string[], generation = 1): Configuration {
  return { generation, members, newMembers: null };
}

/** Newborn acceptors, and a proposer. */
async function born(host: QuorumHost, ids: readonly string[]): Promise<readonly TestAcceptor[]> {
  await spawnProposer(host);
  return Promise.all(
    ids.map(async (id) => {
      const acceptor = await new TestAcceptor(host, id).start();
      await acceptor.create();
      return acceptor;
    }),
  );
}

function describe(host: QuorumHost): Promise<ProposerDescription> {
  return askProposer(host, { kind: 'describeProposer' }) as Promise<ProposerDescription>;
}

function recordEnd({ fixture }: TestAcceptor, index: number): Lsn {
  return parseLsn(fixture.listing[index]!.split('|')[1]!);
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
