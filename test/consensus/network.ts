/**
 * Network: messages on their way, which the test or a seed delivers: in order or not, once, twice or
 * never. Answers are messages too.
 */
import { strict as assert } from 'node:assert';

export interface Packet {
  /** From whom to whom. */
  readonly channel: string;
  readonly arrive: () => void;
}

export class Network {
  /** In the order they were sent. */
  packets: Packet[] = [];
  /** Channels on which nothing arrives for now. */
  readonly cut = new Set<string>();

  send(channel: string, arrive: () => void): void {
    this.packets.push({ channel, arrive });
  }

  /** What may arrive now. */
  arriving(): readonly Packet[] {
    return this.packets.filter(({ channel }) => !this.cut.has(channel));
  }

  /** The first packet of every channel on which something may arrive. */
  heads(): readonly Packet[] {
    const seen = new Set<string>();
    return this.arriving().filter(({ channel }) => {
      const isFirst = !seen.has(channel);
      seen.add(channel);
      return isFirst;
    });
  }

  /** `again`: it also arrives once more, later. */
  deliver(packet: Packet, again = false): void {
    if (!again) this.lose(packet);
    packet.arrive();
  }

  lose(packet: Packet): void {
    this.packets = this.packets.filter((each) => each !== packet);
  }

  /** Delivers everything there is on a channel now; whether there was something. */
  flush(channel: string): boolean {
    const there = this.packets.filter((each) => each.channel === channel);
    for (const packet of there) this.deliver(packet);
    return there.length > 0;
  }

  /** Delivers in order until nothing is on its way; `rest` may send more, and says whether it did. */
  settle(rest: () => boolean): void {
    for (let turns = 0; turns < 20_000; turns += 1) {
      const [packet] = this.packets;
      if (packet !== undefined) this.deliver(packet);
      else if (!rest()) return;
    }
    assert.fail('the world does not come to rest');
  }
}
