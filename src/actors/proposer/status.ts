/**
 * Status: what Postgres is told of how far we are, and told once more when nothing follows.
 *
 * From major 16 on a WAL sender can miss that there is new WAL: it looks, finds none, and only then puts
 * itself on the list of those to be woken (`WalSndWait`, src/backend/replication/walsender.c). When a commit
 * comes between the two, its backend waits until something else wakes the WAL sender, which then sends what
 * there is: its own clock, after 10 s, or a message of ours. A standby sends several for each commit; so do
 * we: one, and a **nudge**, ever later, while nothing more is committed.
 */
import { type NudgeDue } from './protocol.ts';
import { type ProposerContext, type ProposerShell } from './shell.ts';

type Shell = ProposerShell;

const firstNudge_ms = 2;
const lastNudge_ms = 2_000;
const nudgeFactor = 10;

/** Backends whose commits are in it return. */
export function report(context: ProposerContext, shell: Shell): void {
  send(context, shell);
  if (shell.nudge?.delay_ms !== firstNudge_ms) nudgeLater(context, shell, firstNudge_ms);
}

export function onNudgeDue(context: ProposerContext, shell: Shell, due: NudgeDue): void {
  const { core, streams } = shell;
  if (due.stream !== streams || core === null) return;
  if (core.commitLsn > due.commitLsn) {
    nudgeLater(context, shell, firstNudge_ms);
    return;
  }
  send(context, shell);
  const delay_ms = due.delay_ms * nudgeFactor;
  if (delay_ms <= lastNudge_ms) nudgeLater(context, shell, delay_ms);
  else endNudges(shell);
}

export function endNudges(shell: Shell): void {
  shell.nudge?.timer.cancel();
  shell.nudge = null;
}

function send(context: ProposerContext, { core, stream }: Shell): void {
  if (core !== null) stream?.report(core.endLsn, core.commitLsn, context.clock.now_ms());
}

function nudgeLater(context: ProposerContext, shell: Shell, delay_ms: number): void {
  endNudges(shell);
  const { core, stream, streams } = shell;
  if (core === null || stream === null) return;
  const { commitLsn } = core;
  const due = { kind: 'nudgeDue', stream: streams, commitLsn, delay_ms } as const;
  shell.nudge = { timer: context.after(delay_ms, due), delay_ms };
}
