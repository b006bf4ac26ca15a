/**
 * Actor: the types every actor is written against. The kernel (kernel.ts) runs them, on worker
 * threads or, in simulation, on one thread under a seeded scheduler with virtual time.
 *
 * An actor handles one message at a time: the next waits until the promise of `receive` settles.
 * Messages are plain readonly records (numbers, strings, booleans, null, arrays, records,
 * Uint8Array). Class instances never cross an actor boundary.
 */
import { type Failure } from '../base/failure.ts';

/** A message with no answer. Named in the past tense, or `…Due` for a tick. */
export interface Tell<Kind extends string> {
  readonly kind: Kind;
}

declare const resultOf: unique symbol;
/** A message with an answer of type `Result`. Named in the imperative. */
export interface Ask<Kind extends string, Result> {
  readonly kind: Kind;
  readonly [resultOf]?: Result;
}

export type AnyMessage = { readonly kind: string };
export type ResultOf<Message> = Message extends { readonly [resultOf]?: infer Result }
  ? Result
  : never;

/** Where messages of type `Message` may be sent: an actor's path, such as `acceptor/<timeline>`. */
export interface ActorRef<Message extends AnyMessage> {
  readonly path: string;
  readonly accepts?: (message: Message) => void;
}

/**
 * What happens when an actor fails: `permanent` is always restarted, `transient` only after a
 * failure, `temporary` never. Restarts beyond the supervisor's intensity escalate.
 */
type RestartPolicy = 'permanent' | 'transient' | 'temporary';

/** At most `maxRestarts` within `window_ms`; each waits longer than the one before. */
export interface RestartIntensity {
  readonly maxRestarts: number;
  readonly window_ms: number;
  readonly firstDelay_ms: number;
  readonly maxDelay_ms: number;
}

/**
 * How an actor fails:
 * - A `Failure` thrown by `receive` is the world's doing. It refuses the ask (a tell's is logged) and
 *   the actor lives on; but one of kind `corrupt` also halts it: it stays, refuses everything with
 *   `actor_halted`, and is not restarted, because a restart would read the same bytes. Corruption that
 *   another actor answered with is that actor's: it is passed on, and halts nobody else.
 * - Anything else thrown is a bug: the actor crashes, every ask it owes is refused with
 *   `actor_crashed`, its children are stopped, its timers are cancelled, and `start` runs again
 *   with the original options. What waits in the mailbox is kept for the new incarnation.
 * - Restarts beyond the intensity end the actor and crash its parent; for an actor without a parent
 *   the whole runtime stops. A first `start` that fails is the spawner's to handle.
 */
export interface Behavior<Message extends AnyMessage, State, Options> {
  /** The role: `acceptor`. Also the first part of the paths of its actors. */
  readonly name: string;
  /** Messages that may wait. A full mailbox refuses: `mailbox_full`, kind `unavailable`. */
  readonly mailboxMax: number;
  readonly restart: RestartPolicy;
  /** Absent: five restarts within 30 seconds. */
  readonly intensity?: RestartIntensity;
  start(context: Context<Message>, options: Options): Promise<State> | State;
  receive(context: Context<Message>, state: State, message: Message): Promise<void> | void;
  stop(context: Context<Message>, state: State): Promise<void> | void;
}

export type AnyBehavior = Behavior<AnyMessage, unknown, unknown>;
/** Every behaviour a thread can start, by name. */
export type Behaviors = Readonly<Record<string, AnyBehavior>>;

/** Declares an actor. The call is the file's table of contents. */
export function defineActor<Message extends AnyMessage, State, Options>(
  behavior: Behavior<Message, State, Options>,
): Behavior<Message, State, Options> {
  return behavior;
}

export interface AskLimits {
  readonly timeout_ms: number;
}

/** A pending message to oneself; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch. For people and files, never for measuring. */
  now_ms(): number;
  /** Milliseconds, monotonic, from an arbitrary start. */
  monotonic_ms(): number;
}

export interface Random {
  /** A whole number in [0, bound). */
  below(bound: number): number;
  /** `count` random bytes. */
  bytes(count: number): Uint8Array;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogValues = Readonly<Record<string, string | number | boolean | null>>;
export type Log = (level: LogLevel, text: string, values?: LogValues) => void;

/** What an actor can do: everything it needs of the world comes through here or its options. */
export interface Context<Message extends AnyMessage> {
  readonly self: ActorRef<Message>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;

  /** Another actor's address. The path need not be alive yet. */
  ref<Other extends AnyMessage>(path: string): ActorRef<Other>;

  /** Sends and forgets. Dropped, and logged, when nobody lives at the path or its mailbox is full. */
  tell<Other extends AnyMessage>(to: ActorRef<Other>, message: Other): void;

  /**
   * Sends and waits for the answer. Fails with what the other refused with, or `actor_missing`,
   * `mailbox_full`, `ask_timed_out` (all `unavailable`).
   */
  ask<Other extends AnyMessage, Kind extends Other['kind']>(
    to: ActorRef<Other>,
    message: NoInfer<Other> & { readonly kind: Kind },
    limits: AskLimits,
  ): Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>>;

  /** Answers an ask this actor received: now or in the handling of a later message. Once. */
  answer<Asked extends Ask<string, unknown>>(asked: Asked, result: ResultOf<Asked>): void;

  /** Answers an ask with a failure. A failure thrown by `receive` does the same. */
  refuse(asked: AnyMessage, failure: Failure): void;

  /** Sends oneself `message` after `delay_ms`; 0 means behind everything already in the mailbox. */
  after(delay_ms: number, message: Message): Timer;

  /**
   * Has `release` run when this incarnation is over, however it ends: after `stop`, or after a crash,
   * before `start` runs again. For what would otherwise outlive it: a socket, a descriptor, a mount.
   * Last given, first run. A halted actor releases when it is stopped, a thread that dies nothing.
   */
  onEnd(release: () => Promise<void> | void): void;

  /** Like `onEnd`, but before the children are stopped: for what uses them. */
  onEndFirst(release: () => Promise<void> | void): void;

  /**
   * Starts a child: here when `thread` is null, else on the thread of that name. It is supervised by this
   * actor's supervisor tree and stopped before this actor stops.
   */
  spawn(child: ChildSpec): Promise<ActorRef<AnyMessage>>;

  /**
   * Stops a child and waits until its `stop` has run. Given `self`, returns at once, and the actor
   * ends for good after the current message.
   */
  stop(child: ActorRef<AnyMessage>): Promise<void>;
}

export interface ChildSpec {
  /** Name of a registered behaviour: threads look it up in their own registry. */
  readonly behavior: string;
  /** The child's path is `<behavior>/<name>`. */
  readonly name: string;
  /** Plain data (SharedArrayBuffer and MessagePort allowed). */
  readonly options: unknown;
  readonly thread: string | null;
  /**
   * Its death is its parent's: a crash of it, or the end of its thread, crashes the parent, and nobody
   * starts it again but the parent's next `start`. For what a parent cannot go on without.
   */
  readonly significant?: true;
}
