/**
 * Registry: the behaviours a thread can start, by name. Each thread has a module of its own that lists them
 * (main.ts, wal.ts, storage.ts), and loads nothing else.
 */
import { type AnyBehavior, type Behaviors } from '../../runtime/actor.ts';

/** All a registry asks of a behaviour: its spawner agrees with it on the rest, through its protocol. */
interface Named {
  readonly name: string;
}

export function registryOf(behaviors: readonly Named[]): Behaviors {
  return Object.fromEntries(behaviors.map((one) => [one.name, one as AnyBehavior]));
}
