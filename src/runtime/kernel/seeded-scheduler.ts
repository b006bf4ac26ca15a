/**
 * SeededScheduler: virtual time, and a seed's choice of what happens next.
 *
 * A lane is one simulated thread's share: what it has ready, and its timers. Closing it forgets
 * both; pausing it delays them.
 */
import { assert } from '../../base/assert.ts';
import { type SeededRandom } from '../../io/random.ts';
import { type Timer } from '../actor.ts';
import { type Runnable, type Scheduler } from './scheduler.ts';

interface Event {
  due_ms: number;
  /** Due at first: what a pause delays keeps its order. */
  readonly wanted_ms: number;
  /** Order among events due at the same time: the seed's choice. */
  readonly tie: number;
  readonly lane: SeededLane;
  readonly action: () => void;
  cancelled: boolean;
}

/** One step in so many lets time pass although work is ready, so that timers overtake work. */
const overtake_oneIn = 32;
/** Work that is ready waits no longer than this, unless its lane is paused. */
const overtakeMax_ms = 10;

export class SeededScheduler {
  readonly #random: SeededRandom;
  #lanes: SeededLane[] = [];
  /** A binary heap, the earliest first. */
  readonly #events: Event[] = [];
  #now_ms = 0;
  #steps = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get now_ms(): number {
    return this.#now_ms;
  }

  /** Things done so far. */
  get steps(): number {
    return this.#steps;
  }

  openLane(): SeededLane {
    const lane: SeededLane = new SeededLane((delay_ms: number, action: () => void): Timer =>
      this.#schedule(lane, delay_ms, action),
    );
    this.#lanes = [...this.#lanes.filter((each) => !each.closed), lane];
    return lane;
  }

  /** Does one thing. False when there is nothing left to do, ever. */
  step(): boolean {
    this.#steps += 1;
    const able = this.#lanes.filter((lane) => lane.hasWork(this.#now_ms));
    if (able.length > 0 && !this.#overtakes()) {
      const lane = this.#random.pick(able);
      lane.takeReady(this.#random.below(lane.readyCount)).run();
      return true;
    }
    return this.#fireNext() || this.#skipPause();
  }

  #schedule(lane: SeededLane, delay_ms: number, action: () => void): Timer {
    assert(delay_ms >= 0, 'a delay is not negative');
    const due_ms = this.#now_ms + delay_ms;
    const tie = this.#random.uint32();
    const event = { due_ms, wanted_ms: due_ms, tie, lane, action, cancelled: false };
    push(this.#events, event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  #overtakes(): boolean {
    const next = this.#events[0];
    const soon = next !== undefined && next.due_ms <= this.#now_ms + overtakeMax_ms;
    return soon && this.#random.oneIn(overtake_oneIn);
  }

  #fireNext(): boolean {
    for (let event = pop(this.#events); event !== null; event = pop(this.#events)) {
      const { lane, action } = event;
      if (event.cancelled || lane.closed) continue;
      if (lane.pausedUntil_ms > event.due_ms) {
        event.due_ms = lane.pausedUntil_ms;
        push(this.#events, event);
        continue;
      }
      this.#now_ms = Math.max(this.#now_ms, event.due_ms);
      action();
      return true;
    }
    return false;
  }

  /** Nothing but paused lanes have work: time passes until the first may go on. */
  #skipPause(): boolean {
    const busy = this.#lanes.filter((lane) => !lane.closed && lane.readyCount > 0);
    if (busy.length === 0) return false;
    const resume_ms = Math.min(...busy.map((lane) => lane.pausedUntil_ms));
    this.#now_ms = Math.max(this.#now_ms, resume_ms);
    return true;
  }
}

export class SeededLane implements Scheduler {
  readonly after: (delay_ms: number, action: () => void) => Timer;
  readonly #ready: Runnable[] = [];
  #closed = false;
  #pausedUntil_ms = 0;

  constructor(after: (delay_ms: number, action: () => void) => Timer) {
    this.after = after;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get pausedUntil_ms(): number {
    return this.#pausedUntil_ms;
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  ready(task: Runnable): void {
    if (!this.#closed) this.#ready.push(task);
  }

  hasWork(now_ms: number): boolean {
    return this.#ready.length > 0 && this.#pausedUntil_ms <= now_ms;
  }

  takeReady(index: number): Runnable {
    const [task] = this.#ready.splice(index, 1);
    assert(task !== undefined, 'a choice is among what is ready');
    return task;
  }

  close(): void {
    this.#closed = true;
    this.#ready.length = 0;
  }

  pauseUntil(until_ms: number): void {
    this.#pausedUntil_ms = until_ms;
  }
}

function before(a: Event, b: Event): boolean {
  return (a.due_ms - b.due_ms || a.wanted_ms - b.wanted_ms || a.tie - b.tie) < 0;
}

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  for (let up = (at - 1) >> 1; at > 0 && before(event, heap[up]!); up = (at - 1) >> 1) {
    heap[at] = heap[up]!;
    at = up;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | null {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined) return null;
  if (first === last) return first;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}
