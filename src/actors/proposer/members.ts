/**
 * Members: what acceptors answer, and what becomes of those that do not.
 *
 * The core decides whether an answer still counts; here a lost acceptor waits until it is contacted anew.
 */
import { type FailureCode } from '../../base/failure-codes.ts';
import { Failure, failureFromData } from '../../base/failure.ts';
import { lsn } from '../../base/lsn.ts';
import { hasQuorum, type AcceptorId } from '../../consensus/membership.ts';
import { isPresent, type Relay } from '../../consensus/proposer-state.ts';
import {
  stepAppended,
  stepGreeted,
  stepInstalled,
  stepLost,
  stepReconnect,
  stepRelayed,
  stepRelayFailed,
  stepVoted,
} from '../../consensus/proposer.ts';
import { inFlightBytesMax, unansweredBytes } from '../../consensus/replication.ts';
import {
  type AppendAnswered,
  type GreetAnswered,
  type InstallAnswered,
  type MemberFailed,
  type ReconnectDue,
  type RelayAnswered,
  type RelayFailed,
  type VoteAnswered,
} from './protocol.ts';
import { fence, perform, refuseElect, sendAppend } from './reign.ts';
import { type ProposerContext, type ProposerShell } from './shell.ts';

type Shell = ProposerShell;

const archiveFailures: readonly FailureCode[] = ['archive_unavailable', 'wal_removed'];

export function onGreetAnswered(
  context: ProposerContext,
  shell: Shell,
  { contact, result }: GreetAnswered,
): void {
  if (shell.core === null) return;
  if (isPresent(shell.core, result.acceptor, contact)) shell.troubles.delete(result.acceptor);
  perform(context, shell, stepGreeted(shell.core, contact, result));
}

export function onVoteAnswered(
  context: ProposerContext,
  shell: Shell,
  { contact, result }: VoteAnswered,
): void {
  if (shell.core !== null) perform(context, shell, stepVoted(shell.core, contact, result));
}

export function onInstallAnswered(
  context: ProposerContext,
  shell: Shell,
  { contact, result }: InstallAnswered,
): void {
  if (shell.core !== null) perform(context, shell, stepInstalled(shell.core, contact, result));
}

export function onAppendAnswered(
  context: ProposerContext,
  shell: Shell,
  message: AppendAnswered,
): void {
  if (shell.core === null) return;
  perform(context, shell, stepAppended(shell.core, message));
  const { core, stream } = shell;
  if (!shell.paused || stream === null) return;
  if (unansweredBytes(core) > inFlightBytesMax / 2) return;
  shell.paused = false;
  stream.resume();
}

export function onRelayAnswered(
  context: ProposerContext,
  shell: Shell,
  message: RelayAnswered,
): void {
  const { relay, bytes } = message;
  if (bytes.length === 0) {
    failRelay(context, shell, relay, new Failure('wal_not_yet_written', { from: relay.from }));
    return;
  }
  const next = shell.core && stepRelayed(shell.core, relay, lsn(relay.begin + bytes.length));
  if (next === null) return;
  shell.core = next;
  sendAppend(shell, relay, relay.begin, bytes);
}

export function onRelayFailed(context: ProposerContext, shell: Shell, message: RelayFailed): void {
  failRelay(context, shell, message.relay, failureFromData(message.failure));
}

/**
 * It is the one asked that failed; the other one gets its WAL elsewhere, or later. But for what comes out of
 * the object store the one that lacks it must wait: the one asked does its part, and commits count on it.
 */
function failRelay(context: ProposerContext, shell: Shell, relay: Relay, failure: Failure): void {
  const { core } = shell;
  if (core === null || core.phase === 'fenced') return;
  const present = isPresent(core, relay.from, relay.fromContact);
  if (present && failure.kind === 'fenced') {
    fence(context, shell, failure);
    return;
  }
  if (archiveFailures.includes(failure.code)) {
    if (!isPresent(core, relay.to, relay.contact)) return;
    lose(context, shell, relay.to, failure);
    perform(context, shell, stepLost(core, relay.to, relay.contact));
    return;
  }
  if (present) lose(context, shell, relay.from, failure);
  perform(context, shell, stepRelayFailed(core, relay));
}

/** Who has newer members is greeted at once: it will tell. */
export function onMemberFailed(
  context: ProposerContext,
  shell: Shell,
  message: MemberFailed,
): void {
  const { acceptor, contact } = message;
  const { core } = shell;
  if (core === null || core.phase === 'fenced' || !isPresent(core, acceptor, contact)) return;
  const failure = failureFromData(message.failure);
  if (failure.code === 'generation_stale') {
    perform(context, shell, stepReconnect(core, acceptor, contact));
  } else if (failure.kind === 'fenced') {
    fence(context, shell, failure);
  } else {
    lose(context, shell, acceptor, failure);
    perform(context, shell, stepLost(core, acceptor, contact));
    refuseIfHopeless(context, shell, failure);
  }
}

export function onReconnectDue(
  context: ProposerContext,
  shell: Shell,
  { acceptor, contact }: ReconnectDue,
): void {
  if (shell.core !== null) perform(context, shell, stepReconnect(shell.core, acceptor, contact));
}

/** Says so once, and has it contacted anew in a while. */
function lose(
  context: ProposerContext,
  { core, troubles, options }: Shell,
  acceptor: AcceptorId,
  failure: Failure,
): void {
  if (troubles.get(acceptor)?.code !== failure.code)
    context.log('warn', 'an acceptor is lost', { acceptor, failure: failure.message });
  troubles.set(acceptor, failure);
  const { contact } = core!.members.find(({ id }) => id === acceptor)!;
  context.after(options.reconnect_ms, { kind: 'reconnectDue', acceptor, contact });
}

/** An election that waiting does not help. */
function refuseIfHopeless(context: ProposerContext, shell: Shell, failure: Failure): void {
  const { core, troubles } = shell;
  if (core === null) return;
  const possible = hasQuorum(core.configuration, (id) => {
    const { kind } = troubles.get(id) ?? { kind: null };
    return kind !== 'corrupt' && kind !== 'invalid';
  });
  if (!possible) refuseElect(context, shell, failure);
}
