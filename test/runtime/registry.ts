/**
 * Actors for the runtime's own tests, as a registry module that every test thread loads.
 */
import { Failure } from '../../src/base/failure.ts';
import {
  defineActor,
  type Ask,
  type Behaviors,
  type ChildSpec,
  type Context,
  type Tell,
} from '../../src/runtime/actor.ts';

export interface Add extends Ask<'add', number> {
  readonly amount: number;
}
export interface Echo extends Ask<'echo', EchoResult> {
  readonly bytes: Uint8Array;
  readonly lsn: number;
}
export interface EchoResult {
  readonly bytes: Uint8Array;
  readonly lsn: number;
  readonly nothing: null;
}
/** Answered only by `release`. */
export type Hold = Ask<'hold', string>;
export type Release = Ask<'release', number>;
export type Refuse = Ask<'refuse', null>;
export type Corrupt = Ask<'corrupt', null>;
export type Crash = Ask<'crash', null>;
export interface Relay extends Ask<'relay', number> {
  readonly path: string;
  readonly amount: number;
}
export interface SpawnChild extends Ask<'spawnChild', string> {
  readonly child: ChildSpec;
}
/** Adds in an hour. */
export interface AddLater extends Ask<'addLater', null> {
  readonly amount: number;
}
export interface Added extends Tell<'added'> {
  readonly amount: number;
}
/** Never handled to the end. */
export type Stall = Tell<'stall'>;
/** Takes memory until the thread has none left. */
export type Swell = Tell<'swell'>;
export type Throw = Tell<'throw'>;
export type Die = Tell<'die'>;
export type CounterMessage =
  | Add
  | AddLater
  | Added
  | Echo
  | Hold
  | Release
  | Refuse
  | Corrupt
  | Crash
  | Relay
  | SpawnChild
  | Throw
  | Die
  | Stall
  | Swell;

export interface CounterOptions {
  readonly first: number;
  /**
   * Counts starts, stops and releases across threads and restarts, and the releases the last start
   * saw; null when nobody looks.
   */
  readonly lives: SharedArrayBuffer | null;
  /** Spawned by `start`. */
  readonly child: ChildSpec | null;
}

interface CounterState {
  total: number;
  held: Hold[];
  readonly lives: Int32Array | null;
}

const counter = defineActor<CounterMessage, CounterState, CounterOptions>({
  name: 'counter',
  mailboxMax: 64,
  restart: 'permanent',
  intensity: { maxRestarts: 3, window_ms: 60_000, firstDelay_ms: 1, maxDelay_ms: 4 },
  start: async (context, { first, lives, child }) => {
    if (child !== null) await context.spawn(child);
    const counts = lives === null ? null : new Int32Array(lives);
    if (counts !== null) {
      context.onEnd(() => {
        Atomics.add(counts, 2, 1);
      });
      Atomics.store(counts, 3, Atomics.load(counts, 2));
      Atomics.add(counts, 0, 1);
      Atomics.notify(counts, 0);
    }
    return { total: first, held: [], lives: counts };
  },
  receive,
  stop: (_context, { lives }) => {
    if (lives !== null) Atomics.add(lives, 1, 1);
  },
});

function receive(
  context: Context<CounterMessage>,
  state: CounterState,
  message: CounterMessage,
): Promise<void> | void {
  switch (message.kind) {
    case 'add':
      state.total += message.amount;
      context.answer(message, state.total);
      return;
    case 'addLater':
      context.after(3_600_000, { kind: 'added', amount: message.amount });
      context.answer(message, null);
      return;
    case 'added':
      state.total += message.amount;
      return;
    case 'echo':
      context.answer(message, { bytes: message.bytes, lsn: message.lsn, nothing: null });
      return;
    case 'hold':
      state.held.push(message);
      return;
    case 'release':
      for (const held of state.held) context.answer(held, 'released');
      context.answer(message, state.held.length);
      state.held = [];
      return;
    case 'refuse':
      throw new Failure('mailbox_full', { why: 'asked to' });
    case 'corrupt':
      throw new Failure('page_full', { block: 7 });
    case 'crash':
      throw new Error('a bug');
    case 'relay':
      return onRelay(context, message);
    case 'spawnChild':
      return onSpawnChild(context, message);
    case 'stall':
      return new Promise(() => undefined);
    case 'swell':
      for (const kept: number[][] = []; ;)
        kept.push(Array.from({ length: 100_000 }, (_, at) => at));
    case 'throw':
      throw new Error('a bug in a tell');
    case 'die':
      setImmediate(() => {
        throw new Error('uncaught');
      });
  }
}

async function onRelay(context: Context<CounterMessage>, message: Relay): Promise<void> {
  const other = context.ref<CounterMessage>(message.path);
  const { amount } = message;
  context.answer(message, await context.ask(other, { kind: 'add', amount }, { timeout_ms: 5_000 }));
}

async function onSpawnChild(context: Context<CounterMessage>, message: SpawnChild): Promise<void> {
  context.answer(message, (await context.spawn(message.child)).path);
}

export const behaviors: Behaviors = { counter };
