/**
 * Reply: where the answer to one ask goes. A `PendingAsk` is the asker's own end, with its deadline; a
 * `RemoteReply` carries the answer back to the thread that asked.
 */
import { Failure } from '../../base/failure.ts';
import { type AnyMessage } from '../actor.ts';
import { Deadline, type Deadlines } from './deadlines.ts';

/** Settled once: by the answer, by a refusal, or because nobody waits any more. */
export interface Reply {
  readonly settled: boolean;
  resolve(result: unknown): void;
  reject(failure: Failure): void;
}

/** The asks an actor has received and not answered, by message object. */
export type Owed = Map<AnyMessage, Reply>;

interface Promised {
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: Failure) => void;
}

const answered = new WeakSet<Failure>();

/** Whether a failure came as the answer to an ask: it is about the one asked, not the asker. */
export function cameAsAnswer(failure: Failure): boolean {
  return answered.has(failure);
}

/** What the asker holds. Expires with `ask_timed_out`. */
export class PendingAsk extends Deadline implements Reply {
  settled = false;
  /** Number on the wire when it went to another thread. */
  readonly id: number;
  readonly path: string;
  /** Told once, whatever the outcome: `expired` when nobody answered in time. */
  onSettled: ((expired: boolean) => void) | null = null;
  readonly #kind: string;
  readonly #deadlines: Deadlines;
  readonly #promised: Promised;

  constructor(asked: AskedOf, deadlines: Deadlines, promised: Promised) {
    super();
    this.id = asked.id;
    this.path = asked.path;
    this.#kind = asked.kind;
    this.#deadlines = deadlines;
    this.#promised = promised;
    deadlines.add(this, asked.timeout_ms);
  }

  resolve(result: unknown): void {
    if (this.#settle(false)) this.#promised.resolve(result);
  }

  reject(failure: Failure): void {
    if (!this.#settle(false)) return;
    answered.add(failure);
    this.#promised.reject(failure);
  }

  override expire(): void {
    if (!this.#settle(true)) return;
    this.#promised.reject(new Failure('ask_timed_out', { path: this.path, message: this.#kind }));
  }

  #settle(expired: boolean): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#deadlines.remove(this);
    this.onSettled?.(expired);
    return true;
  }
}

export interface AskedOf {
  readonly id: number;
  readonly path: string;
  readonly kind: string;
  readonly timeout_ms: number;
}

/** What the asked thread holds for an asker on another one. */
export class RemoteReply implements Reply {
  settled = false;
  /** Told when nobody waits any more: whoever was asked in turn need not go on. */
  onForgotten: (() => void) | null = null;
  readonly #send: (outcome: Outcome) => void;

  constructor(send: (outcome: Outcome) => void) {
    this.#send = send;
  }

  resolve(result: unknown): void {
    this.#settle({ result, failure: null });
  }

  reject(failure: Failure): void {
    this.#settle({ result: null, failure });
  }

  /** The asker gave up: the message need not be handled any more. */
  forget(): void {
    if (this.settled) return;
    this.settled = true;
    this.onForgotten?.();
  }

  #settle(outcome: Outcome): void {
    if (this.settled) return;
    this.settled = true;
    this.#send(outcome);
  }
}

export interface Outcome {
  readonly result: unknown;
  readonly failure: Failure | null;
}
