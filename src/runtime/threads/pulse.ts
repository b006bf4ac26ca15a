/**
 * Pulse: one shared line of memory per thread: its doorbell and its heartbeat.
 *
 * The bell is 1 while the thread sleeps and wants to be woken, else 0; so whoever finds it 1 and sets
 * it to 0 wakes it, and nobody else needs to. The heartbeat only counts up.
 */

const words_per_thread = 16; // a cache line each

export function createPulse(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * words_per_thread * 4);
}

export class Pulse {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Wakes the thread if it sleeps. */
  ring(thread: number): void {
    const at = thread * words_per_thread;
    if (Atomics.load(this.#words, at) === 0) return;
    if (Atomics.exchange(this.#words, at, 0) === 1) Atomics.notify(this.#words, at);
  }

  /** From now on the thread wants to be woken. */
  fallAsleep(thread: number): void {
    Atomics.store(this.#words, thread * words_per_thread, 1);
  }

  stayAwake(thread: number): void {
    Atomics.store(this.#words, thread * words_per_thread, 0);
  }

  /** Calls `woken` once the bell has been rung. False when it was rung already. */
  sleep(thread: number, woken: () => void): boolean {
    const waiting = Atomics.waitAsync(this.#words, thread * words_per_thread, 1);
    if (!waiting.async) return false;
    void waiting.value.then(woken);
    return true;
  }

  beat(thread: number): void {
    Atomics.add(this.#words, thread * words_per_thread + 1, 1);
  }

  beats(thread: number): number {
    return Atomics.load(this.#words, thread * words_per_thread + 1);
  }
}
