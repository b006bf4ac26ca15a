/**
 * ProposerShell: what a proposer holds in memory around its core: conversations, stream, waiting asks.
 */
import { type Failure } from '../../base/failure.ts';
import { lsnZero, type Lsn } from '../../base/lsn.ts';
import { type TimelineIdentity } from '../../consensus/identity.ts';
import { type AcceptorId } from '../../consensus/membership.ts';
import { type ProposerState } from '../../consensus/proposer-state.ts';
import { termZero } from '../../consensus/term.ts';
import { type Context, type Timer } from '../../runtime/actor.ts';
import { AcceptorLinks, type Address } from './acceptor-links.ts';
import {
  type AppendRecord,
  type Elect,
  type EndStream,
  type Follow,
  type ProposerDescription,
  type ProposerMessage,
  type ProposerOptions,
  type Release,
} from './protocol.ts';
import { type ReplicationStream } from './replication-stream.ts';
import { WalWindow } from './wal-window.ts';

export type ProposerContext = Context<ProposerMessage>;

export interface ProposerShell {
  readonly options: ProposerOptions;
  readonly links: AcceptorLinks;
  readonly window: WalWindow;
  /** null before the first election and after a reign. */
  core: ProposerState | null;
  /** Numbers elections; deadlines of older ones are void. */
  reign: number;
  /** Number of the last contact with an acceptor, of any reign. */
  contacts: number;
  owner: string | null;
  run: number;
  /** Of the timeline elected for; null before the first election. */
  identity: TimelineIdentity | null;
  /** The election under way. */
  elect: Elect | null;
  /** What is wrong with acceptors that do not take part. */
  readonly troubles: Map<AcceptorId, Failure>;
  /** Followers that do not know yet how far it is committed. A `tellDue` is under way if there are any. */
  readonly untold: Map<AcceptorId, Untold>;
  tellIsDue: boolean;
  appends: PendingAppend[];
  /** `follow` until its stream is open. */
  follow: Follow | null;
  followSince_ms: number;
  /** Waits until everything received is answered for. */
  release: Release | EndStream | null;
  /** Numbers streams, the one being opened included; messages of older ones are void. */
  streams: number;
  opening: boolean;
  /** Whether this reign has had its stream. */
  streamed: boolean;
  stream: ReplicationStream | null;
  nudge: Nudge | null;
  paused: boolean;
}
interface PendingAppend {
  readonly asked: AppendRecord;
  readonly end: Lsn;
}
/** The next status that Postgres is sent though it knows it. */
export interface Nudge {
  readonly timer: Timer;
  readonly delay_ms: number;
}
export interface Untold extends Address {
  /** End of what was sent to it. */
  readonly begin: Lsn;
}

/** Numbers that one incarnation gives out, at most. */
const numbersEach = 2 ** 21;

/**
 * What a crashed incarnation asked or timed may still arrive: so the numbers that tell old from new
 * begin elsewhere each time.
 */
export function newShell(context: ProposerContext, options: ProposerOptions): ProposerShell {
  const first = context.random.below(2 ** 31) * numbersEach;
  return {
    options,
    links: new AcceptorLinks(context, options),
    window: new WalWindow(),
    core: null,
    reign: first,
    contacts: first,
    owner: null,
    run: 0,
    identity: null,
    elect: null,
    troubles: new Map(),
    untold: new Map(),
    tellIsDue: false,
    appends: [],
    follow: null,
    followSince_ms: 0,
    release: null,
    streams: first,
    opening: false,
    streamed: false,
    stream: null,
    nudge: null,
    paused: false,
  };
}

export function describeShell({ core, stream }: ProposerShell): ProposerDescription {
  const members = core?.members ?? [];
  return {
    phase: core?.phase ?? 'idle',
    configuration: core?.configuration ?? null,
    members: members.map(({ id, phase, flushLsn }) => ({ id, phase, flushLsn })),
    term: core?.term ?? termZero,
    termStart: core?.termStart ?? lsnZero,
    receivedLsn: core?.endLsn ?? lsnZero,
    commitLsn: core?.commitLsn ?? lsnZero,
    streaming: stream !== null,
  };
}
