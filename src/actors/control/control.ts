/**
 * Control: the branches and endpoints of this host's project.
 *
 * Owns:    project.json, and which timelines and computes run.
 * Serves:  the HTTP interface.
 * Promise: what it answered is in project.json and survives the host.
 * Crash:   restart reads project.json and starts the timelines in it, and the endpoints that ran; a
 *          half-made branch is not in it.
 * Never:   sees WAL or pages.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, type Lsn } from '../../base/lsn.ts';
import { defineActor, type Context, type ResultOf } from '../../runtime/actor.ts';
import { findRecordEnd } from './branch-point.ts';
import { openProject, saveProject } from './open-project.ts';
import {
  addBranch,
  changeBranch,
  checkNewName,
  findBranch,
  removeBranch,
  type Branch,
  type Project,
} from './project.ts';
import {
  type BranchDescription,
  type ControlMessage,
  type ControlOptions,
  type CreateBranch,
  type DeleteBranch,
  type DescribeHost,
  type EndpointDescription,
  type ListBranches,
  type ListEndpoints,
  type ResumeEndpoints,
  type StartedEndpoint,
  type StartEndpoint,
  type StopComputes,
  type StopEndpoint,
  type VerifyBranch,
} from './protocol.ts';
import { Computes } from './computes.ts';
import { Timelines } from './timelines.ts';
import { type BranchPoint } from '../timeline/protocol.ts';

export const control = defineActor<ControlMessage, State, ControlOptions>({
  name: 'control',
  mailboxMax: 256,
  restart: 'permanent',
  start,
  receive,
  stop,
});

interface State {
  readonly options: ControlOptions;
  /** Always what project.json says. */
  project: Project;
  /** Every branch's timeline runs. */
  readonly timelines: Timelines;
  readonly computes: Computes;
}

const resumeRetry_ms = 1_000;

async function start(context: Context<ControlMessage>, options: ControlOptions): Promise<State> {
  const timelines = new Timelines(context, options);
  const project = await openProject(context, options, timelines);
  const computes = new Computes(context, options);
  context.after(0, { kind: 'resumeEndpoints' });
  return { options, project, timelines, computes };
}

function receive(
  context: Context<ControlMessage>,
  state: State,
  message: ControlMessage,
): Promise<void> | void {
  switch (message.kind) {
    case 'describeHost':
      onDescribeHost(context, state, message);
      return;
    case 'createBranch':
      return onCreateBranch(context, state, message);
    case 'listBranches':
      return onListBranches(context, state, message);
    case 'deleteBranch':
      return onDeleteBranch(context, state, message);
    case 'startEndpoint':
      return onStartEndpoint(context, state, message);
    case 'stopEndpoint':
      onStopEndpoint(context, state, message);
      return;
    case 'listEndpoints':
      return onListEndpoints(context, state, message);
    case 'resumeEndpoints':
      onResumeEndpoints(context, state, message);
      return;
    case 'stopComputes':
      return onStopComputes(context, state, message);
    case 'verifyBranch':
      onVerifyBranch(context, state, message);
      return;
  }
}

/** Computes and timelines are children: they stop before this actor does. */
function stop(): void {
  return;
}

function onDescribeHost(
  context: Context<ControlMessage>,
  { project }: State,
  message: DescribeHost,
): void {
  context.answer(message, {
    project: project.name,
    postgresMajor: project.major,
    branches: project.branches.length,
    endpoints: project.branches.filter(({ running }) => running).length,
  });
}

async function onCreateBranch(
  context: Context<ControlMessage>,
  state: State,
  message: CreateBranch,
): Promise<void> {
  const { name, parent, at } = message;
  checkNewName(state.project, name);
  const { timeline, point } = await branchPoint(state, findBranch(state.project, parent), at);
  const branch: Branch = {
    name,
    timeline: newTimelineId(context),
    parent,
    ancestor: { timeline, lsn: point.lsn },
    createdAt_ms: context.clock.now_ms(),
    port: null,
    running: false,
  };
  await state.timelines.createBranch(state.project, branch, point);
  save(state, addBranch(state.project, branch));
  context.answer(message, await describeBranch(state, branch));
}

async function onListBranches(
  context: Context<ControlMessage>,
  state: State,
  message: ListBranches,
): Promise<void> {
  const described = state.project.branches.map((branch) => describeBranch(state, branch));
  context.answer(message, await Promise.all(described));
}

async function onDeleteBranch(
  context: Context<ControlMessage>,
  state: State,
  message: DeleteBranch,
): Promise<void> {
  const branch = findBranch(state.project, message.name);
  ensure(!branch.running, 'branch_in_use', { branch: branch.name });
  save(state, removeBranch(state.project, branch.name));
  await state.computes.forget(branch);
  await state.timelines.remove(branch);
  context.answer(message, null);
}

/** The start itself goes on beside other requests: a Postgres takes its time. */
async function onStartEndpoint(
  context: Context<ControlMessage>,
  state: State,
  message: StartEndpoint,
): Promise<void> {
  const { name } = findBranch(state.project, message.branch);
  const port = await state.computes.portFor(state.project, name);
  save(state, changeBranch(state.project, name, { port, running: true }));
  const started = state.computes.start(state.project, findBranch(state.project, name));
  answerLater(
    context,
    message,
    started.then(({ connectionString, start_ms }): StartedEndpoint => ({
      branch: name,
      connectionString,
      startMs: start_ms,
    })),
  );
}

/** Marked stopped first: a host that dies meanwhile does not start it again. */
function onStopEndpoint(
  context: Context<ControlMessage>,
  state: State,
  message: StopEndpoint,
): void {
  const branch = findBranch(state.project, message.branch);
  save(state, changeBranch(state.project, branch.name, { running: false }));
  answerLater(
    context,
    message,
    state.computes.stop(branch).then(() => null),
  );
}

/**
 * An endpoint that cannot be started does not keep the host from serving the others. One that may
 * start later, when what it needs is back, is tried again.
 */
function onResumeEndpoints(
  context: Context<ControlMessage>,
  { project, computes }: State,
  message: ResumeEndpoints,
): void {
  const wanted = project.branches.filter(({ running }) => running);
  const started = wanted.map(async (branch) => {
    try {
      await computes.start(project, branch);
    } catch (error) {
      const { message: reason, kind } = asFailure(error);
      context.log('error', 'control: endpoint not resumed', { branch: branch.name, reason });
      if (kind === 'unavailable') context.after(resumeRetry_ms, { kind: 'resumeEndpoints' });
    }
  });
  answerLater(
    context,
    message,
    Promise.all(started).then(() => null),
  );
}

async function onStopComputes(
  context: Context<ControlMessage>,
  state: State,
  message: StopComputes,
): Promise<void> {
  await Promise.all(state.project.branches.map((branch) => state.computes.stop(branch)));
  context.answer(message, null);
}

async function onListEndpoints(
  context: Context<ControlMessage>,
  state: State,
  message: ListEndpoints,
): Promise<void> {
  const described = state.project.branches
    .filter(({ port }) => port !== null)
    .map(async (branch): Promise<EndpointDescription> => {
      return { branch: branch.name, ...(await state.computes.describe(branch)) };
    });
  context.answer(message, await Promise.all(described));
}

function onVerifyBranch(
  context: Context<ControlMessage>,
  state: State,
  message: VerifyBranch,
): void {
  const branch = findBranch(state.project, message.branch);
  ensure(branch.running, 'endpoint_stopped', { branch: branch.name });
  answerLater(context, message, state.computes.verify(branch));
}

/** Where a branch asked for at `at` can be cut, and from which timeline of the ancestry. */
async function branchPoint(
  state: State,
  parent: Branch,
  at: Lsn | null,
): Promise<{ readonly timeline: string; readonly point: BranchPoint }> {
  if (at === null) {
    return { timeline: parent.timeline, point: await state.timelines.endOfLog(parent.timeline) };
  }
  const timeline = owningTimeline(state.project, parent, at);
  const wal = await state.timelines.storedWal(state.project, timeline);
  ensure(at <= wal.endLsn, 'lsn_in_future', { lsn: formatLsn(at), end: formatLsn(wal.endLsn) });
  const point = await findRecordEnd(wal, at);
  const history = await state.timelines.describe(timeline);
  ensure(point.lsn >= history.startLsn, 'lsn_before_history', {
    lsn: formatLsn(at),
    start: formatLsn(history.startLsn),
  });
  return { timeline, point };
}

/** The timeline that wrote the WAL at `at`: the parent's own, or one it grew from. */
function owningTimeline(project: Project, parent: Branch, at: Lsn): string {
  let { timeline, ancestor } = parent;
  while (ancestor !== null && at <= ancestor.lsn) {
    timeline = ancestor.timeline;
    ancestor = project.branches.find((one) => one.timeline === timeline)?.ancestor ?? null;
  }
  return timeline;
}

async function describeBranch(state: State, branch: Branch): Promise<BranchDescription> {
  const { ingestedLsn, halted } = await state.timelines.describe(branch.timeline);
  return {
    name: branch.name,
    timeline: branch.timeline,
    parent: branch.parent,
    parentLsn: branch.ancestor?.lsn ?? null,
    endLsn: ingestedLsn,
    createdAt_ms: branch.createdAt_ms,
    halted,
  };
}

function save(state: State, project: Project): void {
  saveProject(state.options, project);
  state.project = project;
}

function newTimelineId(context: Context<ControlMessage>): string {
  return Buffer.from(context.random.bytes(16)).toString('hex');
}

/** Answers when a child has done its part; control goes on meanwhile. */
function answerLater<Asked extends ControlMessage>(
  context: Context<ControlMessage>,
  asked: Asked,
  result: Promise<ResultOf<Asked>>,
): void {
  result.then(
    (value) => {
      context.answer(asked, value);
    },
    (error: unknown) => {
      context.refuse(asked, asFailure(error));
    },
  );
}

function asFailure(error: unknown): Failure {
  return error instanceof Failure
    ? error
    : new Failure('internal_error', { reason: String(error) });
}
