/**
 * SimulatedNetwork: what is between the hosts of a simulated world, in one of two manners.
 *
 * `connections` is what the runtime's links have (src/runtime/peers): TCP. One connection for each pair of
 * asker and asked carries asks one way and their answers back, each way in order. A packet that is lost
 * is sent again, so its message and all behind it are late; a cut delays, and what was sent meanwhile
 * arrives when it ends. Only a connection that breaks loses messages: those on their way, in part, since
 * the other side may have them in its buffers and notice later; then they may even arrive behind messages
 * of the next connection. Nothing is ever carried twice, because the runtime sends nothing twice.
 *
 * `datagrams` is worse than any link: each message by itself is lost, late, out of order or doubled. The
 * protocol is to bear that too (docs/membership.md, what comes late, twice or never).
 */
import { type SeededRandom } from '../../src/io/random.ts';
import { type Network, type Passage } from '../../src/runtime/simulated-threads.ts';

export type Manner = 'connections' | 'datagrams';

export interface NetworkWorld {
  readonly random: SeededRandom;
  readonly manner: Manner;
  readonly now_ms: () => number;
  readonly after: (delay_ms: number, action: () => void) => unknown;
  /** `host` takes its connections with `other` for lost. */
  readonly loseContact: (host: string, other: string) => void;
  /** Whether a host has no power: then nobody even refuses. */
  readonly isOff: (host: string) => boolean;
}

/** What a message meets on its way. */
export interface Weather {
  /** The longest time a message takes that nothing happens to. */
  readonly latency_ms: number;
  /** One in so many packets is lost: the message is late, or, as a datagram, gone. null for none. */
  readonly loss_oneIn: number | null;
  /** One in so many datagrams comes late; and another time, one in so many. null for none. */
  readonly late_oneIn: number | null;
  readonly double_oneIn: number | null;
}

export const calm: Weather = {
  latency_ms: 1,
  loss_oneIn: null,
  late_oneIn: null,
  double_oneIn: null,
};

/** Each way of it: when what was sent last arrives. */
interface Connection {
  /** Counts how often it broke. */
  breaks: number;
  /** What was on its way at the last break may arrive until then. */
  lateUntil_ms: number;
  readonly arrival_ms: Map<string, number>;
}

/** Between messages of one connection, so that they stay in order. */
const least_ms = 1e-6;
const firstResend_ms = 200;
const lateMax_ms = 1_500;
/** The other side of a broken connection notices within so long. */
const noticeMax_ms = 500;

export class SimulatedNetwork implements Network {
  weather: Weather = calm;
  /** What was done to messages so far, by kind. */
  readonly done = new Map<string, number>();
  readonly #world: NetworkWorld;
  readonly #connections = new Map<string, Connection>();
  /** Until when nothing passes, by `from>to`. */
  readonly #cuts = new Map<string, number>();

  constructor(world: NetworkWorld) {
    this.#world = world;
  }

  /** Nothing passes from one to the other for a while. */
  cut(from: string, to: string, for_ms: number): void {
    this.#cuts.set(`${from}>${to}`, this.#world.now_ms() + for_ms);
  }

  /** Ends cuts. What they held up is still on its way. */
  heal(): void {
    this.#cuts.clear();
    this.weather = calm;
  }

  /** The connections between two hosts break; each side notices in its own time. */
  break(one: string, other: string): void {
    const { random, now_ms, after, loseContact } = this.#world;
    for (const [near, far] of [
      [one, other],
      [other, one],
    ] as const) {
      const notices_ms = random.pick([0, random.below(noticeMax_ms)]);
      after(notices_ms, () => {
        loseContact(near, far);
      });
      const connection = this.#connection(near, far);
      connection.breaks += 1;
      connection.lateUntil_ms = now_ms() + notices_ms;
    }
  }

  carry(from: string, to: string, kind: string | null): readonly Passage[] {
    if (this.#world.manner === 'datagrams') return this.#carryDatagram(from, to);
    // An answer goes back over the connection of its ask.
    const connection = kind === null ? this.#connection(to, from) : this.#connection(from, to);
    const { breaks } = connection;
    const way = `${from}>${to}`;
    const { now_ms } = this.#world;
    const sent_ms = Math.max(now_ms(), this.#cuts.get(way) ?? 0);
    const behind_ms = (connection.arrival_ms.get(way) ?? 0) + least_ms;
    const arrival_ms = Math.max(sent_ms + this.#travel_ms(), behind_ms);
    connection.arrival_ms.set(way, arrival_ms);
    if (sent_ms > now_ms()) this.#count('delayed by a cut');
    const arrives = (): boolean => {
      if (connection.breaks === breaks) return true;
      const late = now_ms() <= connection.lateUntil_ms;
      this.#count(late ? 'late on a broken connection' : 'lost with a connection');
      return late;
    };
    return [{ delay_ms: arrival_ms - now_ms(), arrives }];
  }

  refuses(from: string, to: string): boolean {
    const { isOff, now_ms } = this.#world;
    const ways = [`${from}>${to}`, `${to}>${from}`];
    return !isOff(to) && ways.every((way) => (this.#cuts.get(way) ?? 0) <= now_ms());
  }

  #carryDatagram(from: string, to: string): readonly Passage[] {
    const { now_ms } = this.#world;
    const { loss_oneIn, double_oneIn } = this.weather;
    if ((this.#cuts.get(`${from}>${to}`) ?? 0) > now_ms()) return this.#loses('lost in a cut');
    if (this.#happens(loss_oneIn)) return this.#loses('lost');
    if (!this.#happens(double_oneIn)) return [this.#datagram()];
    this.#count('doubled');
    return [this.#datagram(), this.#datagram()];
  }

  #loses(how: string): readonly Passage[] {
    this.#count(how);
    return [];
  }

  #datagram(): Passage {
    const { random } = this.#world;
    const late = this.#happens(this.weather.late_oneIn);
    if (late) this.#count('late');
    const delay_ms = this.#travel_ms(false) + (late ? random.below(lateMax_ms) : 0);
    return { delay_ms, arrives: () => true };
  }

  #travel_ms(resends = true): number {
    const { latency_ms, loss_oneIn } = this.weather;
    let travel_ms = (this.#world.random.below(1_000) / 1_000) * latency_ms;
    if (!resends) return travel_ms;
    for (let wait_ms = firstResend_ms; this.#happens(loss_oneIn); wait_ms *= 2) {
      this.#count('sent again');
      travel_ms += wait_ms;
    }
    return travel_ms;
  }

  #happens(oneIn: number | null): boolean {
    return oneIn !== null && this.#world.random.oneIn(oneIn);
  }

  #connection(asker: string, asked: string): Connection {
    const name = `${asker}>${asked}`;
    const found = this.#connections.get(name);
    if (found !== undefined) return found;
    const connection = { breaks: 0, lateUntil_ms: 0, arrival_ms: new Map<string, number>() };
    this.#connections.set(name, connection);
    return connection;
  }

  #count(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }
}
