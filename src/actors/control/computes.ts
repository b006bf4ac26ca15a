/**
 * Computes: one compute actor per branch that ever had an endpoint, started when first needed.
 */
import { join } from 'node:path';
import { isPortFree, takeFreePort } from '../../io/ports.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import {
  type ComputeDescription,
  type ComputeMessage,
  type ComputeOptions,
  type StartComputeResult,
  type VerifyReport,
} from '../compute/protocol.ts';
import { findBranch, type Branch, type Project } from './project.ts';
import { type ControlMessage, type ControlOptions } from './protocol.ts';

/** Longer than the settings let a Postgres take to start, stop or be compared. */
const limits = { timeout_ms: 3_600_000 };

export class Computes {
  readonly #context: Context<ControlMessage>;
  readonly #options: ControlOptions;
  /** By timeline. */
  readonly #running = new Map<
    string,
    { readonly port: number; readonly spawned: Promise<unknown> }
  >();

  constructor(context: Context<ControlMessage>, options: ControlOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** The branch's port; the first time, and if somebody else has taken it, one that no branch has. */
  async portFor(project: Project, name: string): Promise<number> {
    const branch = findBranch(project, name);
    const { port } = branch;
    const { address, firstPort } = this.#options;
    if (port !== null && ((await this.#serves(branch)) || (await isPortFree(address, port)))) {
      return port;
    }
    if (firstPort === 0) return takeFreePort(address);
    const taken = new Set(project.branches.map((branch) => branch.port));
    for (let candidate = firstPort; ; candidate += 1) {
      if (!taken.has(candidate) && (await isPortFree(address, candidate))) return candidate;
    }
  }

  async start(project: Project, branch: Branch): Promise<StartComputeResult> {
    const compute = await this.#compute(project, branch);
    return this.#context.ask(compute, { kind: 'startCompute' }, limits);
  }

  async stop(branch: Branch): Promise<void> {
    if (!this.#running.has(branch.timeline)) return;
    await this.#context.ask(this.#ref(branch), { kind: 'stopCompute' }, limits);
  }

  verify(branch: Branch): Promise<VerifyReport> {
    return this.#context.ask(this.#ref(branch), { kind: 'verifyCompute' }, limits);
  }

  async describe(branch: Branch): Promise<ComputeDescription> {
    if (this.#running.has(branch.timeline)) {
      return this.#context.ask(this.#ref(branch), { kind: 'describeCompute' }, limits);
    }
    const nothing = { connectionString: null, pid: null, restarts: 0, lastFailure: null };
    return { state: 'stopped', ...nothing };
  }

  /** Ends a branch's compute for good. */
  async forget(timeline: string): Promise<void> {
    if (!this.#running.delete(timeline)) return;
    await this.#context.stop(this.#context.ref(`compute/${timeline}`));
  }

  async #serves(branch: Branch): Promise<boolean> {
    return (await this.describe(branch)).state === 'running';
  }

  /** Of a branch that has another port now a new one: it does not run, or it would have kept its port. */
  async #compute(project: Project, branch: Branch): Promise<ActorRef<ComputeMessage>> {
    const { timeline, name } = branch;
    const known = this.#running.get(timeline);
    if (known !== undefined && known.port !== branch.port) await this.forget(timeline);
    if (!this.#running.has(timeline)) {
      const { directory, address, uid, gid, compute, hosts } = this.#options;
      const options: ComputeOptions = {
        timeline,
        branch: name,
        folder: join(directory, 'computes', timeline),
        major: project.major,
        segmentSize: project.segment_bytes,
        systemId: project.systemId,
        address,
        port: branch.port!,
        uid,
        gid,
        configuration: branch.configuration,
        acceptorPath: anyAcceptorPath(timeline, hosts),
        owner: this.#context.self.path,
        ...compute,
      };
      const child = { behavior: 'compute', name: timeline, options, thread: null };
      const spawned = this.#context.spawn(child);
      this.#running.set(timeline, { port: options.port, spawned });
      spawned.catch(() => this.#running.delete(timeline));
    }
    await this.#running.get(timeline)?.spawned;
    return this.#ref(branch);
  }

  #ref(branch: Branch): ActorRef<ComputeMessage> {
    return this.#context.ref(`compute/${branch.timeline}`);
  }
}

/** The path of any member's acceptor, as a proposer fills it in. */
export function anyAcceptorPath(timeline: string, hosts: readonly string[]): string {
  return hosts.length > 1 ? `{host}:acceptor/${timeline}` : `acceptor/${timeline}`;
}
