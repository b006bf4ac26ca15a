/**
 * Cluster: acceptors, a proposer that was elected, and a stock Postgres that it follows.
 */
import { type AcceptorMessage } from '../../../src/actors/acceptor/protocol.ts';
import {
  type Elect,
  type ElectResult,
  type ProposerDescription,
  type ProposerMessage,
} from '../../../src/actors/proposer/protocol.ts';
import { parseLsn, type Lsn } from '../../../src/base/lsn.ts';
import { type TimelineIdentity } from '../../../src/consensus/identity.ts';
import { type PostgresClient } from '../../../src/io/postgres-client.ts';
import {
  fixtureIdentity,
  limits,
  TestAcceptor,
  withQuorum,
  type QuorumHost,
} from '../quorum-host.ts';
import { StockServer } from './stock-server.ts';

interface Setting {
  readonly cluster: TestCluster;
  readonly client: PostgresClient;
}

/** Acceptors, a proposer that was elected, and a Postgres it follows. */
export async function withCluster(
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

export class TestCluster {
  readonly host: QuorumHost;
  readonly server: StockServer;
  readonly members: readonly string[];
  readonly identity: TimelineIdentity;

  constructor(host: QuorumHost, server: StockServer, members: readonly string[]) {
    this.host = host;
    this.server = server;
    this.members = members;
    const { startLsn, major, systemId, segmentSize } = server.timeline();
    this.identity = { timeline: 't', startLsn, major, systemId, segmentSize };
  }

  get start(): Lsn {
    return this.identity.startLsn;
  }

  async setUp(): Promise<void> {
    for (const id of this.members) {
      await this.startAcceptor(id);
      await this.#acceptor(id, this.server.timeline());
    }
    await spawnProposer(this.host);
    const { runtime } = this.host;
    await runtime.spawn({ behavior: 'compute', name: 'owner', options: null, thread: null });
    await this.elect();
    await this.server.start();
    await this.follow();
  }

  elect(): Promise<ElectResult> {
    const { identity } = this;
    const asked = electing(this.members, 9_000, { identity });
    return askProposer(this.host, asked) as Promise<ElectResult>;
  }

  /** Another proposer, as another host would start one, takes the log over. */
  async electOther(): Promise<ElectResult> {
    await spawnProposer(this.host, 'other');
    const { identity } = this;
    const asked = electing(this.members, 9_000, { identity, owner: null });
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

export function electing(
  members: readonly string[],
  timeout_ms: number,
  more: Partial<Elect> = {},
): ProposerMessage {
  const configuration = { generation: 1, members, newMembers: null };
  const owned = { owner: 'compute/owner', run: 1, timeout_ms };
  return { kind: 'elect', identity: fixtureIdentity(), configuration, ...owned, ...more };
}

export async function spawnProposer({ runtime }: QuorumHost, name = 'p'): Promise<void> {
  const options = {
    acceptorPath: 'acceptor/{member}',
    answerTimeout_ms: 5_000,
    reconnect_ms: 20,
    followTimeout_ms: 5_000,
  };
  await runtime.spawn({ behavior: 'proposer', name, options, thread: null });
}

export function askProposer(
  { runtime }: QuorumHost,
  message: ProposerMessage,
  name = 'p',
): Promise<unknown> {
  return runtime.ask(runtime.ref<ProposerMessage>(`proposer/${name}`), message, limits);
}

/** End of WAL that this session's commits have been acknowledged for. */
export async function position(client: PostgresClient): Promise<Lsn> {
  const { rows } = await client.query('select pg_current_wal_flush_lsn()');
  return parseLsn(rows[0]![0]!);
}
