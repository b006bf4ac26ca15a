/**
 * ProposerShell: what a proposer holds in memory around its core: conversations, stream, waiting asks.
 */
import { lsnZero, type Lsn } from '../../base/lsn.ts';
import { type ProposerState } from '../../consensus/proposer.ts';
import { termZero } from '../../consensus/term.ts';
import { type Context } from '../../runtime/actor.ts';
import { AcceptorLinks } from './acceptor-links.ts';
import {
  type AppendRecord,
  type Elect,
  type Follow,
  type ProposerDescription,
  type ProposerMessage,
  type ProposerOptions,
  type EndStream,
  type Release,
} from './protocol.ts';
import { type ReplicationStream } from './replication-stream.ts';
import { WalWindow } from './wal-window.ts';

export interface ProposerShell {
  readonly options: ProposerOptions;
  readonly links: AcceptorLinks;
  readonly window: WalWindow;
  /** null before the first election and after a release. */
  core: ProposerState | null;
  /** Numbers elections; deadlines of older ones are void. */
  reign: number;
  owner: string | null;
  run: number;
  /** The election under way, and what went wrong last meanwhile, in words. */
  elect: Elect | null;
  trouble: string | null;
  appends: PendingAppend[];
  /** `follow` until its stream is open. */
  follow: Follow | null;
  followSince_ms: number;
  /** Waits until everything received is answered for. */
  release: Release | EndStream | null;
  /** Numbers streams, the one being opened included; messages of older ones are void. */
  streams: number;
  opening: boolean;
  stream: ReplicationStream | null;
  paused: boolean;
}
interface PendingAppend {
  readonly asked: AppendRecord;
  readonly end: Lsn;
}

export function newShell(
  context: Context<ProposerMessage>,
  options: ProposerOptions,
): ProposerShell {
  return {
    options,
    links: new AcceptorLinks(context, options),
    window: new WalWindow(),
    core: null,
    reign: 0,
    owner: null,
    run: 0,
    elect: null,
    trouble: null,
    appends: [],
    follow: null,
    followSince_ms: 0,
    release: null,
    streams: 0,
    opening: false,
    stream: null,
    paused: false,
  };
}

export function describeShell({ core, stream }: ProposerShell): ProposerDescription {
  return {
    phase: core?.phase ?? 'idle',
    term: core?.term ?? termZero,
    termStart: core?.termStart ?? lsnZero,
    receivedLsn: core?.endLsn ?? lsnZero,
    commitLsn: core?.commitLsn ?? lsnZero,
    streaming: stream !== null,
  };
}
