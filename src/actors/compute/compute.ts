/**
 * Compute: one stock Postgres on one branch, started from storage and thrown away after.
 *
 * Owns:    a Postgres process, its scratch folder, its proposer and its mount.
 * Serves:  control.
 * Promise: a Postgres that runs is fed by an elected proposer; when either goes, both go.
 * Crash:   the kernel kills Postgres with its host; a restart begins with an empty scratch folder.
 * Never:   keeps anything: what counts is with the quorum.
 */
import { Failure } from '../../base/failure.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import { type MountFailed } from '../filesystem/protocol.ts';
import { type TimelineMessage } from '../timeline/protocol.ts';
import { type ComputeOptions } from './protocol.ts';
import {
  type ComputeFenced,
  type ComputeMessage,
  type DescribeCompute,
  type PostgresExited,
  type PostgresGone,
  type ProposerFenced,
  type SampleDue,
  type StartCompute,
  type StopCompute,
  type VerifyCompute,
} from './protocol.ts';
import { clearScratch, hasLeftovers, discardRun, endRun, startRun, type Run } from './run.ts';
import { takeSample } from './sample.ts';
import { verify } from './verify.ts';

export const compute = defineActor<ComputeMessage, State, ComputeOptions>({
  name: 'compute',
  mailboxMax: 256,
  restart: 'permanent',
  start,
  receive,
  stop,
});

const describeLimits = { timeout_ms: 10_000 };

interface State {
  readonly options: ComputeOptions;
  /** The Postgres that runs; null between runs. */
  run: Run | null;
  /** Runs are numbered, so that news of an old one is not taken for news of this one. */
  runs: number;
  /** Whether somebody wants a Postgres here: then a run that ends is followed by another. */
  wanted: boolean;
  restarts: number;
  lastFailure: string | null;
  /** Runs in a row that ended soon or did not begin: the next one waits the longer. */
  failuresInARow: number;
}

/** A run that lasted this long was a good one. */
const steadyRun_ms = 5_000;
const resumeDelayMin_ms = 10;
const resumeDelayMax_ms = 5_000;

/** A run that nobody ended is followed by another: whoever wanted it still does. */
async function start(context: Context<ComputeMessage>, options: ComputeOptions): Promise<State> {
  const wanted = hasLeftovers(options);
  if (wanted) context.after(0, { kind: 'resumeDue' });
  await clearScratch(options);
  const runs = context.random.below(2 ** 30); // a predecessor's numbers are not ours
  const state: State = {
    options,
    run: null,
    runs,
    wanted,
    restarts: 0,
    lastFailure: null,
    failuresInARow: 0,
  };
  // Before its mount goes: a Postgres that finds an empty folder may take its tables for shorter.
  context.onEndFirst(async () => {
    await state.run?.postgres.kill();
  });
  return state;
}

function receive(
  context: Context<ComputeMessage>,
  state: State,
  message: ComputeMessage,
): Promise<void> | void {
  switch (message.kind) {
    case 'startCompute':
      return onStartCompute(context, state, message);
    case 'stopCompute':
      return onStopCompute(context, state, message);
    case 'describeCompute':
      onDescribeCompute(context, state, message);
      return;
    case 'verifyCompute':
      return onVerifyCompute(context, state, message);
    case 'proposerFenced':
      return onProposerFenced(context, state, message);
    case 'postgresGone':
    case 'postgresExited':
      return onPostgresEnded(context, state, message);
    case 'mountFailed':
      return onMountFailed(context, state, message);
    case 'resumeDue':
      return onResumeDue(context, state);
    case 'sampleDue':
      return onSampleDue(context, state, message);
  }
}

/** The mount and the proposer, being children, are gone by now: no Postgres could end in order. */
async function stop(context: Context<ComputeMessage>, state: State): Promise<void> {
  await discard(context, state);
}

async function onStartCompute(
  context: Context<ComputeMessage>,
  state: State,
  message: StartCompute,
): Promise<void> {
  const began_ms = context.clock.monotonic_ms();
  const startedAlready = state.run !== null;
  const run = state.run ?? (await begin(context, state));
  state.wanted = true;
  context.answer(message, {
    connectionString: connectionString(state.options),
    start_ms: startedAlready ? 0 : Math.round(context.clock.monotonic_ms() - began_ms),
    startLsn: run.startLsn,
  });
}

async function onResumeDue(context: Context<ComputeMessage>, state: State): Promise<void> {
  if (state.run !== null || !state.wanted) return;
  state.restarts += 1;
  try {
    await begin(context, state);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.log('warn', 'compute: no Postgres', { reason: error.message });
    resumeLater(context, state);
  }
}

async function onStopCompute(
  context: Context<ComputeMessage>,
  state: State,
  message: StopCompute,
): Promise<void> {
  const { run } = state;
  state.wanted = false;
  state.run = null;
  if (run !== null) await endRun(context, state.options, run);
  context.answer(message, null);
}

function onDescribeCompute(
  context: Context<ComputeMessage>,
  state: State,
  message: DescribeCompute,
): void {
  const { run, restarts, lastFailure, options } = state;
  context.answer(message, {
    state: run === null ? 'stopped' : 'running',
    connectionString: run === null ? null : connectionString(options),
    pid: run?.postgres.pid ?? null,
    restarts,
    lastFailure,
  });
}

/** Samples wait meanwhile, so nothing is dropped from under the comparison. */
async function onVerifyCompute(
  context: Context<ComputeMessage>,
  state: State,
  message: VerifyCompute,
): Promise<void> {
  if (state.run === null) throw new Failure('endpoint_stopped', { branch: state.options.branch });
  context.answer(message, await verify(context, state.options, state.run));
}

/**
 * Somebody else was elected: ours can never commit again, so it must not linger. Whether another one follows
 * here, and not where somebody started one, only the project says.
 */
async function onProposerFenced(
  context: Context<ComputeMessage>,
  state: State,
  message: ProposerFenced,
): Promise<void> {
  if (state.run?.number !== message.run) return;
  state.wanted = false;
  state.lastFailure = 'another proposer took the branch over';
  const { owner, timeline } = state.options;
  try {
    await discard(context, state);
  } finally {
    context.tell(context.ref<ComputeFenced>(owner), { kind: 'computeFenced', timeline });
  }
}

async function onPostgresEnded(
  context: Context<ComputeMessage>,
  state: State,
  message: PostgresGone | PostgresExited,
): Promise<void> {
  if (state.run?.number !== message.run) return;
  const reason = message.kind === 'postgresExited' ? message.reason : 'the WAL stream ended';
  await comeBack(context, state, reason);
}

async function onMountFailed(
  context: Context<ComputeMessage>,
  state: State,
  message: MountFailed,
): Promise<void> {
  if (state.run?.mountPoint !== message.mountPoint) return;
  await comeBack(context, state, message.reason);
}

async function onSampleDue(
  context: Context<ComputeMessage>,
  state: State,
  message: SampleDue,
): Promise<void> {
  const { run, options } = state;
  if (run?.number !== message.run) return;
  // First: a sample that fails, because a user ended our connection, is not the last one.
  context.after(options.trimSample_ms, { kind: 'sampleDue', run: run.number });
  const timeline = context.ref<TimelineMessage>(`timeline/${options.timeline}`);
  const { halted } = await context.ask(timeline, { kind: 'describeTimeline' }, describeLimits);
  if (halted === null) await takeSample(context, options, run);
  else await endHalted(context, state, halted);
}

/** No start from storage could show what this Postgres acknowledges from now on: so it ends. */
async function endHalted(
  context: Context<ComputeMessage>,
  state: State,
  halted: string,
): Promise<void> {
  const { branch } = state.options;
  state.wanted = false;
  state.lastFailure = `timeline halted: ${halted}`;
  context.log('error', 'compute: ended, for its timeline is halted', { branch, halted });
  await discard(context, state);
}

/** Throws away what is left of a run; the next one starts from storage. */
async function comeBack(
  context: Context<ComputeMessage>,
  state: State,
  reason: string,
): Promise<void> {
  state.lastFailure = reason;
  const lasted_ms = context.clock.monotonic_ms() - (state.run?.began_ms ?? 0);
  if (lasted_ms >= steadyRun_ms) state.failuresInARow = 0;
  try {
    const words = await discard(context, state);
    if (words !== null && !reason.includes(words)) state.lastFailure = `${reason}: ${words}`;
  } finally {
    const { options, lastFailure } = state;
    context.log('warn', 'compute: Postgres ended', { branch: options.branch, reason: lastFailure });
    resumeLater(context, state);
  }
}

/** Whoever wanted a Postgres here still does, so this never gives up. */
function resumeLater(context: Context<ComputeMessage>, state: State): void {
  const delay_ms = Math.min(resumeDelayMin_ms * 2 ** state.failuresInARow, resumeDelayMax_ms);
  state.failuresInARow += 1;
  context.after(delay_ms, { kind: 'resumeDue' });
}

async function begin(context: Context<ComputeMessage>, state: State): Promise<Run> {
  state.runs += 1;
  try {
    const run = await startRun(context, state.options, state.runs);
    state.run = run;
    context.after(state.options.trimSample_ms, { kind: 'sampleDue', run: run.number });
    return run;
  } catch (error) {
    if (error instanceof Failure) state.lastFailure = error.message;
    throw error;
  }
}

async function discard(context: Context<ComputeMessage>, state: State): Promise<string | null> {
  const { run } = state;
  state.run = null;
  return run === null ? null : discardRun(context, state.options, run);
}

function connectionString({ address, port }: ComputeOptions): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `postgresql://postgres@${host}:${port}/postgres`;
}
