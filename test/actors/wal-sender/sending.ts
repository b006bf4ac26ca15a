/**
 * Sending: a wal-sender beside real acceptors and a control that only knows where branches are.
 */
import {
  type WalSenderMessage,
  type WalSenderOptions,
} from '../../../src/actors/wal-sender/protocol.ts';
import { lsnZero, type Lsn } from '../../../src/base/lsn.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { type DoubleBranches } from '../control-double.ts';
import {
  limits,
  recordEnds,
  systemIdOf,
  TestAcceptor,
  withQuorum,
  type QuorumHost,
} from '../quorum-host.ts';

const fixture = walFixture(18);
export const { start } = fixture;
const ends = recordEnds(fixture);
export const early = ends[9]!;
export const middle = ends[400]!;
export const later = ends[600]!;
export const late = ends.at(-1)!;
export const systemId = systemIdOf(fixture);

export interface Sending {
  readonly host: QuorumHost;
  /** Has all of the fixture from `mainStart` on, nothing of it committed. */
  readonly main: TestAcceptor;
  readonly address: string;
}

interface SendingOptions extends Pick<WalSenderOptions, 'clientsMax' | 'timeout_ms'> {
  /** Where the WAL of `main` is. */
  readonly mainAcceptors: readonly string[];
  readonly mainStart: Lsn;
  readonly devStart: Lsn;
  readonly deeperStart: Lsn;
}

const usual: SendingOptions = {
  clientsMax: 8,
  timeout_ms: 60_000,
  mainAcceptors: ['acceptor/main'],
  mainStart: start,
  devStart: middle,
  deeperStart: later,
};

export async function withSender(
  body: (sending: Sending) => Promise<void>,
  given: Partial<SendingOptions> = {},
): Promise<void> {
  const options = { ...usual, ...given };
  const { mainStart, clientsMax, timeout_ms } = options;
  await withQuorum(async (host) => {
    const { runtime } = host;
    const main = await acceptor(host, 'main', mainStart);
    await main.append(mainStart, late);
    const control = { behavior: 'control', name: 'host', options: branchesOf(options) };
    await runtime.spawn({ ...control, thread: null });
    const listen = { address: '127.0.0.1', port: 0, control: 'control/host', host: 'a' };
    const sender = { behavior: 'wal-sender', name: 'host' };
    await runtime.spawn({
      ...sender,
      options: { ...listen, clientsMax, timeout_ms },
      thread: null,
    });
    await body({ host, main, address: await addressOf(host) });
  });
}

/** Where the wal-sender listens, once it does. */
export async function addressOf({ runtime }: QuorumHost): Promise<string> {
  const sender = runtime.ref<WalSenderMessage>('wal-sender/host');
  return (await runtime.ask(sender, { kind: 'describeWalSender' }, limits)).address;
}

/** The acceptor of a branch that begins at `from` and is committed up to `end`. */
export async function branch(
  host: QuorumHost,
  name: string,
  from: Lsn,
  end: Lsn,
): Promise<TestAcceptor> {
  const made = await acceptor(host, name, from);
  await made.append(from, end);
  await made.commit(end);
  return made;
}

/** An acceptor of the term 1, whose log begins at `from` and is empty. */
export async function acceptor(host: QuorumHost, name: string, from: Lsn): Promise<TestAcceptor> {
  const made = await new TestAcceptor(host, name).start();
  await made.create(from);
  await made.elect(1);
  return made;
}

/** Branches by name: `dev` was cut from `main` and `deeper` from `dev`; `broken` cannot be. */
function branchesOf({ mainAcceptors, devStart, deeperStart }: SendingOptions): DoubleBranches {
  const [main, dev, deeper] = [
    { timeline: 'main', acceptors: mainAcceptors, from: lsnZero, to: null },
    { timeline: 'dev', acceptors: ['acceptor/dev'], from: devStart, to: null },
    { timeline: 'deeper', acceptors: ['acceptor/deeper'], from: deeperStart, to: null },
  ] as const;
  const identity = { systemId, major: 18, segmentSize: fixtureSegmentSize };
  return {
    broken: { ...identity, ranges: [] },
    main: { ...identity, ranges: [main] },
    dev: { ...identity, ranges: [{ ...main, to: devStart }, dev] },
    deeper: {
      ...identity,
      ranges: [{ ...main, to: devStart }, { ...dev, to: deeperStart }, deeper],
    },
  };
}
