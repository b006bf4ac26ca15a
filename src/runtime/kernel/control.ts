/**
 * Control: the calls between the roster (one per runtime, on the main thread: who lives where) and the
 * kernels (one per thread: who runs). Rare, and apart from the messages of actors.
 */
import { type FailureData } from '../../base/failure.ts';
import { type ChildSpec } from '../actor.ts';

/** What a kernel asks of the roster. */
export interface Control {
  /** Claims the path for an actor that this kernel is about to start itself. */
  register(thread: string, path: string, parent: string): Promise<void>;
  /** Starts an actor on another thread. Fails with what its `start` failed with. */
  spawn(parent: string, child: ChildSpec): Promise<void>;
  /** Stops an actor wherever it lives. Nothing happens when nobody does. */
  stop(path: string): Promise<void>;
  /** An actor has ended. With a failure, its parent is to crash. */
  gone(path: string, failure: FailureData | null): void;
}

/** What the roster asks of a kernel. */
export interface Host {
  start(parent: string, child: ChildSpec): Promise<void>;
  stop(path: string): Promise<void>;
  /** Crashes an actor: a child of it gave up, or a test wants it. */
  fail(path: string, failure: FailureData): void;
}
