/**
 * Timeline: one line of history: takes committed WAL in, keeps every version it makes, and says what
 * there is at an LSN.
 *
 * Owns:    its layers, on disk and in memory, and its manifest.
 * Serves:  the wal-receiver, computes that start, control; pages go by channel (page-reader.ts).
 * Promise: what is at or below `ingestedLsn` can be read; below `diskConsistentLsn` it is on disk.
 * Crash:   restart begins at the manifest; the WAL after it comes again from the acceptor.
 * Never:   guesses: WAL it cannot take halts it, and everything before stays readable.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, type Lsn } from '../../base/lsn.ts';
import { type Manifest } from '../../layers/manifest.ts';
import { Ingest } from '../../postgres/ingest/ingest.ts';
import { ensureMajor } from '../../postgres/major.ts';
import { parseSystemId } from '../../postgres/system-id.ts';
import { WalReader } from '../../postgres/wal-reader.ts';
import { decodeRecord, WalRecord } from '../../postgres/wal-record.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import { generation, TimelineDisk } from './disk.ts';
import { importDirectory } from './import-directory.ts';
import { type TimelineOptions } from './protocol.ts';
import { isWhole, shelve, unshelve } from './shelf.ts';
import { describeState } from './state.ts';
import { type TimelineStore } from './store.ts';
import { writeFrozen } from './write-layers.ts';
import {
  type DescribeState,
  type DescribeTimeline,
  type FlushTimeline,
  type IngestWal,
  type TimelineMessage,
  type WaitEnded,
  type WaitForLsn,
} from './protocol.ts';

export const timeline = defineActor<TimelineMessage, State, TimelineOptions>({
  name: 'timeline',
  mailboxMax: 1_024,
  restart: 'permanent',
  start,
  receive,
  stop,
});

interface State {
  readonly options: TimelineOptions;
  readonly disk: TimelineDisk;
  readonly store: TimelineStore;
  readonly ingest: Ingest;
  readonly reader: WalReader;
  readonly record: WalRecord;
  lastRecordStart: Lsn;
  /** Why no more WAL is taken; null while it is. */
  halted: string | null;
  /** Asks that wait for WAL, by a number of their own. */
  readonly waiting: Map<number, WaitForLsn>;
  waits: number;
  /** The last write of a frozen layer; settled when none is under way. */
  writing: Promise<void>;
}

async function start(context: Context<TimelineMessage>, options: TimelineOptions): Promise<State> {
  const disk = new TimelineDisk(options);
  context.onEnd(() => {
    disk.close();
  });
  const manifest = disk.manifest ?? (await begin(context, disk, options));
  const { diskConsistentLsn, lastRecordStart } = manifest;
  const store = disk.load(manifest);
  shelve(options.number, store);
  const { major, segmentSize, systemId } = options;
  const format = { major, segmentSize, systemId: parseSystemId(systemId) };
  const state: State = {
    options,
    disk,
    store,
    ingest: new Ingest(ensureMajor(major), store),
    reader: new WalReader(diskConsistentLsn, {
      ...format,
      previous: lastRecordStart,
      trusted: true,
    }),
    record: new WalRecord(),
    lastRecordStart,
    halted: null,
    waiting: new Map(),
    waits: 0,
    writing: Promise.resolve(),
  };
  context.onEnd(async () => {
    await state.writing; // or it would write beside our successor
    unshelve(options.number, store);
  });
  return state;
}

function receive(
  context: Context<TimelineMessage>,
  state: State,
  message: TimelineMessage,
): Promise<void> | void {
  switch (message.kind) {
    case 'ingestWal':
      return onIngestWal(context, state, message);
    case 'describeTimeline':
      onDescribeTimeline(context, state, message);
      return;
    case 'waitForLsn':
      return onWaitForLsn(context, state, message);
    case 'waitEnded':
      onWaitEnded(context, state, message);
      return;
    case 'describeState':
      onDescribeState(context, state, message);
      return;
    case 'flushTimeline':
      return onFlushTimeline(context, state, message);
  }
}

/** Writes out what is in memory, so that the next start has little WAL to take in again. */
async function stop(context: Context<TimelineMessage>, state: State): Promise<void> {
  await flush(context, state);
}

/** Makes the manifest of a new timeline: from a data directory, or with nothing but an ancestor. */
async function begin(
  context: Context<TimelineMessage>,
  disk: TimelineDisk,
  options: TimelineOptions,
): Promise<Manifest> {
  const { import: from, id, major, systemId, ancestor } = options;
  ensure(from !== null, 'timeline_missing', { timeline: id });
  const { path, startLsn, lastRecordStart } = from;
  const layers = path === null ? [] : [await importDirectory(disk, options, path, startLsn)];
  return disk.save({
    timeline: id,
    major,
    systemIdentifier: systemId,
    ancestor,
    layers,
    diskConsistentLsn: startLsn,
    lastRecordStart,
    created_ms: context.clock.now_ms(),
    generation,
  });
}

async function onIngestWal(
  context: Context<TimelineMessage>,
  state: State,
  message: IngestWal,
): Promise<void> {
  const { reader, halted } = state;
  const { position } = reader;
  if (halted !== null) {
    context.refuse(message, haltedFailure(halted));
    return;
  }
  ensure(message.begin === position, 'timeline_gap', { begin: message.begin, position });
  ensureWhole(state);
  ingest(context, state, message.bytes);
  wake(context, state);
  const { map, ingestedLsn: end } = state.store;
  if (map.open.isFull(state.options.openLayerMax_bytes, end)) {
    await state.writing; // a disk slower than the WAL slows the WAL down
    freeze(context, state);
  }
  const { ingestedLsn } = state.store;
  context.answer(message, { receivedLsn: reader.position, ingestedLsn });
}

function onDescribeTimeline(
  context: Context<TimelineMessage>,
  state: State,
  message: DescribeTimeline,
): void {
  const { options, disk, store } = state;
  const { entries, open } = store.map;
  const manifest = disk.manifest!;
  context.answer(message, {
    id: options.id,
    number: options.number,
    major: options.major,
    systemId: options.systemId,
    startLsn: disk.startLsn,
    receivedLsn: state.reader.position,
    ingestedLsn: state.store.ingestedLsn,
    lastRecordStart: state.lastRecordStart,
    diskConsistentLsn: manifest.diskConsistentLsn,
    halted: state.halted,
    layerCount: entries.length,
    layerBytes: entries.reduce((sum, { description }) => sum + description.size, 0),
    openBytes: open.size,
  });
}

async function onWaitForLsn(
  context: Context<TimelineMessage>,
  state: State,
  message: WaitForLsn,
): Promise<void> {
  const { ancestor } = state.options;
  if (ancestor !== null) {
    // A read at or below the branch point is the ancestor's to answer: it must have got there.
    const other = context.ref<TimelineMessage>(`timeline/${ancestor.timeline}`);
    await context.ask(other, { ...message, at: ancestor.lsn }, message);
  }
  if (state.store.ingestedLsn >= message.at) answerWait(context, state, message);
  else if (state.halted !== null) context.refuse(message, haltedFailure(state.halted));
  else {
    state.waits += 1;
    state.waiting.set(state.waits, message);
    context.after(message.timeout_ms, { kind: 'waitEnded', wait: state.waits });
  }
}

function onWaitEnded(context: Context<TimelineMessage>, state: State, message: WaitEnded): void {
  const asked = state.waiting.get(message.wait);
  if (asked === undefined) return;
  state.waiting.delete(message.wait);
  const at = formatLsn(asked.at);
  const ingested = formatLsn(state.store.ingestedLsn);
  context.refuse(asked, new Failure('timeline_behind', { at, ingested }));
}

function onDescribeState(
  context: Context<TimelineMessage>,
  state: State,
  message: DescribeState,
): void {
  const { store } = state;
  const { at } = message;
  const ingested = store.ingestedLsn;
  const values = { at: formatLsn(at), ingested: formatLsn(ingested) };
  ensure(at <= ingested, 'timeline_behind', values);
  ensureWhole(state);
  const lastRecordStart = at === ingested ? state.lastRecordStart : null;
  context.answer(message, { at, lastRecordStart, ...describeState(store, at) });
}

async function onFlushTimeline(
  context: Context<TimelineMessage>,
  state: State,
  message: FlushTimeline,
): Promise<void> {
  await flush(context, state);
  context.answer(message, { diskConsistentLsn: state.disk.manifest!.diskConsistentLsn });
}

/** What a branch's first records change, and its state, is its ancestors': that must all be there. */
function ensureWhole({ store, options }: State): void {
  const at = formatLsn(options.ancestor?.lsn ?? store.ingestedLsn);
  ensure(isWhole(store), 'timeline_behind', { at, ancestor: options.ancestor?.timeline ?? null });
}

/** Takes records in until the bytes end, or until one of them halts the timeline. */
function ingest(context: Context<TimelineMessage>, state: State, bytes: Uint8Array): void {
  const { reader, record, options } = state;
  try {
    reader.push(bytes);
    while (reader.next(record)) {
      decodeRecord(record, options.major);
      state.ingest.record(record);
      state.store.ingestedLsn = reader.recordEnd;
      state.lastRecordStart = reader.lastRecordStart;
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    state.halted = `${error.message} after=${formatLsn(state.store.ingestedLsn)}`;
    context.log('error', 'timeline: halted', { timeline: options.id, reason: state.halted });
  }
}

/** Answers the asks whose LSN has come, or, when there will be no more, refuses the others. */
function wake(context: Context<TimelineMessage>, state: State): void {
  for (const [wait, asked] of state.waiting) {
    if (asked.at <= state.store.ingestedLsn) answerWait(context, state, asked);
    else if (state.halted === null) continue;
    else context.refuse(asked, haltedFailure(state.halted));
    state.waiting.delete(wait);
  }
}

/** Refused with, never thrown: what was ingested before is still to be served. */
function haltedFailure(reason: string): Failure {
  return new Failure('timeline_halted', { reason });
}

function answerWait(context: Context<TimelineMessage>, state: State, asked: WaitForLsn): void {
  context.answer(asked, { ingestedLsn: state.store.ingestedLsn });
}

/** Ends the open layer here and writes it beside everything else. */
function freeze(context: Context<TimelineMessage>, state: State): void {
  const { disk, store, lastRecordStart, options } = state;
  if (store.map.open.versionCount === 0) return;
  if (state.halted !== null) return; // the open layer may have a part of the record that halted it
  disk.freeze(store.map, store.ingestedLsn, lastRecordStart);
  const { imagePagesMin } = options;
  state.writing = writeFrozen({ disk, store, imagePagesMin, onImagesFailed }).catch(
    (error: unknown) => {
      // The layer stays in memory and its WAL with the acceptors: the next freeze writes both.
      context.log('error', 'timeline: a layer could not be written', { reason: String(error) });
    },
  );
  function onImagesFailed(error: unknown): void {
    context.log('warn', 'timeline: images could not be made', { reason: String(error) });
  }
}

async function flush(context: Context<TimelineMessage>, state: State): Promise<void> {
  await state.writing;
  freeze(context, state);
  await state.writing;
}
