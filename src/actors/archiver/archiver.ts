/**
 * Archiver: carries a timeline's committed WAL to the object store, and lets the acceptor's go.
 *
 * Owns:    the objects below `timelines/<timeline>/wal/`, with the archivers of the other members.
 * Serves:  its acceptor, which reads WAL here that it keeps no more.
 * Promise: WAL is removed only when it is in the object store, compared with what this host has, and in
 *          the layers of every host that keeps the pages.
 * Crash:   the next start compares what its acceptor keeps with the store again.
 * Never:   holds a timer while its acceptor rests.
 */
import { unreachable } from '../../base/assert.ts';
import { Failure, failureFromData, failureToData } from '../../base/failure.ts';
import { lsnZero } from '../../base/lsn.ts';
import { type ObjectStore } from '../../io/object-store.ts';
import { defineActor, type Behavior, type Context } from '../../runtime/actor.ts';
import { Archive } from './archive.ts';
import { look, type LookParts, type Progress, type Turns } from './look.ts';
import {
  type ArchiverDescription,
  type ArchiverMessage,
  type ArchiverOptions,
  type Looked,
  type LookFailed,
  type ReadArchived,
  type Wake,
} from './protocol.ts';

interface Archiver extends LookParts {
  readonly progress: Progress;
  /** Settled when no look is under way. */
  looking: Promise<void>;
  /** A look is under way, or a timer for one. */
  busy: boolean;
  /** Something was appended since the look began. */
  woken: boolean;
  forgets: boolean;
  pause_ms: number;
  trouble: string | null;
  halted: string | null;
}
type ArchiverContext = Context<ArchiverMessage>;

const pauseMax_ms = 30_000;

/** The archiver, in front of the object store that `open` opens; all of them take their `turns`. */
export function archiverOn(
  open: (folder: string) => ObjectStore,
  turns: Turns,
): Behavior<ArchiverMessage, Archiver, ArchiverOptions> {
  return defineActor({
    name: 'archiver',
    mailboxMax: 256,
    restart: 'permanent',
    start: (context, options) => {
      const archive = new Archive(open(options.objectStore), options.timeline, options.segmentSize);
      return start({ context, options, archive, turns });
    },
    receive,
    stop: () => undefined,
  });
}

function start(parts: Omit<LookParts, 'progress'>): Archiver {
  const { context, options } = parts;
  const progress = {
    archivedLsn: lsnZero,
    partialLsn: lsnZero,
    commitLsn: lsnZero,
    moved_ms: context.clock.monotonic_ms(),
    waits: 0,
    copies: options.copies,
  };
  const archiver: Archiver = {
    ...{ ...parts, progress },
    looking: Promise.resolve(),
    busy: true,
    woken: false,
    forgets: false,
    pause_ms: options.look_ms,
    trouble: null,
    halted: null,
  };
  context.onEnd(() => archiver.looking); // or it would store beside our successor
  context.after(0, { kind: 'lookDue' });
  return archiver;
}

function receive(context: ArchiverContext, archiver: Archiver, message: ArchiverMessage): void {
  switch (message.kind) {
    case 'copiesChanged':
      archiver.progress.copies = message.copies;
      return;
    case 'wake':
      onWake(context, archiver, message);
      return;
    case 'readArchived':
      void onReadArchived(context, archiver, message);
      return;
    case 'describeArchiver':
      context.answer(message, describe(archiver));
      return;
    case 'lookDue':
      onLookDue(context, archiver);
      return;
    case 'looked':
      onLooked(context, archiver, message);
      return;
    case 'lookFailed':
      onLookFailed(context, archiver, message);
      return;
    case 'forgetDue':
      onForgetDue(archiver);
      return;
    default:
      unreachable(message);
  }
}

function onWake(context: ArchiverContext, archiver: Archiver, asked: Wake): void {
  context.answer(asked, null);
  archiver.woken = true;
  if (archiver.busy || archiver.halted !== null) return;
  archiver.busy = true;
  context.after(archiver.options.look_ms, { kind: 'lookDue' });
}

/** Reads go on beside a look. */
async function onReadArchived(
  context: ArchiverContext,
  archiver: Archiver,
  asked: ReadArchived,
): Promise<void> {
  const { archive } = archiver;
  try {
    context.answer(asked, { bytes: await archive.read(asked.from, asked.size) });
  } catch (error) {
    context.refuse(asked, asFailure(error));
  }
  if (!archive.remembers || archiver.forgets) return;
  archiver.forgets = true;
  context.after(archiver.options.idle_ms, { kind: 'forgetDue' });
}

function onForgetDue(archiver: Archiver): void {
  archiver.forgets = false;
  archiver.archive.forget();
}

function onLookDue(context: ArchiverContext, archiver: Archiver): void {
  archiver.woken = false;
  archiver.looking = look(archiver).then(
    (resting) => {
      context.tell(context.self, { kind: 'looked', resting });
    },
    (error: unknown) => {
      const failure = failureToData(asFailure(error));
      context.tell(context.self, { kind: 'lookFailed', failure });
    },
  );
}

function onLooked(context: ArchiverContext, archiver: Archiver, { resting }: Looked): void {
  const { look_ms } = archiver.options;
  archiver.pause_ms = look_ms;
  archiver.trouble = null;
  archiver.busy = !resting || archiver.woken;
  if (archiver.busy) context.after(look_ms, { kind: 'lookDue' });
}

/** The store may be back soon, or late. What it has that differs stays so: then a person must look. */
function onLookFailed(context: ArchiverContext, archiver: Archiver, message: LookFailed): void {
  const failure = failureFromData(message.failure);
  const text = failure.message;
  if (failure.code === 'archive_differs' || failure.code === 'store_object_damaged') {
    archiver.halted = text;
    archiver.busy = false;
    context.log('error', 'WAL is archived and removed no more', { failure: text });
    return;
  }
  if (archiver.trouble !== text) context.log('warn', 'WAL is not archived', { failure: text });
  archiver.trouble = text;
  context.after(archiver.pause_ms, { kind: 'lookDue' });
  archiver.pause_ms = Math.min(2 * archiver.pause_ms, pauseMax_ms);
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('internal_error', { reason: String(error) }, error);
}

function describe({ progress, busy, trouble, halted }: Archiver): ArchiverDescription {
  const { archivedLsn, partialLsn } = progress;
  return { archivedLsn, partialLsn, resting: !busy, trouble, halted };
}
