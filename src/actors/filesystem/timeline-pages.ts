/**
 * TimelinePages: the lower layer of a mount as its reader threads see it: the shared page cache
 * first, and for what is not there one request to the thread the timelines live on.
 */
import { pageSize } from '../../postgres/page.ts';
import { PageCache } from '../../runtime/page-cache.ts';
import { channelPagesMax, PageAsker } from '../../runtime/page-channel.ts';
import { type LowerPages, type LowerRequest } from './lower-pages.ts';
import { type TimelinePagesOptions } from './protocol.ts';

/** Longer than a thread that died takes to come back with its timelines. */
const timeout_ms = 30_000;

export function openLower(options: unknown, reader: number): LowerPages {
  return new TimelinePages(options as TimelinePagesOptions, reader);
}

class TimelinePages implements LowerPages {
  readonly #timeline: number;
  readonly #cache: PageCache;
  readonly #asker: PageAsker;

  constructor({ timeline, cache, channels, bell }: TimelinePagesOptions, reader: number) {
    this.#timeline = timeline;
    this.#cache = new PageCache(cache);
    this.#asker = new PageAsker(channels[reader]!, bell);
  }

  read(request: LowerRequest, target: Uint8Array): void {
    let missed = -1;
    for (let index = 0; index < request.blocks; index += 1) {
      const hit = this.#lookup(request, index, target);
      if (!hit && missed === -1) missed = index;
      if (!hit && index - missed < channelPagesMax) continue;
      if (missed !== -1) this.#ask(request, { from: missed, to: index }, target);
      missed = hit ? -1 : index;
    }
    if (missed !== -1) this.#ask(request, { from: missed, to: request.blocks }, target);
  }

  #lookup({ family, firstBlock, floor }: LowerRequest, index: number, target: Uint8Array): boolean {
    const address = { timeline: this.#timeline, family, block: firstBlock + index };
    return this.#cache.lookup(address, floor, target, index * pageSize);
  }

  #ask(request: LowerRequest, run: { from: number; to: number }, target: Uint8Array): void {
    const { family, firstBlock, floor } = request;
    const asked = {
      timeline: this.#timeline,
      family,
      firstBlock: firstBlock + run.from,
      count: run.to - run.from,
      floor,
    };
    target.set(this.#asker.ask(asked, timeout_ms), run.from * pageSize);
  }
}
