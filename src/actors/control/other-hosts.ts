/**
 * OtherHosts: what one control says to those of other hosts. Nobody is waited for long: a host that is
 * away reads in the project, when it is back, what it is to keep.
 */
import { Failure } from '../../base/failure.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { pathOn } from '../../runtime/peers/peer-path.ts';
import { hostsOf, type Branch } from './project.ts';
import { type ControlMessage, type ControlOptions, type EndpointDescription } from './protocol.ts';

const adoptLimits = { timeout_ms: 3_000 };
const describeLimits = { timeout_ms: 2_000 };

export class OtherHosts {
  readonly #context: Context<ControlMessage>;
  readonly #self: string;
  readonly #others: readonly string[];

  constructor(
    context: Context<ControlMessage>,
    { host, hosts }: Pick<ControlOptions, 'host' | 'hosts'>,
  ) {
    this.#context = context;
    this.#self = host;
    this.#others = hosts.filter((each) => each !== host);
  }

  control(host: string): ActorRef<ControlMessage> {
    return this.#context.ref(pathOn(host, this.#self, 'control/host'));
  }

  /** Has the others make what they are to keep of a new branch. Returns those that did not. */
  async adopt(branch: Branch): Promise<readonly string[]> {
    const asked = hostsOf(branch)
      .filter((host) => host !== this.#self)
      .map(async (host) => ((await this.#adopts(host, branch)) ? [] : [host]));
    return (await Promise.all(asked)).flat();
  }

  drop(branch: Branch): void {
    const { timeline } = branch;
    for (const host of hostsOf(branch))
      if (host !== this.#self)
        this.#context.tell(this.control(host), { kind: 'dropBranch', timeline });
  }

  /** Has the others look at the project again. */
  announce(): void {
    for (const host of this.#others)
      this.#context.tell(this.control(host), { kind: 'projectChanged' });
  }

  /** An endpoint of another host, as that host sees it. */
  async describeEndpoint(branch: Branch, host: string): Promise<EndpointDescription> {
    const ask = { kind: 'describeEndpoint', branch: branch.name } as const;
    try {
      return await this.#context.ask(this.control(host), ask, describeLimits);
    } catch (error) {
      const lastFailure = error instanceof Failure ? error.message : String(error);
      const nothing = { connectionString: null, pid: null, restarts: 0 };
      return { branch: branch.name, host, state: 'unknown', ...nothing, lastFailure };
    }
  }

  async #adopts(host: string, branch: Branch): Promise<boolean> {
    try {
      await this.#context.ask(this.control(host), { kind: 'adoptBranch', branch }, adoptLimits);
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#context.log('warn', 'control: a host does not keep its part of a new branch yet', {
        host,
        branch: branch.name,
        reason: error.message,
      });
      return false;
    }
  }
}
