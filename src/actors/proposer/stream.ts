/**
 * Stream: WAL out of the compute's Postgres, from `follow` to its end.
 *
 * A reign has one stream. When it ends otherwise than by an orderly shutdown of Postgres the reign is
 * over: what would come next might not be what came before.
 */
import { ensure, Failure, failureFromData } from '../../base/failure.ts';
import { lsn } from '../../base/lsn.ts';
import { canStream, stepReceived } from '../../consensus/proposer.ts';
import { inFlightBytesMax, unansweredBytes } from '../../consensus/replication.ts';
import { failureData } from './acceptor-links.ts';
import {
  type Follow,
  type StreamEnded,
  type StreamOpened,
  type StreamRefused,
  type WalArrived,
} from './protocol.ts';
import { closeStream, endReign, perform, tellOwner } from './reign.ts';
import { openStream, type StreamEnd } from './replication-stream.ts';
import { type ProposerContext, type ProposerShell } from './shell.ts';
import { report } from './status.ts';

type Shell = ProposerShell;

const streamRetry_ms = 50;

export function onFollow(context: ProposerContext, shell: Shell, asked: Follow): void {
  const { core } = shell;
  ensure(core?.phase === 'leading', 'proposer_not_leading', { phase: core?.phase ?? 'idle' });
  ensure(!shell.streamed && shell.follow === null, 'proposer_streams_already');
  shell.follow = asked;
  shell.followSince_ms = context.clock.monotonic_ms();
}

/** Opens the stream once a majority follows and has all there is: what comes goes behind it. */
export function tryStream(context: ProposerContext, shell: Shell): void {
  const { core, follow } = shell;
  if (core === null || follow === null || shell.opening) return;
  if (!canStream(core) || core.commitLsn < core.endLsn) return;
  shell.opening = true;
  shell.streams += 1;
  const stream = shell.streams;
  const { self } = context;
  const listener = {
    onArrived: (): void => {
      context.tell(self, { kind: 'walArrived', stream });
    },
    onEnd: (end: StreamEnd): void => {
      context.tell(self, { kind: 'streamEnded', stream, ...end });
    },
  };
  void openStream(follow, core.endLsn, listener).then(
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

export function onStreamOpened(
  context: ProposerContext,
  shell: Shell,
  message: StreamOpened,
): void {
  if (message.stream !== shell.streams || shell.follow === null) return;
  shell.opening = false;
  shell.streamed = true;
  shell.paused = false;
  context.answer(shell.follow, { from: shell.core!.commitLsn });
  shell.follow = null;
  report(context, shell);
  // What happened before we knew of the stream:
  const { stream } = message;
  onWalArrived(context, shell, { kind: 'walArrived', stream });
  const end = shell.stream?.ended ?? null;
  if (end !== null) onStreamEnded(context, shell, { kind: 'streamEnded', stream, ...end });
}

/** A Postgres that is starting, or still has the slot's last user, may take us in a moment. */
export function onStreamRefused(
  context: ProposerContext,
  shell: Shell,
  message: StreamRefused,
): void {
  const { follow, options } = shell;
  if (message.stream !== shell.streams || follow === null) return;
  const failure = failureFromData(message.failure);
  const waited_ms = context.clock.monotonic_ms() - shell.followSince_ms;
  const { sqlstate } = failure.values;
  const passing = failure.kind === 'unavailable' || sqlstate === '55006' || sqlstate === '57P03';
  if (passing && waited_ms < options.followTimeout_ms) {
    context.after(streamRetry_ms, { kind: 'streamDue', stream: shell.streams });
    return;
  }
  shell.opening = false;
  shell.follow = null;
  context.refuse(follow, failure);
}

/** Time to try once more. */
export function onStreamDue(shell: Shell, stream: number): void {
  if (stream === shell.streams) shell.opening = false;
}

export function onWalArrived(context: ProposerContext, shell: Shell, { stream }: WalArrived): void {
  if (stream !== shell.streams) return;
  takeArrived(context, shell);
  if (shell.core === null || shell.stream === null) return;
  if (shell.paused || unansweredBytes(shell.core) <= inFlightBytesMax) return;
  shell.paused = true;
  shell.stream.pause();
}

export function onStreamEnded(context: ProposerContext, shell: Shell, message: StreamEnded): void {
  if (message.stream !== shell.streams || shell.stream === null || shell.opening) return;
  const { reason, orderly } = message;
  context.log('info', 'the stream from Postgres ended', { reason, orderly });
  closeStream(shell);
  tellOwner(context, shell, 'postgresGone');
  if (!orderly) endReign(context, shell, new Failure('proposer_fenced', { why: reason }));
}

/** Takes what the stream still has, and closes it. */
export function takeRest(context: ProposerContext, shell: Shell): void {
  takeArrived(context, shell);
  closeStream(shell);
}

function takeArrived(context: ProposerContext, shell: Shell): void {
  const { core, stream } = shell;
  const arrived = stream?.take() ?? null;
  if (arrived === null || core?.phase !== 'leading') return;
  shell.window.push(arrived.begin, arrived.bytes);
  perform(context, shell, stepReceived(core, lsn(arrived.begin + arrived.bytes.length)));
}
