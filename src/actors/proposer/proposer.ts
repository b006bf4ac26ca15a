/**
 * Proposer: the one writer of a timeline's WAL.
 *
 * Owns:    the term it was elected in, the stream out of Postgres, WAL not yet committed.
 * Serves:  the compute: elect, appendRecord, follow, endStream, release; whoever changes the members:
 *          reconfigure.
 * Promise: Postgres hears of a position only when a majority of acceptors has it on disk.
 * Crash:   the reign is over, and the owner hears `postgresGone`; the next `elect` finds whatever was
 *          acknowledged with the quorum.
 * Never:   decides. Decisions are src/consensus/proposer.ts's. No timer stands between a record
 *          and its acknowledgement.
 */
import { unreachable } from '../../base/assert.ts';
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, lsn, lsnZero } from '../../base/lsn.ts';
import { campaign, canStream, stepReceived, stepReconfigure } from '../../consensus/proposer.ts';
import { unansweredBytes } from '../../consensus/replication.ts';
import { defineActor } from '../../runtime/actor.ts';
import {
  onAppendAnswered,
  onGreetAnswered,
  onInstallAnswered,
  onMemberFailed,
  onReconnectDue,
  onRelayAnswered,
  onRelayFailed,
  onVoteAnswered,
} from './members.ts';
import {
  type AppendRecord,
  type DeadlineDue,
  type Elect,
  type EndStream,
  type Follow,
  type ProposerMessage,
  type ProposerOptions,
  type Reconfigure,
  type Release,
} from './protocol.ts';
import { abandon, closeStream, endReign, perform, refuseElect, tell, tellOwner } from './reign.ts';
import { describeShell, newShell, type ProposerContext, type ProposerShell } from './shell.ts';
import { onNudgeDue } from './status.ts';
import {
  onFollow,
  onStreamDue,
  onStreamEnded,
  onStreamOpened,
  onStreamRefused,
  onWalArrived,
  takeRest,
  tryStream,
} from './stream.ts';

type Shell = ProposerShell;

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

/**
 * A bug ends this incarnation, and with it the reign: the owner must not wait for commits. Acceptors that
 * contradict each other end the reign too; whoever elects again may meet others.
 */
function receive(context: ProposerContext, shell: Shell, message: ProposerMessage): void {
  try {
    dispatch(context, shell, message);
    if (shell.release !== null) tryRelease(context, shell);
    else if (shell.follow !== null) tryStream(context, shell);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'corrupt') {
      onContradiction(context, shell, error);
      return;
    }
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
    case 'reconfigure':
      onReconfigure(context, shell, message);
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
    case 'relayFailed':
    case 'memberFailed':
    case 'reconnectDue':
    case 'tellDue':
    case 'nudgeDue':
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
  | Elect
  | AppendRecord
  | Follow
  | EndStream
  | Release
  | Reconfigure
  | { readonly kind: 'describeProposer' };
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
      onGreetAnswered(context, shell, message);
      return;
    case 'voteAnswered':
      onVoteAnswered(context, shell, message);
      return;
    case 'installAnswered':
      onInstallAnswered(context, shell, message);
      return;
    case 'relayAnswered':
      onRelayAnswered(context, shell, message);
      return;
    case 'relayFailed':
      onRelayFailed(context, shell, message);
      return;
    case 'memberFailed':
      onMemberFailed(context, shell, message);
      return;
    case 'reconnectDue':
      onReconnectDue(context, shell, message);
      return;
    case 'tellDue':
      tell(shell);
      return;
    case 'nudgeDue':
      onNudgeDue(context, shell, message);
      return;
    case 'streamOpened':
      onStreamOpened(context, shell, message);
      return;
    case 'streamRefused':
      onStreamRefused(context, shell, message);
      return;
    case 'streamDue':
      onStreamDue(shell, message.stream);
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
  const { configuration, identity, owner, run, timeout_ms } = asked;
  endReign(context, shell, new Failure('proposer_fenced', { why: 'elected again' }));
  shell.reign += 1;
  shell.owner = owner;
  shell.run = run;
  shell.identity = identity;
  shell.elect = asked;
  context.after(timeout_ms, { kind: 'deadlineDue', of: 'elect', reign: shell.reign });
  perform(context, shell, campaign(configuration, shell.contacts));
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

function onEndStream(context: ProposerContext, shell: Shell, asked: EndStream): void {
  const phase = shell.core?.phase ?? 'idle';
  ensure(phase === 'leading', 'proposer_not_leading', { phase });
  ensure(shell.release === null, 'proposer_not_leading', { phase: 'releasing' });
  takeRest(context, shell);
  shell.release = asked;
}

function onRelease(context: ProposerContext, shell: Shell, asked: Release): void {
  const { release } = shell;
  ensure(release?.kind !== 'release', 'proposer_not_leading', { phase: 'releasing' });
  if (release !== null)
    context.refuse(release, new Failure('proposer_fenced', { why: 'released' }));
  takeRest(context, shell);
  shell.release = asked;
  context.after(asked.timeout_ms, { kind: 'deadlineDue', of: 'release', reign: shell.reign });
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
  tell(shell);
  context.answer(release, { commitLsn: shell.core?.commitLsn ?? lsnZero });
  if (release.kind === 'release')
    endReign(context, shell, new Failure('proposer_fenced', { why: 'released' }));
}

function onReconfigure(context: ProposerContext, shell: Shell, asked: Reconfigure): void {
  const { core } = shell;
  const reigns = core !== null && core.phase !== 'fenced';
  ensure(reigns, 'proposer_not_leading', { phase: core?.phase ?? 'idle' });
  perform(context, shell, stepReconfigure(core, asked.configuration));
  context.answer(asked, { generation: shell.core!.configuration.generation });
}

function onDeadlineDue(context: ProposerContext, shell: Shell, message: DeadlineDue): void {
  if (message.reign !== shell.reign) return;
  if (message.of === 'release') {
    if (shell.release?.kind === 'release') finishRelease(context, shell, shell.release);
    return;
  }
  const troubles = [...shell.troubles].map(([id, failure]) => `${id}: ${failure.message}`);
  const why = troubles.length === 0 ? null : troubles.sort().join('; ');
  refuseElect(context, shell, new Failure('quorum_unreachable', { why }));
}

function onContradiction(context: ProposerContext, shell: Shell, failure: Failure): void {
  context.log('error', 'the acceptors contradict each other', failure.values);
  if (shell.elect === null) tellOwner(context, shell, 'postgresGone');
  endReign(context, shell, failure);
}
