/**
 * Proposer: the one writer of a timeline's WAL.
 *
 * Owns:    the term it was elected in, the stream out of Postgres, WAL not yet committed.
 * Serves:  the compute: elect, appendRecord, follow, endStream, release.
 * Promise: Postgres hears of a position only when a majority of acceptors has it on disk.
 * Crash:   the reign is over, and the owner hears `postgresGone`; the next `elect` finds whatever was
 *          acknowledged with the quorum.
 * Never:   decides. Decisions are src/consensus/proposer.ts's. No timer stands between a record
 *          and its acknowledgement.
 */
import { unreachable } from '../../base/assert.ts';
import { ensure, Failure, failureFromData } from '../../base/failure.ts';
import { formatLsn, lsn, lsnZero, type Lsn } from '../../base/lsn.ts';
import {
  campaign,
  canStream,
  inFlightBytesMax,
  stepAppended,
  stepGreeted,
  stepInstalled,
  stepLost,
  stepReceived,
  stepReconnect,
  stepRelayed,
  stepStreamBegins,
  stepStreamLost,
  stepVoted,
  unansweredBytes,
  type ProposerDecision,
  type ProposerEffect,
  type ProposerState,
} from '../../consensus/proposer.ts';
import { allMembers, type AcceptorId } from '../../consensus/membership.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import { type ComputeMessage } from '../compute/protocol.ts';
import { failureData } from './acceptor-links.ts';
import {
  type AppendAnswered,
  type AppendRecord,
  type DeadlineDue,
  type Elect,
  type Follow,
  type MemberFailed,
  type ProposerMessage,
  type ProposerOptions,
  type ReconnectDue,
  type RelayAnswered,
  type EndStream,
  type Release,
  type StreamEnded,
  type StreamOpened,
  type StreamRefused,
  type WalArrived,
} from './protocol.ts';
import { openStream } from './replication-stream.ts';
import { describeShell, newShell, type ProposerShell } from './shell.ts';

type Shell = ProposerShell;
type ProposerContext = Context<ProposerMessage>;

export const proposer = defineActor<ProposerMessage, Shell, ProposerOptions>({
  name: 'proposer',
  mailboxMax: 4_096,
  restart: 'permanent',
  start: newShell,
  receive,
  stop: (_context, shell) => {
    closeStream(shell);
  },
});

const streamRetry_ms = 50;

/** A bug ends this incarnation, and with it the reign: the owner must not wait for commits. */
function receive(context: ProposerContext, shell: Shell, message: ProposerMessage): void {
  try {
    dispatch(context, shell, message);
  } catch (error) {
    if (!(error instanceof Failure)) abandon(context, shell);
    throw error;
  }
}

function dispatch(context: ProposerContext, shell: Shell, message: ProposerMessage): void {
  switch (message.kind) {
    case 'elect':
      onElect(context, shell, message);
      return;
    case 'appendRecord':
      onAppendRecord(context, shell, message);
      return;
    case 'follow':
      onFollow(context, shell, message);
      return;
    case 'endStream':
      onEndStream(context, shell, message);
      return;
    case 'release':
      onRelease(context, shell, message);
      return;
    case 'describeProposer':
      context.answer(message, describeShell(shell));
      return;
    case 'walArrived':
    case 'appendAnswered':
    case 'greetAnswered':
    case 'voteAnswered':
    case 'installAnswered':
    case 'relayAnswered':
    case 'memberFailed':
    case 'reconnectDue':
    case 'streamOpened':
    case 'streamRefused':
    case 'streamDue':
    case 'streamEnded':
    case 'deadlineDue':
      receiveReport(context, shell, message);
      return;
    default:
      unreachable(message);
  }
}

type Request =
  Elect | AppendRecord | Follow | EndStream | Release | { readonly kind: 'describeProposer' };
type Report = Exclude<ProposerMessage, Request>;

/** What acceptors, the stream and timers report. */
function receiveReport(context: ProposerContext, shell: Shell, message: Report): void {
  switch (message.kind) {
    case 'walArrived':
      onWalArrived(context, shell, message);
      return;
    case 'appendAnswered':
      onAppendAnswered(context, shell, message);
      return;
    case 'greetAnswered':
      onAnswer(context, shell, message, (core) => stepGreeted(core, message.result));
      return;
    case 'voteAnswered':
      onAnswer(context, shell, message, (core) => stepVoted(core, message.result));
      return;
    case 'installAnswered':
      onAnswer(context, shell, message, (core) => stepInstalled(core, message.result));
      return;
    case 'relayAnswered':
      onRelayAnswered(shell, message);
      return;
    case 'memberFailed':
      onMemberFailed(context, shell, message);
      return;
    case 'reconnectDue':
      onReconnectDue(context, shell, message);
      return;
    case 'streamOpened':
      onStreamOpened(context, shell, message);
      return;
    case 'streamRefused':
      onStreamRefused(context, shell, message);
      return;
    case 'streamDue':
      if (message.stream === shell.streams) tryStream(context, shell);
      return;
    case 'streamEnded':
      onStreamEnded(context, shell, message);
      return;
    case 'deadlineDue':
      onDeadlineDue(context, shell, message);
      return;
    default:
      unreachable(message);
  }
}

function onElect(context: ProposerContext, shell: Shell, asked: Elect): void {
  const { configuration, owner, run, timeout_ms } = asked;
  for (const id of allMembers(configuration))
    ensure(shell.links.has(id), 'acceptor_unknown', { acceptor: id });
  endReign(context, shell, new Failure('proposer_fenced', { why: 'elected again' }));
  shell.reign += 1;
  shell.owner = owner;
  shell.run = run;
  shell.elect = asked;
  shell.trouble = null;
  context.after(timeout_ms, { kind: 'deadlineDue', of: 'elect', reign: shell.reign });
  perform(context, shell, campaign(configuration));
}

function onAppendRecord(context: ProposerContext, shell: Shell, asked: AppendRecord): void {
  const { core } = shell;
  const leads = core !== null && core.phase === 'leading' && core.settled;
  ensure(leads && shell.stream === null, 'proposer_not_leading', { phase: core?.phase ?? 'idle' });
  ensure(asked.begin === core.endLsn && asked.bytes.length > 0, 'append_leaves_gap', {
    begin: formatLsn(asked.begin),
    end: formatLsn(core.endLsn),
  });
  const end = lsn(asked.begin + asked.bytes.length);
  shell.appends.push({ asked, end });
  shell.window.push(asked.begin, asked.bytes);
  perform(context, shell, stepReceived(core, end));
}

function onFollow(context: ProposerContext, shell: Shell, asked: Follow): void {
  const { core } = shell;
  ensure(core?.phase === 'leading', 'proposer_not_leading', { phase: core?.phase ?? 'idle' });
  ensure(shell.stream === null && shell.follow === null, 'proposer_streams_already');
  shell.follow = asked;
  shell.followSince_ms = context.clock.monotonic_ms();
  tryStream(context, shell);
}

/** Opens the stream once a majority follows and nothing is left to commit. */
function tryStream(context: ProposerContext, shell: Shell): void {
  const { core, follow } = shell;
  if (core === null || follow === null || shell.opening) return;
  if (!canStream(core) || shell.appends.length > 0) return;
  shell.core = stepStreamBegins(core);
  shell.window.clear();
  shell.opening = true;
  shell.streams += 1;
  const stream = shell.streams;
  const { self } = context;
  const listener = {
    onArrived: (): void => {
      context.tell(self, { kind: 'walArrived', stream });
    },
    onEnd: (reason: string): void => {
      context.tell(self, { kind: 'streamEnded', stream, reason });
    },
  };
  void openStream(follow, shell.core.endLsn, listener).then(
    (opened) => {
      if (shell.streams !== stream) opened.close();
      else shell.stream = opened;
      context.tell(self, { kind: 'streamOpened', stream });
    },
    (error: unknown) => {
      context.tell(self, { kind: 'streamRefused', stream, failure: failureData(error) });
    },
  );
}

function onStreamOpened(context: ProposerContext, shell: Shell, message: StreamOpened): void {
  if (message.stream !== shell.streams || shell.follow === null) return;
  shell.opening = false;
  shell.paused = false;
  context.answer(shell.follow, { from: shell.core!.commitLsn });
  shell.follow = null;
  report(context, shell);
  // What happened before we knew of the stream:
  const { stream } = message;
  onWalArrived(context, shell, { kind: 'walArrived', stream });
  const reason = shell.stream?.ended ?? null;
  if (reason !== null) onStreamEnded(context, shell, { kind: 'streamEnded', stream, reason });
}

/** A Postgres that is starting, or still has the slot's last user, may take us in a moment. */
function onStreamRefused(context: ProposerContext, shell: Shell, message: StreamRefused): void {
  const { follow, options } = shell;
  if (message.stream !== shell.streams || follow === null) return;
  shell.opening = false;
  const failure = failureFromData(message.failure);
  const waited_ms = context.clock.monotonic_ms() - shell.followSince_ms;
  const { sqlstate } = failure.values;
  const passing = failure.kind === 'unavailable' || sqlstate === '55006' || sqlstate === '57P03';
  if (passing && waited_ms < options.followTimeout_ms) {
    context.after(streamRetry_ms, { kind: 'streamDue', stream: shell.streams });
    return;
  }
  shell.follow = null;
  context.refuse(follow, failure);
}

function onWalArrived(context: ProposerContext, shell: Shell, { stream }: WalArrived): void {
  if (stream !== shell.streams) return;
  const arrived = shell.stream?.take() ?? null;
  const { core } = shell;
  if (arrived === null || core?.phase !== 'leading') return;
  shell.window.push(arrived.begin, arrived.bytes);
  perform(context, shell, stepReceived(core, lsn(arrived.begin + arrived.bytes.length)));
  if (shell.paused || unansweredBytes(shell.core!) <= inFlightBytesMax) return;
  shell.paused = true;
  shell.stream?.pause();
}

function onStreamEnded(context: ProposerContext, shell: Shell, message: StreamEnded): void {
  if (message.stream !== shell.streams || shell.stream === null || shell.opening) return;
  closeStream(shell);
  const { core } = shell;
  context.log('info', 'the stream from Postgres ended', { reason: message.reason });
  tellOwner(context, shell, 'postgresGone');
  if (core?.phase !== 'leading') return;
  shell.window.clear();
  shell.links.renewAll();
  perform(context, shell, stepStreamLost(core));
}

function onEndStream(context: ProposerContext, shell: Shell, asked: EndStream): void {
  ensure(shell.release === null, 'proposer_not_leading', { phase: 'releasing' });
  takeRest(context, shell);
  shell.release = asked;
  tryRelease(context, shell);
}

function onRelease(context: ProposerContext, shell: Shell, asked: Release): void {
  const { release } = shell;
  ensure(release?.kind !== 'release', 'proposer_not_leading', { phase: 'releasing' });
  if (release !== null)
    context.refuse(release, new Failure('proposer_fenced', { why: 'released' }));
  takeRest(context, shell);
  shell.release = asked;
  context.after(asked.timeout_ms, { kind: 'deadlineDue', of: 'release', reign: shell.reign });
  tryRelease(context, shell);
}

/** Takes what the stream still has, and closes it. */
function takeRest(context: ProposerContext, shell: Shell): void {
  const { core, stream } = shell;
  if (core?.phase === 'leading') {
    const arrived = stream?.take() ?? null;
    if (arrived !== null) {
      shell.window.push(arrived.begin, arrived.bytes);
      perform(context, shell, stepReceived(core, lsn(arrived.begin + arrived.bytes.length)));
    }
  }
  closeStream(shell);
}

/** Answers, and ends the reign if that was asked for, once everything received is answered for. */
function tryRelease(context: ProposerContext, shell: Shell): void {
  const { core, release } = shell;
  if (release === null) return;
  const busy = core?.phase === 'leading' && !(canStream(core) && unansweredBytes(core) === 0);
  if (!busy) finishRelease(context, shell, release);
}

function finishRelease(context: ProposerContext, shell: Shell, release: Release | EndStream): void {
  shell.release = null;
  context.answer(release, { commitLsn: shell.core?.commitLsn ?? lsnZero });
  if (release.kind === 'release')
    endReign(context, shell, new Failure('proposer_fenced', { why: 'released' }));
}

function onAppendAnswered(context: ProposerContext, shell: Shell, message: AppendAnswered): void {
  onAnswer(context, shell, message, (core) => stepAppended(core, message.result, message.end));
  const { core, stream } = shell;
  if (!shell.paused || core === null || stream === null) return;
  if (unansweredBytes(core) > inFlightBytesMax / 2) return;
  shell.paused = false;
  stream.resume();
}

interface Answer {
  readonly attempt: number;
  readonly result: { readonly acceptor: AcceptorId };
}

function onAnswer(
  context: ProposerContext,
  shell: Shell,
  { attempt, result }: Answer,
  step: (core: ProposerState) => ProposerDecision,
): void {
  if (shell.core === null || !shell.links.isCurrent(result.acceptor, attempt)) return;
  perform(context, shell, step(shell.core));
}

function onRelayAnswered(shell: Shell, message: RelayAnswered): void {
  const { to, begin, bytes } = message;
  const { core, links } = shell;
  if (core?.phase !== 'leading' || !links.isCurrent(to, message.attempt)) return;
  shell.core = stepRelayed(core, to, lsn(begin + bytes.length));
  sendAppend(shell, to, begin, bytes);
}

function onMemberFailed(context: ProposerContext, shell: Shell, message: MemberFailed): void {
  const { acceptor, attempt } = message;
  const { core, links, options } = shell;
  if (core === null || core.phase === 'fenced' || !links.isCurrent(acceptor, attempt)) return;
  const failure = failureFromData(message.failure);
  if (shell.trouble !== failure.message)
    context.log('warn', 'an acceptor is lost', { acceptor, failure: failure.message });
  shell.trouble = failure.message;
  links.renew(acceptor);
  if (failure.kind === 'fenced') {
    fence(context, shell, failure);
    return;
  }
  perform(context, shell, stepLost(core, acceptor));
  const due = { kind: 'reconnectDue', acceptor, attempt: links.attempt(acceptor) } as const;
  context.after(options.reconnect_ms, due);
  const hopeless = failure.kind === 'corrupt' || failure.kind === 'invalid';
  if (hopeless && core.members.length === 1) refuseElect(context, shell, failure);
}

function onReconnectDue(context: ProposerContext, shell: Shell, message: ReconnectDue): void {
  const { acceptor, attempt } = message;
  if (shell.core === null || !shell.links.isCurrent(acceptor, attempt)) return;
  perform(context, shell, stepReconnect(shell.core, acceptor));
}

function onDeadlineDue(context: ProposerContext, shell: Shell, message: DeadlineDue): void {
  if (message.reign !== shell.reign) return;
  if (message.of === 'release') {
    if (shell.release?.kind === 'release') finishRelease(context, shell, shell.release);
    return;
  }
  refuseElect(context, shell, new Failure('quorum_unreachable', { why: shell.trouble }));
}

/** Does what was decided, in order. */
function perform(context: ProposerContext, shell: Shell, decision: ProposerDecision): void {
  shell.core = decision.state;
  for (const effect of decision.effects) performEffect(context, shell, effect);
  if (shell.follow !== null) tryStream(context, shell);
  if (shell.release !== null) tryRelease(context, shell);
}

function performEffect(context: ProposerContext, shell: Shell, effect: ProposerEffect): void {
  const core = shell.core!;
  const { links, window } = shell;
  const { generation } = core.configuration;
  switch (effect.kind) {
    case 'append': {
      const { to, begin, end } = effect;
      sendAppend(shell, to, begin, begin === end ? empty : window.slice(begin, end));
      return;
    }
    case 'commitMoved':
      onCommitMoved(context, shell, core);
      return;
    case 'greet':
      links.greet(effect.to, core.configuration);
      return;
    case 'requestVote':
      links.vote(effect.to, generation, core.term);
      return;
    case 'install': {
      const { term, history } = core;
      links.install(effect.to, { generation, term, history, start: effect.start });
      return;
    }
    case 'relay':
      links.relay(effect.from, effect.to, effect.begin, core.term);
      return;
    case 'settled':
      onSettled(context, shell, core);
      return;
    case 'fenced':
      fence(context, shell, new Failure('proposer_fenced', { by: effect.term }));
      return;
    default:
      unreachable(effect);
  }
}

const empty = new Uint8Array(0);

function sendAppend(shell: Shell, to: AcceptorId, begin: Lsn, bytes: Uint8Array): void {
  const { configuration, term, commitLsn, truncateLsn } = shell.core!;
  const { generation } = configuration;
  shell.links.append(to, { generation, term, begin, bytes, commitLsn, truncateLsn });
}

/** Postgres first: its backends wait. */
function onCommitMoved(context: ProposerContext, shell: Shell, core: ProposerState): void {
  report(context, shell);
  shell.window.dropBelow(core.commitLsn);
  const done = shell.appends.filter(({ end }) => end <= core.commitLsn);
  if (done.length === 0) return;
  shell.appends = shell.appends.filter(({ end }) => end > core.commitLsn);
  for (const { asked } of done) context.answer(asked, { commitLsn: core.commitLsn });
}

function report(context: ProposerContext, shell: Shell): void {
  const { core, stream } = shell;
  if (core !== null) stream?.report(core.endLsn, core.commitLsn, context.clock.now_ms());
}

function onSettled(context: ProposerContext, shell: Shell, core: ProposerState): void {
  const { elect } = shell;
  if (elect === null) return;
  shell.elect = null;
  const { term, termStart, lastRecordStart } = core;
  context.answer(elect, { term, endOfLog: termStart, lastRecordStart });
}

/** Somebody newer owns the log: nothing of ours will be committed again. */
function fence(context: ProposerContext, shell: Shell, failure: Failure): void {
  const { elect, core } = shell;
  if (core !== null) shell.core = { ...core, phase: 'fenced' };
  refuseElect(context, shell, new Failure('election_lost', failure.values, failure));
  stopWork(context, shell, failure);
  context.log('warn', 'fenced', failure.values);
  if (elect === null) tellOwner(context, shell, 'proposerFenced');
}

function abandon(context: ProposerContext, shell: Shell): void {
  closeStream(shell);
  tellOwner(context, shell, 'postgresGone');
}

function tellOwner(
  context: ProposerContext,
  { owner, run }: Shell,
  kind: 'postgresGone' | 'proposerFenced',
): void {
  if (owner !== null) context.tell(context.ref<ComputeMessage>(owner), { kind, run });
}

function refuseElect(context: ProposerContext, shell: Shell, failure: Failure): void {
  const { elect } = shell;
  if (elect === null) return;
  shell.elect = null;
  context.refuse(elect, failure);
  endReign(context, shell, failure);
}

function endReign(context: ProposerContext, shell: Shell, failure: Failure): void {
  stopWork(context, shell, failure);
  shell.links.renewAll();
  shell.core = null;
  const { elect, release } = shell;
  shell.elect = null;
  shell.release = null;
  if (elect !== null) context.refuse(elect, failure);
  if (release !== null) context.refuse(release, failure);
}

/** Ends the stream and refuses everybody who waits for a commit. */
function stopWork(context: ProposerContext, shell: Shell, failure: Failure): void {
  const { appends, follow } = shell;
  closeStream(shell);
  shell.window.clear();
  shell.appends = [];
  shell.follow = null;
  for (const { asked } of appends) context.refuse(asked, failure);
  if (follow !== null) context.refuse(follow, failure);
}

function closeStream(shell: Shell): void {
  shell.stream?.close();
  shell.stream = null;
  shell.streams += 1;
  shell.opening = false;
}
