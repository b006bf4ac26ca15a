/**
 * The proposer between acceptors and a stock Postgres 18: what a commit waits for, and what happens
 * when one of them goes away.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type AcceptorMessage } from '../../../src/actors/acceptor/protocol.ts';
import {
  type ElectResult,
  type ProposerDescription,
  type ProposerMessage,
} from '../../../src/actors/proposer/protocol.ts';
import { lsn, parseLsn, type Lsn } from '../../../src/base/lsn.ts';
import { type PostgresClient } from '../../../src/io/postgres-client.ts';
import { parseSystemId } from '../../../src/postgres/system-id.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { WalRecord } from '../../../src/postgres/wal-record.ts';
import { placeRecord, type WalBytes } from '../../../src/postgres/wal-writer.ts';
import { limits, TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';
import { told, toldOwner } from '../quorum-registry.ts';
import { StockServer } from './stock-server.ts';

test('proposer: a commit returns, and then a majority has it', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    const written = await position(client);

    const { commitLsn } = await cluster.acceptor('a');

    ok(commitLsn >= written);
    const { bytes } = await cluster.copy('a', cluster.start, written);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: a commit waits while no majority is there, and returns when it is', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await cluster.stopAcceptor('a');
    const insert = { returned: false };

    const done = client.query('insert into t values (1)').then(() => {
      insert.returned = true;
    });
    const observer = await cluster.server.connect();
    const waits = "select 1 from pg_stat_activity where wait_event = 'SyncRep'";
    while (!insert.returned && (await observer.query(waits)).rows.length === 0);
    await observer.query('select pg_sleep(0.1)'); // whoever acknowledges too early has done so now
    const early = insert.returned;
    await cluster.startAcceptor('a');
    await done;

    equal(early, false);
  });
});

test('proposer: with three acceptors one may be away, and gets what it missed when it is back', async () => {
  await withCluster(['a', 'b', 'c'], async ({ cluster, client }) => {
    await client.query('create table t (a int, b text)');
    await cluster.stopAcceptor('c');

    await client.query("insert into t select g, repeat('x', 500) from generate_series(1, 20000) g");
    const written = await position(client);
    await cluster.startAcceptor('c');
    while ((await cluster.acceptor('c')).flushLsn < written) await client.query('select 1');

    const { bytes } = await cluster.copy('c', cluster.start, written);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: after a crash of Postgres it goes on where the quorum stands', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await client.query('insert into t select generate_series(1, 1000)');

    await cluster.server.kill();
    await toldOwner('postgresGone');
    await cluster.server.start();
    await cluster.follow();
    const again = await cluster.server.connect();
    await again.query('insert into t values (1001)');
    const { rows } = await again.query('select count(*) from t');

    deepEqual(rows, [['1001']]);
    const written = await position(again);
    const { bytes } = await cluster.copy('a', cluster.start, written);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: crashes of Postgres in the middle of writing lose nothing acknowledged', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int, b text)');
    let session = client;
    for (let round = 1; round <= 4; round += 1) {
      await session.query(`insert into t values (${round}, 'kept')`);
      const cut = session.query(
        "insert into t select 0, repeat('y', 900) from generate_series(1, 50000)",
      );
      cut.catch(() => undefined);
      const { receivedLsn } = await cluster.describe();
      await cluster.until((now) => now.receivedLsn > receivedLsn + 300_000 * round);
      told.length = 0;
      await cluster.server.kill();
      await toldOwner('postgresGone');
      await cluster.server.start();
      await cluster.follow();
      session = await cluster.server.connect();
    }
    const { rows } = await session.query('select count(*) from t where a > 0');

    deepEqual(rows, [['4']]);
    const written = await position(session);
    while ((await cluster.acceptor('a')).commitLsn < written)
      await session.query('insert into t values (99)');
  });
});

test('proposer: a newer term fences it: no more commits, and its owner hears of it', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    const before = await cluster.acceptor('a');
    let returned = false;

    const newer = await cluster.electOther();
    const insert = client.query('insert into t values (1)').then(() => {
      returned = true;
    });
    await toldOwner('proposerFenced');
    const after = await cluster.acceptor('a');
    const refused = rejects(insert, { code: 'postgres_unreachable' });
    await cluster.server.kill();
    await refused;

    equal(returned, false);
    equal((await cluster.describe()).phase, 'fenced');
    deepEqual([after.flushLsn, newer.endOfLog], [before.flushLsn, before.flushLsn]);
  });
});

test('proposer: when it crashes its owner hears of it, and a new reign can follow', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');

    const nonsense = { kind: 'nonsense' } as unknown as ProposerMessage;
    await rejects(askProposer(cluster.host, nonsense), { code: 'actor_crashed' });
    await toldOwner('postgresGone');
    await cluster.elect();
    await cluster.follow();

    await client.query('insert into t values (1)');
    deepEqual((await client.query('select a from t')).rows, [['1']]);
  });
});

test('proposer: after a clean shutdown the log ends with what Postgres wrote last', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await client.end();

    await cluster.server.stop();
    const { commitLsn } = await cluster.release();
    const elected = await cluster.elect();

    equal(elected.endOfLog, commitLsn);
    const { bytes } = await cluster.copy('a', cluster.start, commitLsn);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, commitLsn)), 0);
    const rest = cluster.server.wal(commitLsn, lsn(commitLsn + 64));
    ok(rest.every((byte) => byte === 0));
  });
});

test('endStream: a record may be appended behind what Postgres wrote last', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await client.end();
    await cluster.server.stop();

    const { commitLsn: begin } = await cluster.endStream();
    const wal = nextRecord(begin, cluster.server.wal(cluster.start, begin), cluster.start);
    await askProposer(cluster.host, { kind: 'appendRecord', begin, bytes: wal.bytes });
    const { commitLsn } = await cluster.release();

    equal(commitLsn, wal.end);
    const { bytes } = await cluster.copy('a', cluster.start, commitLsn);
    const written = cluster.server.wal(cluster.start, begin);
    equal(Buffer.compare(bytes, Buffer.concat([written, wal.bytes])), 0);
    const rest = cluster.server.wal(begin, lsn(begin + 64));
    ok(rest.every((byte) => byte === 0));
  });
});

test('endStream: a release that comes before its answer refuses it', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await cluster.stopAcceptor('a');
    void client.query('insert into t values (1)').catch(() => undefined); // waits for the acceptor
    await cluster.until(({ receivedLsn, commitLsn }) => receivedLsn > commitLsn);

    const ended = rejects(cluster.endStream(), { code: 'proposer_fenced' });
    const released = cluster.release();
    await ended;
    await cluster.startAcceptor('a');

    const { commitLsn } = await released;
    equal((await cluster.acceptor('a')).flushLsn, commitLsn);
    await cluster.server.kill();
  });
});

test('proposer: a load of WAL larger than what may be in flight arrives whole', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int, b text)');
    const load = "insert into t select g, repeat('z', 1500) from generate_series(1, 30000) g";

    await client.query(load);
    const written = await position(client);

    const { bytes } = await cluster.copy('a', cluster.start, written);
    ok(written - cluster.start > 40_000_000);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: without a majority an election is refused by its deadline', async () => {
  await withQuorum(async (host) => {
    await new TestAcceptor(host, 'a').start();
    await spawnProposer(host, ['a', 'b', 'c']);

    const elected = askProposer(host, electing(['a', 'b', 'c'], 200));

    await rejects(elected, { code: 'quorum_unreachable' });
  });
});

test('proposer: an election that failed says what was wrong with the acceptors', async () => {
  await withQuorum(async (host) => {
    await new TestAcceptor(host, 'a').start();
    await spawnProposer(host, ['a']);

    const elected = askProposer(host, electing(['a'], 200));

    await rejects(elected, { values: { why: 'acceptor missing. timeline=t' } });
  });
});

test('appendRecord: is answered when a majority has the record', async () => {
  await withQuorum(async (host) => {
    const acceptor = await new TestAcceptor(host, 'a').start();
    await acceptor.create();
    await spawnProposer(host, ['a']);
    const { endOfLog } = (await askProposer(host, electing(['a'], 9_000))) as ElectResult;
    const { fixture } = acceptor;
    const end = parseLsn(fixture.listing[50]!.split('|')[1]!);

    const bytes = acceptor.bytes(endOfLog, end);
    const answer = await askProposer(host, { kind: 'appendRecord', begin: endOfLog, bytes });

    deepEqual(answer, { commitLsn: end });
    equal((await acceptor.describe()).flushLsn, end);
  });
});

test('appendRecord: elsewhere than at the end of the log it is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await new TestAcceptor(host, 'a').start();
    await acceptor.create();
    await spawnProposer(host, ['a']);
    await askProposer(host, electing(['a'], 9_000));
    const begin = lsn(acceptor.fixture.start + 8);

    const asked = askProposer(host, { kind: 'appendRecord', begin, bytes: new Uint8Array(8) });

    await rejects(asked, { code: 'append_leaves_gap' });
  });
});

interface Setting {
  readonly cluster: TestCluster;
  readonly client: PostgresClient;
}

/** Acceptors, a proposer that was elected, and a Postgres it follows. */
async function withCluster(
  members: readonly string[],
  body: (setting: Setting) => Promise<void>,
): Promise<void> {
  const server = new StockServer(18);
  try {
    await withQuorum(async (host) => {
      const cluster = new TestCluster(host, server, members);
      await cluster.setUp();
      await body({ cluster, client: await server.connect() });
    });
  } finally {
    await server.remove();
  }
}

class TestCluster {
  readonly host: QuorumHost;
  readonly server: StockServer;
  readonly members: readonly string[];
  readonly start: Lsn;

  constructor(host: QuorumHost, server: StockServer, members: readonly string[]) {
    this.host = host;
    this.server = server;
    this.members = members;
    this.start = server.timeline().startLsn;
  }

  async setUp(): Promise<void> {
    for (const id of this.members) {
      await this.startAcceptor(id);
      await this.#acceptor(id, this.server.timeline());
    }
    await spawnProposer(this.host, this.members);
    const { runtime } = this.host;
    await runtime.spawn({ behavior: 'compute', name: 'owner', options: null, thread: null });
    await this.elect();
    await this.server.start();
    await this.follow();
  }

  elect(): Promise<ElectResult> {
    return askProposer(this.host, electing(this.members, 9_000)) as Promise<ElectResult>;
  }

  /** Another proposer, as another host would start one, takes the log over. */
  async electOther(): Promise<ElectResult> {
    await spawnProposer(this.host, this.members, 'other');
    const asked = { ...electing(this.members, 9_000), owner: null };
    return askProposer(this.host, asked, 'other') as Promise<ElectResult>;
  }

  follow(): Promise<unknown> {
    return askProposer(this.host, this.server.follow);
  }

  release(): Promise<{ readonly commitLsn: Lsn }> {
    const asked = { kind: 'release', timeout_ms: 9_000 } as const;
    return askProposer(this.host, asked) as Promise<{ readonly commitLsn: Lsn }>;
  }

  endStream(): Promise<{ readonly commitLsn: Lsn }> {
    return askProposer(this.host, { kind: 'endStream' }) as Promise<{ readonly commitLsn: Lsn }>;
  }

  describe(): Promise<ProposerDescription> {
    return askProposer(this.host, { kind: 'describeProposer' }) as Promise<ProposerDescription>;
  }

  async until(holds: (now: ProposerDescription) => boolean): Promise<void> {
    while (!holds(await this.describe())) await new Promise((resolve) => setImmediate(resolve));
  }

  async startAcceptor(id: string): Promise<void> {
    await new TestAcceptor(this.host, id).start();
  }

  async stopAcceptor(id: string): Promise<void> {
    await new TestAcceptor(this.host, id).stop();
  }

  acceptor(id: string): ReturnType<TestAcceptor['describe']> {
    return new TestAcceptor(this.host, id).describe();
  }

  async copy(id: string, begin: Lsn, end: Lsn): Promise<{ readonly bytes: Uint8Array }> {
    const acceptor = new TestAcceptor(this.host, id);
    while ((await acceptor.describe()).commitLsn < end)
      await new Promise((resolve) => setImmediate(resolve));
    return acceptor.copy(begin, end - begin);
  }

  #acceptor(id: string, message: AcceptorMessage): Promise<unknown> {
    const { runtime } = this.host;
    return runtime.ask(runtime.ref<AcceptorMessage>(`acceptor/${id}`), message, limits);
  }
}

function electing(members: readonly string[], timeout_ms: number): ProposerMessage {
  const configuration = { generation: 1, members, newMembers: null };
  return { kind: 'elect', configuration, owner: 'compute/owner', run: 1, timeout_ms };
}

async function spawnProposer(
  { runtime }: QuorumHost,
  members: readonly string[],
  name = 'p',
): Promise<void> {
  const acceptors = members.map((id) => ({ id, path: `acceptor/${id}` }));
  const options = {
    timeline: 't',
    acceptors,
    answerTimeout_ms: 5_000,
    reconnect_ms: 20,
    followTimeout_ms: 5_000,
  };
  await runtime.spawn({ behavior: 'proposer', name, options, thread: null });
}

function askProposer(
  { runtime }: QuorumHost,
  message: ProposerMessage,
  name = 'p',
): Promise<unknown> {
  return runtime.ask(runtime.ref<ProposerMessage>(`proposer/${name}`), message, limits);
}

/** End of WAL that this session's commits have been acknowledged for. */
async function position(client: PostgresClient): Promise<Lsn> {
  const { rows } = await client.query('select pg_current_wal_flush_lsn()');
  return parseLsn(rows[0]![0]!);
}

/** A record of no meaning that follows on `before`, WAL from `start` to `begin`. */
function nextRecord(begin: Lsn, before: Uint8Array, start: Lsn): WalBytes {
  const format = { major: 18, segmentSize: 2 ** 24 };
  const reader = new WalReader(start, format);
  const record = new WalRecord();
  reader.push(before);
  while (reader.next(record));
  const identity = { ...format, systemId: parseSystemId('1'), timelineId: 1 };
  const noop = { rmgr: 0, info: 0x20, xid: 0, main: new Uint8Array(8) };
  return placeRecord(identity, begin, { ...noop, previous: reader.lastRecordStart });
}
