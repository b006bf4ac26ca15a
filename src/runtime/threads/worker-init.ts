/**
 * WorkerInit: what the main thread gives a worker thread at its birth.
 */
import { type DirectoryMemory } from './directory.ts';
import { type PeersOptions } from '../peers/peer-world.ts';
import { type RingPair } from './ring-transport.ts';

export interface WorkerInit {
  readonly thread: string;
  readonly threadIndex: number;
  /** URL of a module that exports `behaviors`. */
  readonly behaviors: string;
  readonly pulse: SharedArrayBuffer;
  readonly directory: DirectoryMemory;
  readonly rings: readonly RingPair[];
  readonly heartbeat_ms: number;
  readonly stopTimeout_ms: number;
  readonly traced: boolean;
  /** Other hosts, or null for a host on its own. */
  readonly peers: PeersOptions | null;
}
