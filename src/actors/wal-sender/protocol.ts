/**
 * What the wal-sender understands. Path: `wal-sender/host`, on the `wal` thread.
 */
import { type Ask, type Tell } from '../../runtime/actor.ts';

export interface WalSenderOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Followers at once; others are refused. */
  readonly clientsMax: number;
  /** A follower that says nothing for so long is gone. */
  readonly timeout_ms: number;
  /** Path of control. */
  readonly control: string;
  /** This host's name. */
  readonly host: string;
}

/** Where it listens: `127.0.0.1:7433`. */
export interface DescribeWalSender extends Ask<'describeWalSender', { readonly address: string }> {
  readonly kind: 'describeWalSender';
}

/** Time to look whether followers are still there. */
export interface LookDue extends Tell<'lookDue'> {
  readonly kind: 'lookDue';
}
/** Serving a client met a bug. */
export interface SessionBroke extends Tell<'sessionBroke'> {
  readonly error: string;
}

export type WalSenderMessage = DescribeWalSender | LookDue | SessionBroke;
