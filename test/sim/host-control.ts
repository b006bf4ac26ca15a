/**
 * HostControl: what a host's control does for one branch, as far as the quorum is concerned: runs the
 * acceptor of the member that lives here, makes and drops members, and drives changes of them.
 *
 * The changes are production's (`Members`, `MemberChange`, `ProjectStore`, `OtherHosts`); only
 * `HostAcceptors` stands for what `Timelines` does, on a simulated disk.
 */
import { Failure } from '../../src/base/failure.ts';
import { allMembers, hostOf, memberOn } from '../../src/consensus/membership.ts';
import { Members } from '../../src/actors/control/members.ts';
import { oneByOne, type InTurn } from '../../src/actors/control/one-by-one.ts';
import { OtherHosts } from '../../src/actors/control/other-hosts.ts';
import { ProjectStore } from '../../src/actors/control/project-store.ts';
import { changeBranch, findBranch } from '../../src/actors/control/project.ts';
import { type ControlMessage } from '../../src/actors/control/protocol.ts';
import { type ObjectStore } from '../../src/io/object-store.ts';
import { type Behavior, type ChildSpec, type Context } from '../../src/runtime/actor.ts';
import { asFailure } from '../../src/runtime/kernel/kernel.ts';
import { bound } from './bound-context.ts';
import { HostAcceptors, type AcceptorHome } from './host-acceptors.ts';
import { branchName } from './setting.ts';
import { patient } from './watched-acceptor.ts';

export interface ControlWorld {
  readonly hosts: readonly string[];
  /** As the processes of a host see it that run now. */
  storeOf(host: string): ObjectStore;
  homeOf(host: string): AcceptorHome;
  /** Name of the compute whose proposer lives on the host; null when there is none. */
  computeOn(host: string): string | null;
  /** The number of a new proposer without a compute on the host. */
  countInterim(host: string): number;
  /** Settles after a while, unless the host dies. */
  pause(host: string): Promise<void>;
}

export interface HostControlOptions {
  readonly host: string;
}

interface State {
  readonly host: string;
  readonly projects: ProjectStore;
  readonly acceptors: HostAcceptors;
  readonly members: Members;
  readonly pause: () => Promise<void>;
  readonly inTurn: InTurn;
}

export function hostControl(
  world: ControlWorld,
): Behavior<ControlMessage, State, HostControlOptions> {
  return {
    name: 'control',
    mailboxMax: 256,
    restart: 'permanent',
    intensity: patient,
    start: (context, { host }) => start(addressed(context, world, host), world, host),
    receive: (context, state, message) => {
      receive(context, state, message);
    },
    stop: () => undefined,
  };
}

// three parameters: who, where, and which of them
async function start(
  context: Context<ControlMessage>,
  world: ControlWorld,
  host: string,
): Promise<State> {
  const projects = await patiently(
    () => ProjectStore.open(world.storeOf(host), noProject),
    () => world.pause(host),
  );
  const acceptors = new HostAcceptors(context, world.homeOf(host));
  const options = { host, hosts: world.hosts };
  const inTurn = oneByOne();
  const members = new Members({
    ...{ context, options, projects, timelines: acceptors, inTurn },
    others: new OtherHosts(context, options),
    pause: () => world.pause(host),
  });
  const state: State = {
    ...{ host, projects, acceptors, members, inTurn },
    pause: () => world.pause(host),
  };
  await keepUp(state);
  return state;
}

/** What else a control is asked is of no concern to a quorum. */
function receive(context: Context<ControlMessage>, state: State, message: ControlMessage): void {
  const { members } = state;
  const { kind } = message;
  if (kind === 'replaceMember') answerLater(context, message, members.replace(message));
  if (kind === 'makeMember') answerLater(context, message, members.make(message).then(toNull));
  if (kind === 'dropMember') answerLater(context, message, members.drop(message).then(toNull));
  if (kind === 'findAcceptors') context.answer(message, acceptorPaths(state));
  if (kind === 'projectChanged') void onProjectChanged(context, state);
}

/** This host's first. */
function acceptorPaths({ host, projects }: State): readonly string[] {
  const { configuration } = findBranch(projects.project, branchName);
  const hosts = new Set(allMembers(configuration).map(hostOf));
  const sorted = [...hosts].sort((a, b) => Number(b === host) - Number(a === host));
  return sorted.map((each) => `acceptor-${each}/t`);
}

async function onProjectChanged(context: Context<ControlMessage>, state: State): Promise<void> {
  try {
    await state.projects.refresh();
    await state.inTurn(() => keepUp(state));
  } catch (error) {
    const { message: reason } = asFailure(error);
    context.log('warn', 'this host does not keep up with the project', { reason });
  }
}

/**
 * A first member takes itself off the list before it begins its log: so it does only once. A real control
 * does not start without its acceptor, and its process begins anew: here it tries again.
 */
async function keepUp({ host, projects, acceptors, pause }: State): Promise<void> {
  const branch = findBranch(projects.project, branchName);
  const id = memberOn(branch.configuration, host);
  if (id === null) return;
  const isBorn = branch.pending.includes(id);
  if (isBorn) await patiently(() => projects.change((now) => withoutPending(now, id)), pause);
  await patiently(() => acceptors.keep(id, isBorn), pause);
}

type Project = ProjectStore['project'];

function withoutPending(project: Project, id: string): Project {
  const pending = findBranch(project, branchName).pending.filter((each) => each !== id);
  return changeBranch(project, branchName, { pending });
}

/** Again until the store answers, or the thread is back. */
async function patiently<T>(attempt: () => Promise<T>, pause: () => Promise<void>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (failure) {
      if (!(failure instanceof Failure) || failure.kind !== 'unavailable') throw failure;
      await pause();
    }
  }
}

function noProject(): Promise<Project> {
  return Promise.reject(new Error('the world begins with a project'));
}

function answerLater(
  context: Context<ControlMessage>,
  asked: ControlMessage,
  answer: Promise<unknown>,
): void {
  answer.then(
    (result) => {
      context.answer(asked, result as never);
    },
    (error: unknown) => {
      context.refuse(asked, asFailure(error));
    },
  );
}

function toNull(): null {
  return null;
}

/** Paths as hosts of a cluster use them are here names of their own. */
function addressed(
  context: Context<ControlMessage>,
  world: ControlWorld,
  self: string,
): Context<ControlMessage> {
  return {
    ...bound(context),
    ref: (path) => context.ref(simulatedPath(path, world, self)),
    spawn: (child) => context.spawn(simulatedChild(child, world, self)),
  };
}

/** `b:acceptor/t` is `acceptor-b/t`, `b:control/host` is `control/b`, `b:proposer/t` the compute's on b. */
function simulatedPath(path: string, world: ControlWorld, self: string): string {
  const named = /^(?:([a-z]+):)?(acceptor|control|proposer)\/(t|host)$/.exec(path);
  if (named === null) return path;
  const [, host = self, role] = named;
  if (role === 'acceptor') return `acceptor-${host}/t`;
  if (role === 'control') return `control/${host}`;
  return `proposer/${world.computeOn(host) ?? `none-on-${host}`}`;
}

// three parameters: what, and where
function simulatedChild(child: ChildSpec, world: ControlWorld, self: string): ChildSpec {
  if (child.behavior !== 'proposer') return child;
  const options = { ...(child.options as object), acceptorPath: 'acceptor-{host}/t' };
  const name = `interim-${self}-${world.countInterim(self)}`;
  return { ...child, name, options, thread: `wal-${self}` };
}
