/**
 * Client: one follower's connection, and when its silence means that it has gone.
 */
import { type Lsn } from '../../base/lsn.ts';
import { errorResponse, type Refusal } from '../../io/postgres-replies.ts';
import { type PostgresConnection } from '../../io/postgres-server.ts';

export interface Client {
  readonly connection: PostgresConnection;
  phase: ClientPhase;
  /** When it said something last, or came into its phase; monotonic. */
  heard_ms: number;
  /** It was asked for a sign of life since. */
  pinged: boolean;
  /** While streaming: what it was sent up to. */
  sentLsn: Lsn;
}

/** `starting` until it is let in, `idle` between commands, `ending` when it was told the last. */
export type ClientPhase = 'starting' | 'idle' | 'streaming' | 'ending';

/** How many were let in and have not been told the last. */
export function followerCount(clients: ReadonlySet<Client>): number {
  return [...clients].filter(({ phase }) => phase === 'idle' || phase === 'streaming').length;
}

export interface Silence {
  readonly phase: ClientPhase;
  readonly quiet_ms: number;
  readonly pinged: boolean;
}

/**
 * What to do about a silent client: one that streams is asked for a sign of life after half the time.
 * One that is idle may be silent: a dead one is found by TCP, and they are few.
 */
export function onSilence(silence: Silence, timeout_ms: number): 'wait' | 'ping' | 'end' {
  const { phase, quiet_ms, pinged } = silence;
  if (phase === 'idle') return 'wait';
  if (quiet_ms >= timeout_ms) return 'end';
  const isPingDue = phase === 'streaming' && !pinged && quiet_ms >= timeout_ms / 2;
  return isPingDue ? 'ping' : 'wait';
}

/** A client begins a phase, from which its silence counts. */
export function enterPhase(client: Client, phase: ClientPhase, now_ms: number): void {
  client.phase = phase;
  heardFrom(client, now_ms);
}

export function heardFrom(client: Client, now_ms: number): void {
  client.heard_ms = now_ms;
  client.pinged = false;
}

/** Tells a client why it is over, and waits until it has gone. */
export async function dismiss(client: Client, refusal: Refusal, now_ms: number): Promise<void> {
  enterPhase(client, 'ending', now_ms);
  await client.connection.end(errorResponse(refusal));
}
