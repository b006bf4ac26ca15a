/**
 * Scheduler: who runs next on a thread, and when. The event loop's here; the simulator has its own.
 *
 * Promises: tasks run one at a time in the order they became ready; a turn of at most
 * `turnTasksMax` tasks or about `turnMax_ms` lets the event loop do its I/O before the next one.
 */
import { type Timer } from '../actor.ts';

/** Something with one step to do. */
export interface Runnable {
  run(): void;
}

export interface Scheduler {
  /** Runs `task` once, soon, and never inside the caller. */
  ready(task: Runnable): void;
  after(delay_ms: number, action: () => void): Timer;
}

const turnTasksMax = 256;
const turnMax_ms = 4;
/** The clock is read once in this many tasks. */
const tasksPerClockRead = 8;
const compactAt = 1_024;

export class EventLoopScheduler implements Scheduler {
  readonly #queue: Runnable[] = [];
  #head = 0;
  #armed = false;
  #budget = turnTasksMax;
  #turnBegan_ms = performance.now();

  ready(task: Runnable): void {
    this.#queue.push(task);
    if (this.#armed) return;
    this.#armed = true;
    queueMicrotask(this.#drain);
  }

  after(delay_ms: number, action: () => void): Timer {
    const timer = setTimeout(action, delay_ms);
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  }

  readonly #drain = (): void => {
    const queue = this.#queue;
    while (this.#head < queue.length) {
      if (this.#turnIsOver()) {
        setImmediate(this.#nextTurn);
        return;
      }
      const task = queue[this.#head]!;
      this.#head += 1;
      if (this.#head >= compactAt) {
        queue.splice(0, this.#head);
        this.#head = 0;
      }
      task.run();
    }
    queue.length = 0;
    this.#head = 0;
    this.#armed = false;
  };

  readonly #nextTurn = (): void => {
    this.#budget = turnTasksMax;
    this.#turnBegan_ms = performance.now();
    this.#drain();
  };

  /**
   * The budget spans microtasks: actors that keep waking each other through promises drain it too,
   * where a budget per drain would let them shut out I/O for ever.
   */
  #turnIsOver(): boolean {
    this.#budget -= 1;
    if (this.#budget < 0) return true;
    return (
      this.#budget % tasksPerClockRead === 0 &&
      performance.now() - this.#turnBegan_ms > turnMax_ms &&
      this.#budget < turnTasksMax - tasksPerClockRead
    );
  }
}
