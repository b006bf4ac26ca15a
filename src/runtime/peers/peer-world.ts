/**
 * PeerWorld: what the links to other hosts are told at their birth, and what they need of their thread.
 */
import { type Failure } from '../../base/failure.ts';
import { type PeerAddress, type PeerIdentity } from '../../io/peer-connection.ts';
import { type Clock, type LogLevel, type LogValues } from '../actor.ts';
import { type Frame } from '../kernel/frame.ts';

/** The hosts of a cluster, for every thread of one of them. Plain data. */
export interface PeersOptions {
  readonly self: PeerIdentity;
  /** Where this host is called, and the thread that answers. */
  readonly listen: { readonly thread: string; readonly address: string; readonly port: number };
  /** The other hosts. */
  readonly hosts: readonly PeerAddress[];
}

export interface PeerWorld {
  readonly self: PeerIdentity;
  readonly clock: Clock;
  readonly log: (level: LogLevel, source: string, text: string, values: LogValues) => void;
  readonly onFrame: (thread: number, frame: Frame) => void;
  /** A link or a connection broke: what was asked through it has no answer. */
  readonly onGone: (thread: number, failure: Failure) => void;
}
