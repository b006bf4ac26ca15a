/**
 * A runtime with the quorum's actors on the test's own thread, a temporary directory for acceptors,
 * and short ways to say things to them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AcceptorDescription,
  type AcceptorMessage,
  type AcceptorOptions,
  type JoinedLog,
  type ReadWalResult,
} from '../../src/actors/acceptor/protocol.ts';
import { lsnZero, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { type TimelineIdentity } from '../../src/consensus/identity.ts';
import {
  type AppendResult,
  type ConfigureResult,
  type Greeting,
  type GreetingResult,
  type VoteResult,
} from '../../src/consensus/messages.ts';
import { type Configuration } from '../../src/consensus/membership.ts';
import { term, termZero, type TermHistory } from '../../src/consensus/term.ts';
import { type LogEntry } from '../../src/io/log.ts';
import { startRuntime, type Runtime } from '../../src/runtime/runtime.ts';
import { walPageStart } from '../../src/postgres/wal-page.ts';
import { fixtureSegmentSize, walFixture, type WalFixture } from '../postgres/wal-fixture.ts';
import { disk, store, told } from './quorum-registry.ts';

export const limits = { timeout_ms: 10_000 } as const;

export interface QuorumHost {
  readonly runtime: Runtime;
  readonly directory: string;
  readonly logged: readonly LogEntry[];
  /** Every ask sent, as `<kind> to <path>`. */
  readonly asks: readonly string[];
}

export async function withQuorum(body: (host: QuorumHost) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'quorum-'));
  const logged: LogEntry[] = [];
  const asks: string[] = [];
  told.length = 0;
  store.reset();
  Object.assign(disk, { room: Infinity, syncFails: false, syncs: 0 });
  const runtime = await startRuntime({
    behaviors: new URL('./quorum-registry.ts', import.meta.url),
    threads: [],
    log: (entry) => {
      logged.push(entry);
    },
    trace: ({ what, to, detail }) => {
      if (what === 'ask') asks.push(`${detail} to ${to}`);
    },
  });
  try {
    await body({ runtime, directory, logged, asks });
  } finally {
    await runtime.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Ends of the fixture's records, in order. */
export function recordEnds({ listing }: WalFixture): readonly Lsn[] {
  return listing.map((line) => parseLsn(line.split('|')[1]!));
}

/** One acceptor whose timeline begins where the fixture does. */
export class TestAcceptor {
  readonly name: string;
  readonly #host: QuorumHost;
  readonly fixture: WalFixture;
  #startLsn: Lsn;

  constructor(host: QuorumHost, name = 't', fixture = walFixture(18)) {
    this.#host = host;
    this.name = name;
    this.fixture = fixture;
    this.#startLsn = fixture.start;
  }

  get path(): string {
    return `acceptor/${this.name}`;
  }
  get directory(): string {
    return join(this.#host.directory, this.name);
  }
  get identity(): TimelineIdentity {
    return { ...fixtureIdentity(this.fixture), startLsn: this.#startLsn };
  }
  get configuration(): Configuration {
    return { generation: 1, members: [this.name], newMembers: null };
  }

  /** As a newborn, unless `more` says otherwise. */
  async start(more: Partial<AcceptorOptions> = {}): Promise<this> {
    const options = {
      acceptor: this.name,
      timeline: 't',
      newborn: true,
      archiver: null,
      directory: this.directory,
      ...more,
    };
    await this.#host.runtime.spawn({
      behavior: 'acceptor',
      name: this.name,
      options,
      thread: null,
    });
    return this;
  }

  async stop(): Promise<void> {
    await this.#host.runtime.stopActor(this.path);
  }

  /** Starts anew from what is on disk. */
  async restart(more: Partial<AcceptorOptions> = {}): Promise<void> {
    await this.stop();
    await this.start(more);
  }

  async create(startLsn = this.fixture.start): Promise<void> {
    this.#startLsn = startLsn;
    await this.#ask({
      kind: 'createTimeline',
      startLsn,
      lastRecordStart: lsnZero,
      major: this.fixture.major,
      systemId: systemIdOf(this.fixture),
      segmentSize: fixtureSegmentSize,
      head: this.bytes(walPageStart(startLsn), startLsn),
    });
  }

  /** Greets, votes and installs `number`: as a proposer does that won alone. */
  async elect(number: number): Promise<VoteResult> {
    await this.greet(this.configuration);
    const vote = await this.vote(number);
    const last = { term: term(number), start: vote.flushLsn };
    await this.install([...vote.history, last], vote.flushLsn);
    return vote;
  }

  greet(configuration: Configuration, more: Partial<Greeting> = {}): Promise<GreetingResult> {
    const greeting = { to: this.name, identity: this.identity, configuration, ...more };
    return this.#ask({ kind: 'greet', ...greeting }) as Promise<GreetingResult>;
  }

  configure(configuration: Configuration, number = 0): Promise<ConfigureResult> {
    const configure = { to: this.name, configuration, term: term(number) };
    return this.#ask({ kind: 'setConfiguration', ...configure }) as Promise<ConfigureResult>;
  }

  async leave(configuration: Configuration): Promise<void> {
    await this.#ask({ kind: 'leaveTimeline', to: this.name, configuration });
  }

  describeLog(): Promise<JoinedLog> {
    return this.#ask({ kind: 'describeLog' }) as Promise<JoinedLog>;
  }

  async join(log: JoinedLog, to = this.name): Promise<void> {
    await this.#ask({ kind: 'joinTimeline', to, log });
  }

  vote(number: number, generation = 1): Promise<VoteResult> {
    return this.#ask({ kind: 'vote', generation, term: term(number) }) as Promise<VoteResult>;
  }

  install(history: TermHistory, start: Lsn): Promise<AppendResult> {
    const newest = history.at(-1)!.term;
    const message = { kind: 'installTerm', generation: 1, term: newest, start, history } as const;
    return this.#ask(message) as Promise<AppendResult>;
  }

  append(begin: Lsn, end: Lsn, more: Partial<AppendOptions> = {}): Promise<AppendResult> {
    return this.#ask({
      kind: 'appendWal',
      generation: 1,
      term: term(more.term ?? 1),
      begin,
      bytes: more.bytes ?? this.bytes(begin, end),
      commitLsn: more.commitLsn ?? lsnZero,
      truncateLsn: more.truncateLsn ?? lsnZero,
    }) as Promise<AppendResult>;
  }

  commit(commitLsn: Lsn, truncateLsn = lsnZero): Promise<AppendResult> {
    return this.append(commitLsn, commitLsn, { commitLsn, truncateLsn });
  }

  read(from: Lsn, bytesMax = 65_536): Promise<ReadWalResult> {
    return this.#read(from, bytesMax, null);
  }

  /** Reads, or waits for something to read. */
  await(from: Lsn, reader: string, bytesMax = 65_536): Promise<ReadWalResult> {
    return this.#read(from, bytesMax, reader);
  }

  #read(from: Lsn, bytesMax: number, reader: string | null): Promise<ReadWalResult> {
    const message = { kind: 'readWal', from, bytesMax, reader, term: null } as const;
    return this.#ask(message) as Promise<ReadWalResult>;
  }

  awaitCommit(at: Lsn, reader: string): Promise<{ readonly commitLsn: Lsn }> {
    const message = { kind: 'awaitCommit', at, reader } as const;
    return this.#ask(message) as Promise<{ readonly commitLsn: Lsn }>;
  }

  /** Says that nothing was committed beyond `commitLsn` for a while. */
  rest(commitLsn: Lsn): Promise<{ readonly resting: boolean }> {
    return this.#ask({ kind: 'rest', commitLsn }) as Promise<{ readonly resting: boolean }>;
  }

  describe(): Promise<AcceptorDescription> {
    return this.#ask({ kind: 'describeAcceptor' }) as Promise<AcceptorDescription>;
  }

  copy(from: Lsn, size: number): Promise<{ readonly bytes: Uint8Array }> {
    return this.#ask({ kind: 'copyWal', from, size }) as Promise<{ readonly bytes: Uint8Array }>;
  }

  remove(below: Lsn): Promise<{ readonly keptLsn: Lsn }> {
    return this.#ask({ kind: 'removeWal', below }) as Promise<{ readonly keptLsn: Lsn }>;
  }

  /** The fixture's bytes of [begin, end). */
  bytes(begin: Lsn, end: Lsn): Uint8Array {
    const { start, bytes } = this.fixture;
    return bytes.subarray(begin - start, end - start);
  }

  #ask(message: AcceptorMessage): Promise<unknown> {
    const { runtime } = this.#host;
    return runtime.ask(runtime.ref<AcceptorMessage>(this.path), message, limits);
  }
}

interface AppendOptions {
  readonly term: number;
  readonly bytes: Uint8Array;
  readonly commitLsn: Lsn;
  readonly truncateLsn: Lsn;
}

export const birthHistory: TermHistory = [{ term: termZero, start: walFixture(18).start }];

export function fixtureIdentity(fixture = walFixture(18)): TimelineIdentity {
  const { major, start: startLsn } = fixture;
  const systemId = systemIdOf(fixture);
  return { timeline: 't', major, systemId, segmentSize: fixtureSegmentSize, startLsn };
}

/** From the long header of the first page. */
export function systemIdOf({ bytes }: WalFixture): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getBigUint64(24, true).toString();
}
