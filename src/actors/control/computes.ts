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
  /** By timeline: settles when the compute can be asked. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(context: Context<ControlMessage>, options: ControlOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** The branch's port; on a new host, if it is taken there, and the first time, one that no branch has. */
  async portFor(project: Project, name: string): Promise<number> {
    const { port, host } = findBranch(project, name);
    const { address, firstPort, host: self } = this.#options;
    if (port !== null && (host === self || (await isPortFree(address, port)))) return port;
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

  async #compute(project: Project, branch: Branch): Promise<ActorRef<ComputeMessage>> {
    const { timeline, name } = branch;
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
        ...compute,
      };
      const child = { behavior: 'compute', name: timeline, options, thread: null };
      const spawned = this.#context.spawn(child);
      this.#running.set(timeline, spawned);
      spawned.catch(() => this.#running.delete(timeline));
    }
    await this.#running.get(timeline);
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
