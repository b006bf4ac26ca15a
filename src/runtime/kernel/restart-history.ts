/**
 * RestartHistory: whether an actor (or a thread) that failed may be started again, and after how
 * long. Pure: the caller brings the time.
 */
import { assert } from '../../base/assert.ts';
import { type RestartIntensity } from '../actor.ts';

const defaultIntensity: RestartIntensity = {
  maxRestarts: 5,
  window_ms: 30_000,
  firstDelay_ms: 10,
  maxDelay_ms: 5_000,
};

export class RestartHistory {
  readonly #intensity: RestartIntensity;
  #times_ms: number[] = [];

  constructor(intensity: RestartIntensity = defaultIntensity) {
    assert(intensity.maxRestarts >= 0 && intensity.window_ms > 0, 'an intensity has a window');
    this.#intensity = intensity;
  }

  /** Counts one more restart: the delay before it, or null when the intensity is exceeded. */
  next_ms(now_ms: number): number | null {
    const { maxRestarts, window_ms, firstDelay_ms, maxDelay_ms } = this.#intensity;
    this.#times_ms = this.#times_ms.filter((time_ms) => time_ms > now_ms - window_ms);
    if (this.#times_ms.length >= maxRestarts) return null;
    this.#times_ms.push(now_ms);
    return Math.min(firstDelay_ms * 2 ** (this.#times_ms.length - 1), maxDelay_ms);
  }
}
