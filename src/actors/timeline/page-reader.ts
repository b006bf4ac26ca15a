/**
 * PageReader: answers the blocking readers of one mount with pages of a timeline.
 *
 * Owns:    the server's end of their channels, and the free-space maps it has derived.
 * Serves:  the mount's reader threads, and whoever compares a mount with storage.
 * Promise: a page is a version at or after the request's floor, its checksums verified.
 * Crash:   requests under way stay in their channels, and are answered by the next.
 * Never:   waits: a request whose timeline is not there yet is left for later, and one that takes long
 *          is answered slice by slice.
 */
import { Failure } from '../../base/failure.ts';
import { keyKinds, makeKey } from '../../base/key.ts';
import { relationForks } from '../../postgres/relation-path.ts';
import { BellListener, PageChannel, type PageRequest } from '../../runtime/page-channel.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import { DerivedMaps } from './derived-maps.ts';
import { type PageReaderMessage, type PageReaderOptions } from './protocol.ts';
import { findByNumber, isWhole } from './shelf.ts';
import { type TimelineStore } from './store.ts';

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
  readonly listener: BellListener;
  readonly maps: DerivedMaps;
  /** What is under way, by channel. */
  readonly readings: Map<PageChannel, Reading>;
  /** Whose turn it was last, among the channels that wait for a map. */
  turn: number;
  /** Free-space maps come as they are stored. */
  mapsAsStored: boolean;
  /** Whether a look at requests that wait is due. */
  lookPending: boolean;
}

/** A request that can be answered now. */
interface Asked {
  readonly channel: PageChannel;
  readonly request: PageRequest;
  readonly store: TimelineStore;
}

/** A map that is being derived, for the request of that number. */
interface Reading {
  readonly number: number;
  readonly store: TimelineStore;
  readonly steps: Generator<undefined, void>;
}

/** How soon a request that had to wait is looked at again. Only a thread that died makes one wait. */
const lookAgain_ms = 20;

function start(context: Context<PageReaderMessage>, options: PageReaderOptions): State {
  const state: State = {
    channels: options.channels.map((memory) => new PageChannel(memory)),
    listener: new BellListener(options.bell),
    maps: new DerivedMaps(),
    readings: new Map(),
    turn: 0,
    mapsAsStored: false,
    lookPending: false,
  };
  void state.listener.listen(() => serve(context, state));
  context.onEnd(() => {
    state.listener.stop();
  });
  return state;
}

function receive(
  context: Context<PageReaderMessage>,
  state: State,
  message: PageReaderMessage,
): void {
  switch (message.kind) {
    case 'lookDue':
      state.lookPending = false;
      state.listener.ring();
      return;
    case 'serveStoredMaps':
      state.mapsAsStored = true;
      state.readings.clear();
      context.answer(message, null);
      return;
  }
}

function stop(_context: Context<PageReaderMessage>, state: State): void {
  for (const channel of state.channels) if (channel.waiting) channel.refuse('the mount is closing');
}

/** Answers what waits, and does a slice of what takes long. Whether there is more to do at once. */
function serve(context: Context<PageReaderMessage>, state: State): boolean {
  const maps: Asked[] = [];
  let left = false;
  for (const channel of state.channels) {
    if (!channel.waiting) continue;
    const asked = askedOn(channel);
    if (asked === null) left = true;
    else if (isMap(asked) && !state.mapsAsStored) maps.push(asked);
    else answer(asked);
  }
  if (left) lookLater(context, state);
  if (maps.length === 0) return false;
  state.turn = (state.turn + 1) % maps.length;
  const isOver = goOn(context, state, maps[state.turn]!);
  return !isOver || maps.length > 1;
}

function lookLater(context: Context<PageReaderMessage>, state: State): void {
  if (state.lookPending) return;
  state.lookPending = true;
  context.after(lookAgain_ms, { kind: 'lookDue' });
}

/** Null when the timeline is not there, or has not ingested enough: it was restarted. */
function askedOn(channel: PageChannel): Asked | null {
  const { request } = channel;
  const store = findByNumber(request.timeline);
  if (store === null || store.ingestedLsn < request.floor || !isWhole(store)) return null;
  return { channel, request, store };
}

function isMap({ request: { family } }: Asked): boolean {
  return family.kind === keyKinds.relationBlock && family.fork === relationForks.freeSpaceMap;
}

/** As it is stored. A map is kept for nobody: what follows from it may change when it does not. */
function answer(asked: Asked): void {
  const { channel, request, store } = asked;
  try {
    const first = makeKey(store.families.idOf(request.family), request.firstBlock);
    const pages = channel.pages(request.count);
    if (isMap(asked)) store.readPages(first, store.ingestedLsn, pages);
    else store.readCurrentPages(first, pages);
    channel.finish();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    channel.refuse(error.message);
  }
}

/** Derives a slice of a map; whether its request is answered. A map is a hint: it comes in any case. */
function goOn(context: Context<PageReaderMessage>, state: State, asked: Asked): boolean {
  const { channel } = asked;
  const reading = readingOf(state, asked);
  try {
    if (reading.steps.next().done !== true) return false;
    channel.finish();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.log('warn', 'page-reader: free-space map not derived', { reason: error.message });
    answer(asked);
  }
  state.readings.delete(channel);
  return true;
}

/** The reading under way, unless its asker has given up or its timeline was restarted. */
function readingOf(state: State, { channel, request, store }: Asked): Reading {
  const known = state.readings.get(channel);
  if (known?.number === channel.picked && known.store === store) return known;
  const steps = state.maps.read(store, request, channel.pages(request.count));
  const reading = { number: channel.picked, store, steps };
  state.readings.set(channel, reading);
  return reading;
}
