/**
 * Heartbeats: finds threads that no longer turn their event loop. Counted in looks, not in time, so
 * that a machine that was asleep does not find all its threads dead.
 */
import { type Pulse } from './pulse.ts';

export interface HeartbeatLimits {
  /** How often a thread beats, in milliseconds; it is looked at half as often. */
  readonly heartbeat_ms: number;
  /** Silence after which a thread is reported. */
  readonly hangReport_ms: number;
  /** Silence after which it is ended and started again; null for never. */
  readonly hangKill_ms: number | null;
}

export interface Hang {
  readonly thread: number;
  readonly silent_ms: number;
  readonly kill: boolean;
}

interface Watched {
  beats: number;
  silentLooks: number;
  reported: boolean;
}

export class Heartbeats {
  readonly #pulse: Pulse;
  readonly #limits: HeartbeatLimits;
  readonly #watched = new Map<number, Watched>();

  constructor(pulse: Pulse, limits: HeartbeatLimits) {
    this.#pulse = pulse;
    this.#limits = limits;
  }

  get look_ms(): number {
    return this.#limits.heartbeat_ms * 2;
  }

  /** A thread has begun to beat. */
  watch(thread: number): void {
    const beats = this.#pulse.beats(thread);
    this.#watched.set(thread, { beats, silentLooks: 0, reported: false });
  }

  unwatch(thread: number): void {
    this.#watched.delete(thread);
  }

  /** Called every `look_ms`: the threads to report now, and those to end. */
  look(): readonly Hang[] {
    const hangs: Hang[] = [];
    for (const [thread, watched] of this.#watched) {
      const hang = this.#lookAt(thread, watched);
      if (hang !== null) hangs.push(hang);
    }
    return hangs;
  }

  #lookAt(thread: number, watched: Watched): Hang | null {
    const beats = this.#pulse.beats(thread);
    if (beats !== watched.beats) {
      watched.beats = beats;
      watched.silentLooks = 0;
      watched.reported = false;
      return null;
    }
    watched.silentLooks += 1;
    const silent_ms = watched.silentLooks * this.look_ms;
    const { hangReport_ms, hangKill_ms } = this.#limits;
    const kill = hangKill_ms !== null && silent_ms >= hangKill_ms;
    if (kill) this.unwatch(thread);
    const report = silent_ms >= hangReport_ms && !watched.reported;
    if (report) watched.reported = true;
    return kill || report ? { thread, silent_ms, kill } : null;
  }
}
