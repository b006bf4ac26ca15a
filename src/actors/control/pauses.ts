/**
 * Pauses: of a second each, for what control does beside its messages. Their ends are messages.
 */
import { type Context } from '../../runtime/actor.ts';
import { type ControlMessage, type PauseEnded } from './protocol.ts';

const pause_ms = 1_000;

export class Pauses {
  readonly #context: Context<ControlMessage>;
  /** Whoever pauses, by a number of its own. */
  readonly #pausing = new Map<number, () => void>();
  #seen = 0;

  constructor(context: Context<ControlMessage>) {
    this.#context = context;
  }

  pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#seen += 1;
      this.#pausing.set(this.#seen, resolve);
      this.#context.after(pause_ms, { kind: 'pauseEnded', pause: this.#seen });
    });
  }

  onPauseEnded({ pause }: PauseEnded): void {
    this.#pausing.get(pause)?.();
    this.#pausing.delete(pause);
  }
}
