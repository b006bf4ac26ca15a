/**
 * Filesystem: one FUSE mount, the versioned part of one compute's data directory.
 *
 * Owns:    the mount, its names, the upper layer (what Postgres wrote), its reader threads.
 * Serves:  the kernel; the compute (samples that allow trimming, questions about the mount).
 * Promise: what was written is read back as written, until storage can rebuild it.
 * Crash:   the mount's connection is aborted; a compute on it must be killed and started afresh.
 * Never:   touches its own mount, and blocks on what needs its own answers.
 *
 * Kernel requests about names come from the reader threads and are answered at once, between two
 * messages: they wait for nothing, and a trim under way must not hold them up.
 */
import { closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { unreachable } from '../../base/assert.ts';
import { abortFuse, mountFuse, unmountFuse, type FuseMount } from '../../io/fuse/device.ts';
import { collectGarbageSoon } from '../../io/garbage.ts';
import { openNameless } from '../../io/scratch-directory.ts';
import { type Context, defineActor } from '../../runtime/actor.ts';
import { type ReaderNote } from './file-requests.ts';
import { Inodes } from './inodes.ts';
import { answerRequest, type Names } from './names.ts';
import { populate } from './populate.ts';
import {
  type DescribeMount,
  type FilesystemMessage,
  type FilesystemOptions,
  type MarkWrites,
  type MountFailed,
  type ReaderEnded,
  type SampleTaken,
  type TrimUpper,
} from './protocol.ts';
import { startReaders, type Readers } from './readers.ts';
import { allocateShared, block_bytes, counters, sharedSizes, SharedState } from './shared-state.ts';
import { Trimmer } from './trimmer.ts';

export const filesystem = defineActor<FilesystemMessage, State, FilesystemOptions>({
  name: 'filesystem',
  mailboxMax: 256,
  restart: 'temporary', // what Postgres wrote was in this mount: another one cannot replace it
  start,
  receive,
  stop,
});

type FilesystemContext = Context<FilesystemMessage>;

interface State {
  readonly options: FilesystemOptions;
  readonly mount: FuseMount;
  readonly names: Names;
  readonly readers: Readers;
  readonly trimmer: Trimmer;
  /** Who asked for a trim: they are answered when nothing is left to trim. */
  waiting: TrimUpper[];
  /** Whether a `trimDue` is under way. */
  trimming: boolean;
  /** The owner is told once. */
  failed: boolean;
  /** Over once the mount is being taken away: nobody is told of readers that end then. */
  readonly life: { over: boolean };
}

async function start(context: FilesystemContext, options: FilesystemOptions): Promise<State> {
  await unmountFuse(options.mountPoint);
  context.onEnd(collectGarbageSoon); // last of all: the shared memory is the size of gigabytes
  const shared = new SharedState(allocateShared(sharedSizes(options.upperMax_bytes)));
  shared.raiseFloor(options.snapshot.floor);
  const { scratchDirectory, uid, gid } = options;
  const { clock } = context;
  const inodes = new Inodes({ state: shared, scratchDirectory, uid, gid, clock });
  const names: Names = { inodes, state: shared, scratchDirectory };
  context.onEnd(() => {
    inodes.close();
  });
  populate(inodes, options.snapshot);
  const slotFd = openNameless(join(scratchDirectory, 'slots')); // the upper layer's bytes
  closeAtEnd(context, slotFd);
  const mount = await mountFuse(options.mountPoint, options.readAhead_bytes);
  const fuseFd = mount.fd;
  closeAtEnd(context, fuseFd);
  const trimmer = new Trimmer({ state: shared, inodes, slotFd, fuseFd });
  const life = { over: false };
  const readers = startReaders({
    count: options.readers,
    parts: { shared: shared.handle, fuseFd, slotFd, lower: options.lower },
    onNote: (note) => {
      onNote(context, { names, fuseFd }, note);
    },
    onEnd: (reader, reason) => {
      if (!life.over) context.tell(context.self, { kind: 'readerEnded', reader, reason });
    },
  });
  const idle = { waiting: [], trimming: false, failed: false };
  const state: State = { options, mount, names, readers, trimmer, life, ...idle };
  context.onEnd(() => takeDown(state));
  try {
    await readers.ready;
    return state;
  } catch (error) {
    await stop(context, state);
    throw error;
  }
}

function receive(
  context: FilesystemContext,
  state: State,
  message: FilesystemMessage,
): void | Promise<void> {
  switch (message.kind) {
    case 'markWrites':
      onMarkWrites(context, state, message);
      return;
    case 'sampleTaken':
      onSampleTaken(context, state, message);
      return;
    case 'trimUpper':
      onTrimUpper(context, state, message);
      return;
    case 'describeMount':
      onDescribeMount(context, state, message);
      return;
    case 'trimDue':
      return onTrimDue(context, state);
    case 'readerEnded':
      return onReaderEnded(context, state, message);
    default:
      unreachable(message);
  }
}

/** Whoever used the mount is gone: so its name goes too. */
async function stop(_context: FilesystemContext, state: State): Promise<void> {
  state.life.over = true;
  await unmountFuse(state.mount.mountPoint);
}

/** Ends the connection first: that is what ends the readers. After a crash the owner unmounts. */
async function takeDown(state: State): Promise<void> {
  state.life.over = true; // readers end now because we say so
  await abortFuse(state.mount.mountPoint);
  await state.readers.ended;
}

function closeAtEnd(context: FilesystemContext, descriptor: number): void {
  context.onEnd(() => {
    closeSync(descriptor);
  });
}

function onMarkWrites(context: FilesystemContext, { names }: State, message: MarkWrites): void {
  context.answer(message, { writeMark: names.state.count(counters.writes) });
}

function onSampleTaken(context: FilesystemContext, state: State, message: SampleTaken): void {
  state.trimmer.addSample(message);
  wakeTrimmer(context, state);
}

function onTrimUpper(context: FilesystemContext, state: State, message: TrimUpper): void {
  state.waiting.push(message);
  wakeTrimmer(context, state);
}

function onDescribeMount(context: FilesystemContext, state: State, message: DescribeMount): void {
  const { state: shared, inodes } = state.names;
  context.answer(message, {
    floor: shared.floor,
    upper_bytes: upper_bytes(shared),
    inodes: inodes.count,
    reads: shared.count(counters.reads),
    writes: shared.count(counters.writes),
    lowerBlocksRead: shared.count(counters.lowerBlocksRead),
    trimmedBlocks: state.trimmer.trimmedBlocks,
    cancelledBlocks: state.trimmer.cancelledBlocks,
  });
}

/** Ends one batch and begins the next, until nothing more may go or the upper layer is small. */
async function onTrimDue(context: FilesystemContext, state: State): Promise<void> {
  const { trimmer, waiting } = state;
  trimmer.commit();
  if (isTrimWanted(state) && (await trimmer.prepare())) {
    context.after(trimPause_ms, { kind: 'trimDue' });
    return;
  }
  state.trimming = false;
  state.waiting = [];
  const { trimmedBlocks, cancelledBlocks } = trimmer;
  for (const asked of waiting) context.answer(asked, { trimmedBlocks, cancelledBlocks });
}

/**
 * Without its readers the mount answers nobody: the compute on it must go. The connection is aborted
 * first: a process that waits for an answer cannot even be killed until its request is aborted.
 */
async function onReaderEnded(
  context: FilesystemContext,
  state: State,
  message: ReaderEnded,
): Promise<void> {
  if (state.failed) return;
  state.failed = true;
  const { reader, reason } = message;
  if (reader >= 0) await abortFuse(state.mount.mountPoint); // else it lives, and answers EIO
  reportFailure(context, state, reader >= 0 ? `reader ${reader} ended: ${reason}` : reason);
}

/** Long enough for a process between two page copies; a trim is in no hurry. */
const trimPause_ms = 20;

function wakeTrimmer(context: FilesystemContext, state: State): void {
  if (state.trimming || !isTrimWanted(state)) return;
  state.trimming = true;
  context.after(0, { kind: 'trimDue' });
}

function isTrimWanted({ waiting, names, options }: State): boolean {
  return waiting.length > 0 || upper_bytes(names.state) > options.upperTarget_bytes;
}

function upper_bytes(shared: SharedState): number {
  return shared.count(counters.slotsUsed) * block_bytes;
}

interface NoteTarget {
  readonly names: Names;
  readonly fuseFd: number;
}

/** A reader thread's note, between two messages. */
function onNote(context: FilesystemContext, target: NoteTarget, note: ReaderNote): void {
  switch (note.kind) {
    case 'ready':
      return;
    case 'request':
      answer(target, note.bytes);
      return;
    case 'readFailed':
      context.log('warn', 'a read from the lower layer failed', { reason: note.reason });
      return;
    case 'poisoned':
      context.tell(context.self, {
        kind: 'readerEnded',
        reader: -1,
        reason: `a delayed write was lost: ${note.reason}`,
      });
      return;
    default:
      unreachable(note);
  }
}

function answer({ names, fuseFd }: NoteTarget, request: Uint8Array): void {
  const reply = answerRequest(names, request);
  if (reply === null) return;
  try {
    writeSync(fuseFd, reply);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Whoever asked was interrupted, or the mount is going: the readers say which.
    if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
  }
}

function reportFailure(context: FilesystemContext, state: State, reason: string): void {
  const { mountPoint, owner } = state.options;
  context.log('error', 'mount failed', { mountPoint, reason });
  if (owner !== null)
    context.tell(context.ref<MountFailed>(owner), { kind: 'mountFailed', mountPoint, reason });
}
