/**
 * Control: the branches and endpoints of the project, as this host takes part in it.
 *
 * Owns:    which timelines and computes run on this host.
 * Serves:  the HTTP interface, and the controls of other hosts.
 * Promise: what it answered is in the project, in the object store, and survives every host.
 * Crash:   restart reads the project and starts what this host keeps of it, and the endpoints that ran
 *          here; a half-made branch is not in it.
 * Never:   sees WAL or pages.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, lsnZero, type Lsn } from '../../base/lsn.ts';
import { allMembers, hasQuorum, hostOf, memberOn } from '../../consensus/membership.ts';
import { DirectoryStore } from '../../io/directory-store.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import { findRecordEnd } from './branch-point.ts';
import { Computes } from './computes.ts';
import { Endpoints } from './endpoints.ts';
import { openProject } from './open-project.ts';
import { Members } from './members.ts';
import { oneByOne, type InTurn } from './one-by-one.ts';
import { answerLater, asFailure, failsForNow, tryAgain } from './later.ts';
import { OtherHosts } from './other-hosts.ts';
import { Pauses } from './pauses.ts';
import { type ProjectStore } from './project-store.ts';
import {
  addBranch,
  ancestry,
  branchOf,
  changeBranch,
  checkNewName,
  findBranch,
  hostsOf,
  removeBranch,
  type Branch,
  type Project,
} from './project.ts';
import {
  type AbortChange,
  type AdoptBranch,
  type BranchDescription,
  type ControlMessage,
  type ControlOptions,
  type CreateBranch,
  type DeleteBranch,
  type DescribeEndpoint,
  type DescribeHost,
  type DropBranch,
  type DropMember,
  type FindAcceptors,
  type FindWal,
  type ListEndpoints,
  type ListMembers,
  type MakeMember,
  type ProjectChanged,
  type ReplaceMember,
  type ResumeEndpoints,
  type StartEndpoint,
  type StopComputes,
  type StopEndpoint,
  type VerifyBranch,
} from './protocol.ts';
import { Timelines } from './timelines.ts';
import { WalDirectory } from './wal-directory.ts';
import { type ComputeFenced } from '../compute/protocol.ts';
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
  /** The project as it was read last; it may have changed since. */
  readonly projects: ProjectStore;
  /** The timelines this host keeps something of run, once they are in the project as read last. */
  readonly timelines: Timelines;
  readonly computes: Computes;
  readonly others: OtherHosts;
  readonly wal: WalDirectory;
  /** Does what changes which actors run here. */
  readonly inTurn: InTurn;
  readonly pauses: Pauses;
}

async function start(context: Context<ControlMessage>, options: ControlOptions): Promise<State> {
  const store = new DirectoryStore(options.objectStore);
  const timelines = new Timelines(context, options, store);
  const projects = await openProject(context, options, { store, timelines });
  const computes = new Computes(context, options);
  const others = new OtherHosts(context, options);
  const wal = new WalDirectory({ clock: context.clock, projects, timelines });
  const inTurn = oneByOne();
  const pauses = new Pauses(context);
  const state: State = {
    ...{ options, projects, timelines, computes, others, wal, inTurn, pauses },
  };
  await keepUp(context, state);
  context.after(0, { kind: 'resumeEndpoints' });
  return state;
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
      answerLater(context, message, createBranch(context, state, message));
      return;
    case 'listBranches':
      answerLater(context, message, listBranches(state));
      return;
    case 'deleteBranch':
      return onDeleteBranch(context, state, message);
    case 'adoptBranch':
      return onAdoptBranch(context, state, message);
    case 'dropBranch':
      return onDropBranch(state, message);
    case 'projectChanged':
      void onProjectChanged(context, state, message);
      return;
    case 'stopComputes':
      return onStopComputes(context, state, message);
    case 'startEndpoint':
    case 'stopEndpoint':
    case 'listEndpoints':
    case 'describeEndpoint':
    case 'verifyBranch':
    case 'resumeEndpoints':
    case 'computeFenced':
      receiveOfEndpoints(context, state, message);
      return;
    case 'findWal':
    case 'findAcceptors':
      receiveOfReaders(context, state, message);
      return;
    case 'pauseEnded':
      state.pauses.onPauseEnded(message);
      return;
    case 'listMembers':
    case 'replaceMember':
    case 'abortChange':
    case 'makeMember':
    case 'dropMember':
      receiveOfMembers(context, state, message);
      return;
  }
}

/** Computes and timelines are children: they stop before this actor does. */
function stop(): void {
  return;
}

function onDescribeHost(
  context: Context<ControlMessage>,
  { options, projects: { project } }: State,
  message: DescribeHost,
): void {
  context.answer(message, {
    host: options.host,
    mainHost: findBranch(project, 'main').host,
    project: project.name,
    postgresMajor: project.major,
    branches: project.branches.length,
    endpoints: project.branches.filter(({ running }) => running).length,
  });
}

/**
 * Its members make their part before anybody can see the branch: a majority of them must. Those that
 * could not be reached make it when they read of it.
 */
async function createBranch(
  context: Context<ControlMessage>,
  state: State,
  { name, parent: parentName, at }: CreateBranch,
): Promise<BranchDescription> {
  const { projects, timelines, others } = state;
  const project = await projects.refresh();
  checkNewName(project, name);
  const parent = findBranch(project, parentName);
  const { ancestor, point } = await branchPoint(state, parent, at);
  const planned = planBranch(context, { name, parent, ancestor, at: point.lsn });
  await timelines.publishBranch(ancestor, planned.timeline, point);
  try {
    const [away] = await Promise.all([others.adopt(planned), timelines.create(project, planned)]);
    const { configuration } = planned;
    const pending = allMembers(configuration).filter((id) => away.includes(hostOf(id)));
    const made = hasQuorum(configuration, (id) => !pending.includes(id));
    ensure(made, 'quorum_unreachable', { branch: name, away: away.join() });
    await projects.change((now) => addBranch(now, { ...planned, pending }));
  } catch (failure) {
    if (!(await isListed(state, planned))) throw failure;
  }
  others.announce();
  return describeBranch(state, planned);
}

/**
 * Whether a branch came to be after all: a store that failed may have listed it. Only when it is known not
 * to be listed is anything of it deleted; what is kept in doubt is in nobody's way.
 */
async function isListed({ projects, timelines, others }: State, branch: Branch): Promise<boolean> {
  if (branchOf(await projects.refresh(), branch.timeline) !== null) return true;
  others.drop(branch);
  await timelines.remove(branch.timeline);
  return false;
}

interface NewBranch {
  readonly name: string;
  readonly parent: Branch;
  readonly ancestor: Branch;
  readonly at: Lsn;
}

/** Beside its ancestor: whoever reads its pages reads those it grows from. */
function planBranch(
  context: Context<ControlMessage>,
  { name, parent, ancestor, at }: NewBranch,
): Branch {
  const { configuration, copies } = ancestor;
  const members = [...new Set((configuration.newMembers ?? configuration.members).map(hostOf))];
  return {
    name,
    timeline: Buffer.from(context.random.bytes(16)).toString('hex'),
    parent: parent.name,
    ancestor: { timeline: ancestor.timeline, lsn: at },
    createdAt_ms: context.clock.now_ms(),
    configuration: { generation: 1, members, newMembers: null },
    pending: [],
    leaving: [],
    copies,
    host: null,
    port: null,
    running: false,
  };
}

async function onAdoptBranch(
  context: Context<ControlMessage>,
  { timelines, projects }: State,
  message: AdoptBranch,
): Promise<void> {
  const { branch } = message;
  const listed = branchOf(await projects.refresh(), branch.timeline) !== null;
  ensure(!listed, 'branch_exists', { branch: branch.name }); // it came late: the project says the rest
  await timelines.create(projects.project, branch);
  context.answer(message, null);
}

async function onDropBranch(
  { timelines, projects }: State,
  { timeline }: DropBranch,
): Promise<void> {
  if (branchOf(await projects.refresh(), timeline) === null) await timelines.remove(timeline);
}

async function listBranches(state: State): Promise<readonly BranchDescription[]> {
  const { branches } = await state.projects.refresh();
  return Promise.all(branches.map((branch) => describeBranch(state, branch)));
}

async function onDeleteBranch(
  context: Context<ControlMessage>,
  state: State,
  message: DeleteBranch,
): Promise<void> {
  await state.projects.change((project) => removeBranch(project, message.name));
  await keepUp(context, state);
  state.others.announce();
  context.answer(message, null);
}

function receiveOfEndpoints(
  context: Context<ControlMessage>,
  state: State,
  message:
    | StartEndpoint
    | StopEndpoint
    | ListEndpoints
    | DescribeEndpoint
    | VerifyBranch
    | ResumeEndpoints
    | ComputeFenced,
): void {
  const endpoints = new Endpoints({ context, ...state, keepUp: () => keepUp(context, state) });
  switch (message.kind) {
    case 'startEndpoint':
      answerLater(context, message, endpoints.start(message));
      return;
    case 'stopEndpoint':
      answerLater(context, message, endpoints.stop(message));
      return;
    case 'listEndpoints':
      answerLater(context, message, endpoints.list());
      return;
    case 'describeEndpoint':
      answerLater(context, message, endpoints.describe(message));
      return;
    case 'verifyBranch':
      answerLater(context, message, endpoints.verify(message));
      return;
    case 'resumeEndpoints':
      answerLater(context, message, endpoints.resume().then(toNull));
      return;
    case 'computeFenced':
      void endpoints.onFenced(message);
      return;
  }
}

async function onStopComputes(
  context: Context<ControlMessage>,
  state: State,
  message: StopComputes,
): Promise<void> {
  const { branches } = state.projects.project;
  await Promise.all(branches.map((branch) => state.computes.stop(branch)));
  context.answer(message, null);
}

function receiveOfReaders(
  context: Context<ControlMessage>,
  { wal }: State,
  message: FindWal | FindAcceptors,
): void {
  switch (message.kind) {
    case 'findWal':
      answerLater(context, message, wal.find(message.branch));
      return;
    case 'findAcceptors':
      answerLater(context, message, wal.findAcceptors(message.timeline));
      return;
  }
}

function receiveOfMembers(
  context: Context<ControlMessage>,
  state: State,
  message: ListMembers | ReplaceMember | AbortChange | MakeMember | DropMember,
): void {
  const members = membersOf(context, state);
  switch (message.kind) {
    case 'listMembers':
      answerLater(context, message, members.list(message.branch));
      return;
    case 'replaceMember':
      answerLater(context, message, members.replace(message));
      return;
    case 'abortChange':
      answerLater(context, message, members.abort(message));
      return;
    case 'makeMember':
      answerLater(context, message, members.make(message).then(toNull));
      return;
    case 'dropMember':
      answerLater(context, message, members.drop(message).then(toNull));
      return;
  }
}

function membersOf(context: Context<ControlMessage>, state: State): Members {
  const { options, projects, timelines, others, inTurn, pauses } = state;
  const parts = { context, options, projects, timelines, others, inTurn };
  return new Members({ ...parts, pause: () => pauses.pause() });
}

function toNull(): null {
  return null;
}

async function onProjectChanged(
  context: Context<ControlMessage>,
  state: State,
  message: ProjectChanged,
): Promise<void> {
  const failing = await failsForNow(context, 'keep up with the project', async () => {
    await state.projects.refresh();
    await keepUp(context, state);
  });
  if (failing) tryAgain(context, message);
}

/** Makes this host keep what the project says. */
function keepUp(context: Context<ControlMessage>, state: State): Promise<void> {
  return state.inTurn(() => keepUpNow(context, state));
}

async function keepUpNow(context: Context<ControlMessage>, state: State): Promise<void> {
  const { projects, timelines, computes, options } = state;
  const { host } = options;
  for (const { timeline, hosts } of projects.project.deleted) {
    if (!hosts.includes(host)) continue;
    await computes.forget(timeline);
    await timelines.remove(timeline);
    await timelines.clearAway(projects, timeline);
  }
  for (const branch of projects.project.branches) {
    if (hostsOf(branch).includes(host)) await keepBranch(state, branch);
    if (branch.host !== host) void stopElsewhere(context, state, branch);
  }
}

/** A member that makes its acceptor late is first no longer pending: so it makes one only once. */
async function keepBranch({ projects, timelines, options }: State, branch: Branch): Promise<void> {
  const id = memberOn(branch.configuration, options.host);
  if (id === null || !branch.pending.includes(id)) {
    await timelines.start(projects.project, branch);
    return;
  }
  await projects.change((now) => {
    const pending = branchOf(now, branch.timeline)?.pending ?? [];
    return changeBranch(now, branch.name, { pending: pending.filter((each) => each !== id) });
  });
  await timelines.create(projects.project, branch);
}

/** Its Postgres runs on another host now: ours can never commit again. */
async function stopElsewhere(
  context: Context<ControlMessage>,
  { computes }: State,
  branch: Branch,
): Promise<void> {
  try {
    await computes.stop(branch);
  } catch (error) {
    const { message: reason } = asFailure(error);
    context.log('warn', 'control: endpoint of another host not stopped in order', { reason });
  }
}

/** Where a branch asked for at `at` can be cut, and from which branch of the ancestry. */
async function branchPoint(
  { projects: { project }, timelines }: State,
  parent: Branch,
  at: Lsn | null,
): Promise<{ readonly ancestor: Branch; readonly point: BranchPoint }> {
  if (at === null) return { ancestor: parent, point: await timelines.endOfLog(parent) };
  const ancestor = owningBranch(project, parent, at);
  const wal = await timelines.storedWal(project, ancestor);
  ensure(at <= wal.endLsn, 'lsn_in_future', { lsn: formatLsn(at), end: formatLsn(wal.endLsn) });
  const point = await findRecordEnd(wal, at);
  const { startLsn } = await timelines.describe(ancestor);
  ensure(point.lsn >= startLsn, 'lsn_before_history', {
    lsn: formatLsn(at),
    start: formatLsn(startLsn),
  });
  return { ancestor, point };
}

/** The branch that wrote the WAL at `at`: the parent itself, or one it grew from. */
function owningBranch(project: Project, parent: Branch, at: Lsn): Branch {
  const line = ancestry(project, parent);
  return line.findLast(({ ancestor }) => ancestor === null || at > ancestor.lsn) ?? line[0]!;
}

/** Where nobody who keeps its pages answers, the rest is still known. */
async function describeBranch({ timelines }: State, branch: Branch): Promise<BranchDescription> {
  const described = await timelines.describe(branch).catch((error: unknown) => asFailure(error));
  const unknown = described instanceof Failure;
  const parentLsn = branch.ancestor?.lsn ?? null;
  return {
    name: branch.name,
    timeline: branch.timeline,
    parent: branch.parent,
    parentLsn,
    endLsn: unknown ? (parentLsn ?? lsnZero) : described.ingestedLsn,
    createdAt_ms: branch.createdAt_ms,
    halted: unknown ? described.message : described.halted,
  };
}
