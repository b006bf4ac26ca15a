/**
 * MainEndpoint: the endpoint of `main`, which is to be there when its host is.
 */
import { Failure } from './base/failure.ts';
import { type ControlMessage, type StartedEndpoint } from './actors/control/protocol.ts';
import { type ActorRef } from './runtime/actor.ts';
import { type Runtime } from './runtime/runtime.ts';

export interface MainEndpoint {
  /** null when it does not run here. */
  readonly connectionString: string | null;
  /** Why it does not, in words. */
  readonly mainIs: string;
}

export interface MainEndpointParts {
  readonly runtime: Pick<Runtime, 'ask'>;
  readonly control: ActorRef<ControlMessage>;
  readonly host: string;
  /** All hosts of the cluster, this one included. */
  readonly hosts: readonly string[];
  readonly now_ms: () => number;
  readonly pause: (delay_ms: number) => Promise<void>;
}

const limits = { timeout_ms: 600_000 };
/** So long the others of a cluster may be on their way. */
const patience_ms = 60_000;
const retry_ms = 500;

/**
 * Starts `main` where it ran last; at first, on the first host. Storage that cannot go on, or a quorum that
 * is not there yet, is no reason to keep the other branches from being served.
 */
export async function startMain(parts: MainEndpointParts): Promise<MainEndpoint> {
  const { runtime, control, host: self, hosts } = parts;
  const { mainHost } = await runtime.ask(control, { kind: 'describeHost' }, limits);
  const host = mainHost ?? hosts[0];
  if (host !== self) return { connectionString: null, mainIs: `it is on host ${host ?? ''}` };
  try {
    const { connectionString } = await startPatiently(parts);
    return { connectionString, mainIs: 'served here' };
  } catch (error) {
    const others = hosts.length > 1;
    const bearable =
      error instanceof Failure &&
      (error.kind === 'corrupt' || (error.kind === 'unavailable' && others));
    if (!bearable) throw error;
    return { connectionString: null, mainIs: error.message };
  }
}

/** In a cluster again and again for a while; alone, once. */
async function startPatiently(parts: MainEndpointParts): Promise<StartedEndpoint> {
  const { runtime, control, hosts, now_ms, pause } = parts;
  const until_ms = hosts.length > 1 ? now_ms() + patience_ms : -Infinity;
  for (;;) {
    try {
      return await runtime.ask(control, { kind: 'startEndpoint', branch: 'main' }, limits);
    } catch (error) {
      const passing = error instanceof Failure && error.kind === 'unavailable';
      if (!passing || now_ms() >= until_ms) throw error;
    }
    await pause(retry_ms);
  }
}
