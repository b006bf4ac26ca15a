/**
 * Deadlines: what expires unless it is removed first, to the next 10 ms. A wheel of linked lists, so
 * that adding and removing cost a few writes: almost every ask is answered long before.
 *
 * One timer runs, only while something is pending, and for when the first of it may be due: asks that
 * wait for long cost a thread next to nothing.
 */
import { type Timer } from '../actor.ts';
import { type Scheduler } from './scheduler.ts';

/** A node of the wheel. Its owner embeds it by extending. */
export class Deadline {
  next: Deadline = this;
  previous: Deadline = this;
  due_ms = 0;

  /** Called once when the time has come, unless it was removed. */
  expire(): void {
    // A list's head never expires.
  }
}

const tick_ms = 10;
const slots = 512;

export class Deadlines {
  readonly #scheduler: Scheduler;
  readonly #monotonic_ms: () => number;
  readonly #wheel: readonly Deadline[] = Array.from({ length: slots }, () => new Deadline());
  #pending = 0;
  /** The tick up to which slots have been emptied of what was due. */
  #swept = 0;
  /** The tick at which the timer is due; infinite without one. */
  #nextTick = Infinity;
  #timer: Timer | null = null;

  constructor(scheduler: Scheduler, monotonic_ms: () => number) {
    this.#scheduler = scheduler;
    this.#monotonic_ms = monotonic_ms;
  }

  get pending(): number {
    return this.#pending;
  }

  add(deadline: Deadline, timeout_ms: number): void {
    const now_ms = this.#monotonic_ms();
    if (this.#pending === 0) this.#swept = Math.floor(now_ms / tick_ms);
    deadline.due_ms = now_ms + timeout_ms;
    // Rounded up, so that nothing expires early, and ahead of the sweep, so that nothing is missed.
    const tick = Math.max(Math.ceil(deadline.due_ms / tick_ms), this.#swept + 1);
    const head = this.#wheel[tick % slots]!;
    deadline.next = head;
    deadline.previous = head.previous;
    head.previous.next = deadline;
    head.previous = deadline;
    this.#pending += 1;
    if (tick < this.#nextTick) this.#wakeAt(tick, now_ms);
  }

  remove(deadline: Deadline): void {
    if (deadline.next === deadline) return;
    deadline.previous.next = deadline.next;
    deadline.next.previous = deadline.previous;
    deadline.next = deadline;
    deadline.previous = deadline;
    this.#pending -= 1;
  }

  /** Nothing expires any more; no timer keeps the process. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#nextTick = -Infinity;
  }

  #wakeAt(tick: number, now_ms: number): void {
    this.#timer?.cancel();
    this.#nextTick = tick;
    this.#timer = this.#scheduler.after(Math.max(0, tick * tick_ms - now_ms), this.#onTick);
  }

  readonly #onTick = (): void => {
    this.#timer = null;
    this.#nextTick = Infinity;
    const now_ms = this.#monotonic_ms();
    const current = Math.floor(now_ms / tick_ms);
    const first = Math.max(this.#swept + 1, current - slots + 1);
    for (let tick = first; tick <= current; tick += 1)
      this.#sweep(this.#wheel[tick % slots]!, now_ms);
    this.#swept = Math.max(this.#swept, current);
    if (this.#pending === 0) return;
    const next = this.#firstFilled();
    if (next < this.#nextTick) this.#wakeAt(next, now_ms);
  };

  /** The next tick whose slot holds anything, be it for a later turn of the wheel. */
  #firstFilled(): number {
    let tick = this.#swept + 1;
    while (this.#isEmpty(tick)) tick += 1;
    return tick;
  }

  #isEmpty(tick: number): boolean {
    const head = this.#wheel[tick % slots]!;
    return head.next === head;
  }

  /** What is due later than one turn of the wheel stays. */
  #sweep(head: Deadline, now_ms: number): void {
    let deadline = head.next;
    while (deadline !== head) {
      const { next } = deadline;
      if (deadline.due_ms <= now_ms) {
        this.remove(deadline);
        deadline.expire();
      }
      deadline = next;
    }
  }
}
