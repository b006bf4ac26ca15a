/**
 * Endpoints: the Postgres of each branch, wherever it runs: started, stopped, described, and resumed.
 */
import { ensure } from '../../base/failure.ts';
import { type Context, type ResultOf } from '../../runtime/actor.ts';
import { type ComputeFenced } from '../compute/protocol.ts';
import { type Computes } from './computes.ts';
import { failsForNow, tryAgain } from './later.ts';
import { type OtherHosts } from './other-hosts.ts';
import { type ProjectStore } from './project-store.ts';
import {
  ancestry,
  branchOf,
  changeBranch,
  findBranch,
  type Branch,
  type Project,
} from './project.ts';
import {
  type ControlMessage,
  type ControlOptions,
  type DescribeEndpoint,
  type EndpointDescription,
  type StartedEndpoint,
  type StartEndpoint,
  type StopEndpoint,
  type VerifyBranch,
} from './protocol.ts';

export interface EndpointsParts {
  readonly context: Context<ControlMessage>;
  readonly options: Pick<ControlOptions, 'host'>;
  readonly projects: Pick<ProjectStore, 'project' | 'refresh' | 'change'>;
  readonly computes: Pick<Computes, 'portFor' | 'start' | 'stop' | 'describe' | 'verify'>;
  readonly others: Pick<OtherHosts, 'announce' | 'control' | 'describeEndpoint'>;
  /** Makes this host keep what the project says now. */
  readonly keepUp: () => Promise<void>;
}

/** Longer than the settings let a Postgres take to stop or be compared. */
const forwardLimits = { timeout_ms: 3_600_000 };

export class Endpoints {
  readonly #parts: EndpointsParts;

  constructor(parts: EndpointsParts) {
    this.#parts = parts;
  }

  async start(message: StartEndpoint): Promise<StartedEndpoint> {
    const { projects, computes, options, others, keepUp } = this.#parts;
    const { host } = options;
    const { name } = findBranch(await projects.refresh(), message.branch);
    const port = await computes.portFor(projects.project, name);
    const place = { host, port, running: true };
    const project = await projects.change((now) =>
      changeBranch(keepCopies(now, findBranch(now, name), host), name, place),
    );
    await keepUp();
    others.announce();
    const started = await computes.start(project, findBranch(project, name));
    return { branch: name, connectionString: started.connectionString, startMs: started.start_ms };
  }

  /** Marked stopped first: a host that dies meanwhile does not start it again. */
  async stop(message: StopEndpoint): Promise<null> {
    const { context, projects, computes, others, options } = this.#parts;
    const { name } = findBranch(await projects.refresh(), message.branch);
    const project = await projects.change((now) => changeBranch(now, name, { running: false }));
    const branch = findBranch(project, name);
    if (branch.host === null || branch.host === options.host) await computes.stop(branch);
    else await context.ask(others.control(branch.host), message, forwardLimits);
    return null;
  }

  async list(): Promise<readonly EndpointDescription[]> {
    const { projects, others, options } = this.#parts;
    const { branches } = await projects.refresh();
    const served = branches.map((branch) => {
      const { host } = branch;
      if (host === null) return [];
      return [host === options.host ? this.#here(branch) : others.describeEndpoint(branch, host)];
    });
    return Promise.all(served.flat());
  }

  async describe({ branch }: DescribeEndpoint): Promise<EndpointDescription> {
    return this.#here(findBranch(await this.#parts.projects.refresh(), branch));
  }

  async verify(message: VerifyBranch): Promise<ResultOf<VerifyBranch>> {
    const { context, projects, computes, others, options } = this.#parts;
    const branch = findBranch(await projects.refresh(), message.branch);
    ensure(branch.running && branch.host !== null, 'endpoint_stopped', { branch: branch.name });
    if (branch.host === options.host) return computes.verify(branch);
    return context.ask(others.control(branch.host), message, forwardLimits);
  }

  /**
   * Starts those that ran here. One that cannot be started does not keep the host from serving the others.
   * One that may start later, when what it needs is back, is tried again.
   */
  async resume(): Promise<void> {
    const { context, projects, computes, options } = this.#parts;
    const { project } = projects;
    const wanted = project.branches.filter(({ running, host }) => running && host === options.host);
    const failing = await Promise.all(
      wanted.map((branch) =>
        failsForNow(context, `resume ${branch.name}`, () => computes.start(project, branch)),
      ),
    );
    if (failing.includes(true)) tryAgain(context, { kind: 'resumeEndpoints' });
  }

  /**
   * If no other host serves the branch now, its compute was fenced by an election that nobody won, or that
   * was held to bring its log up to date: then another one follows.
   */
  async onFenced(message: ComputeFenced): Promise<void> {
    const { context, projects, computes, options } = this.#parts;
    const failing = await failsForNow(context, 'resume a fenced endpoint', async () => {
      const project = await projects.refresh();
      const branch = branchOf(project, message.timeline);
      if (branch?.host === options.host && branch.running) await computes.start(project, branch);
    });
    if (failing) tryAgain(context, message);
  }

  async #here(branch: Branch): Promise<EndpointDescription> {
    const { computes, options } = this.#parts;
    return { branch: branch.name, host: options.host, ...(await computes.describe(branch)) };
  }
}

/** A Postgres reads pages on its own host: of its branch, and of those that grows from. */
function keepCopies(project: Project, branch: Branch, host: string): Project {
  return ancestry(project, branch)
    .filter(({ copies }) => !copies.includes(host))
    .reduce(
      (now, { name, copies }) => changeBranch(now, name, { copies: [...copies, host] }),
      project,
    );
}
