/**
 * An archiver between a real acceptor and a faulty store, and short ways to wait for what it does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ArchiverDescription,
  type ArchiverMessage,
  type ArchiverOptions,
} from '../../../src/actors/archiver/protocol.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { limits, recordEnds, TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';

export const { start } = walFixture(18);
export const ends = recordEnds(walFixture(18));
export const late = ends.at(-1)!;
/** Where the fixture's second segment begins, in which it ends. */
export const second = lsn(start - (start % fixtureSegmentSize) + fixtureSegmentSize);
export const firstKey = 'timelines/t/wal/000000010000000000000009';
export const secondKey = 'timelines/t/wal/00000001000000000000000A';

/** An acceptor with the fixture up to `end`, committed, and its archiver. */
export async function withArchiver(
  end: Lsn,
  body: (acceptor: TestAcceptor, host: QuorumHost) => Promise<void>,
  more: Partial<ArchiverOptions> = {},
): Promise<void> {
  await withQuorum(async (host) => {
    const acceptor = await written(host, 't', end);
    await spawnArchiver(host, acceptor, more);
    await body(acceptor, host);
  });
}

/** An acceptor that has an archiver, if it is spawned. */
export async function written(host: QuorumHost, name: string, end: Lsn): Promise<TestAcceptor> {
  const acceptor = await new TestAcceptor(host, name).start({ archiver: `archiver/${name}` });
  await acceptor.create();
  await acceptor.elect(1);
  await append(acceptor, start, end);
  return acceptor;
}

/** Appended and committed. */
export async function append(acceptor: TestAcceptor, begin: Lsn, end: Lsn): Promise<void> {
  if (begin < end) await acceptor.append(begin, end);
  await acceptor.commit(end);
}

export async function spawnArchiver(
  { runtime }: QuorumHost,
  acceptor: TestAcceptor,
  more: Partial<ArchiverOptions> = {},
): Promise<void> {
  const { name, path } = acceptor;
  const options: ArchiverOptions = {
    timeline: 't',
    major: 18,
    segmentSize: fixtureSegmentSize,
    member: name,
    acceptor: path,
    acceptorPath: 'acceptor/{member}',
    copies: [],
    objectStore: '',
    keep_bytes: 0,
    look_ms: 1,
    idle_ms: 20,
    ...more,
  };
  await runtime.spawn({ behavior: 'archiver', name, options, thread: null });
}

export function describeArchiver(
  { runtime }: QuorumHost,
  name = 't',
): Promise<ArchiverDescription> {
  const archiver = runtime.ref<ArchiverMessage>(`archiver/${name}`);
  return runtime.ask(archiver, { kind: 'describeArchiver' }, limits);
}

/** Waits until the archiver is as wished; the test's own limit ends what never comes. */
export async function archiverIs(
  host: QuorumHost,
  wished: (now: ArchiverDescription) => boolean,
  name = 't',
): Promise<ArchiverDescription> {
  for (;;) {
    const now = await describeArchiver(host, name);
    if (wished(now)) return now;
    await sleep(1);
  }
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(1);
}
