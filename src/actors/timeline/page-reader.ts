/**
 * PageReader: answers the blocking readers of one mount with pages of a timeline.
 *
 * Owns:    the server's end of their channels.
 * Serves:  the mount's reader threads, and whoever compares a mount with storage.
 * Promise: a page is a version at or after the request's floor, its checksums verified.
 * Crash:   requests under way stay in their channels, and are answered by the next.
 * Never:   waits: a request whose timeline is not there yet is left for later.
 */
import { Failure } from '../../base/failure.ts';
import { makeKey } from '../../base/key.ts';
import { BellListener, PageChannel } from '../../runtime/page-channel.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import { type PageReaderMessage, type PageReaderOptions } from './protocol.ts';
import { findByNumber, isWhole } from './shelf.ts';

export const pageReader = defineActor<PageReaderMessage, State, PageReaderOptions>({
  name: 'page-reader',
  mailboxMax: 16,
  restart: 'permanent',
  start,
  receive,
  stop,
});

interface State {
  readonly channels: readonly PageChannel[];
  /** Whether a look at requests that wait is due. */
  lookPending: boolean;
}

/** How soon a request that had to wait is looked at again. Only a thread that died makes one wait. */
const lookAgain_ms = 20;

function start(context: Context<PageReaderMessage>, options: PageReaderOptions): State {
  const channels = options.channels.map((memory) => new PageChannel(memory));
  const listener = new BellListener(options.bell);
  const state: State = { channels, lookPending: false };
  void listener.listen(() => {
    serve(context, state);
  });
  context.onEnd(() => {
    listener.stop();
  });
  return state;
}

function receive(context: Context<PageReaderMessage>, state: State): void {
  state.lookPending = false;
  serve(context, state);
}

function stop(_context: Context<PageReaderMessage>, state: State): void {
  for (const channel of state.channels) if (channel.waiting) channel.refuse('the mount is closing');
}

function serve(context: Context<PageReaderMessage>, state: State): void {
  let left = false;
  for (const channel of state.channels) {
    if (channel.waiting && !answer(channel)) left = true;
  }
  if (!left || state.lookPending) return;
  state.lookPending = true;
  context.after(lookAgain_ms, { kind: 'lookDue' });
}

/** False when the timeline is not there, or has not ingested enough: it was restarted. */
function answer(channel: PageChannel): boolean {
  const { timeline, family, firstBlock, count, floor } = channel.request;
  const store = findByNumber(timeline);
  if (store === null || store.ingestedLsn < floor || !isWhole(store)) return false;
  try {
    const first = makeKey(store.families.idOf(family), firstBlock);
    store.readCurrentPages(first, channel.pages(count));
    channel.finish();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    channel.refuse(error.message);
  }
  return true;
}
