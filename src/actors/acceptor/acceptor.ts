/**
 * Acceptor: one member of one timeline's WAL quorum.
 *
 * Owns:    the timeline's WAL segments, `acceptor.control` and `acceptor.position` on this host.
 * Serves:  the proposer (greet, vote, installTerm, appendWal), readers of committed WAL (readWal),
 *          and whoever creates timelines, changes their members or keeps segments elsewhere.
 * Promise: an answered append is on disk, and an answered vote is remembered.
 * Crash:   the next start reads it all back from disk; memory is not precious. What the disk has lost
 *          is lost: this member never comes back, and another joins in its place.
 * Never:   decides. Decisions are src/consensus/acceptor.ts's.
 */
import { unreachable } from '../../base/assert.ts';
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, lsn, lsnZero, minLsn, type Lsn } from '../../base/lsn.ts';
import {
  appendResult,
  configureResult,
  ensureMayLeave,
  greetingResult,
  noConfiguration,
  stepAppend,
  stepConfigure,
  stepElected,
  stepGreeting,
  stepStored,
  stepSynced,
  stepTruncated,
  stepVote,
  voteResult,
  type AcceptorDecision,
  type AcceptorEffect,
} from '../../consensus/acceptor.ts';
import { ensureSameTimeline } from '../../consensus/identity.ts';
import { cutHistory, termZero } from '../../consensus/term.ts';
import { type Disk } from '../../io/disk.ts';
import { isRecordPosition } from '../../postgres/wal-page.ts';
import { defineActor, type Behavior, type Context, type ResultOf } from '../../runtime/actor.ts';
import {
  answerArchived,
  copyArchived,
  firstReadable,
  isArchived,
  readArchivedRecords,
  type ArchivedReads,
} from './archived-reads.ts';
import { ArchiverAlarm } from './archiver-alarm.ts';
import { createStore, deleteStore, openStore, persist, type Store } from './store.ts';
import {
  type AcceptorDescription,
  type AcceptorMessage,
  type AcceptorOptions,
  type AppendWal,
  type AwaitCommit,
  type CopyWal,
  type CreateTimeline,
  type DescribeLog,
  type Greet,
  type InstallTerm,
  type JoinedLog,
  type JoinTimeline,
  type LeaveTimeline,
  type ReadWal,
  type RemoveWal,
  type Rest,
  type SetConfiguration,
  type Vote,
} from './protocol.ts';
import { WaitingReaders } from './waiting-readers.ts';

interface AcceptorShell {
  readonly disk: Disk;
  readonly options: AcceptorOptions;
  /** null before the log is begun here, after it was left, and when it is lost. */
  store: Store | null;
  /** Whether the log may be begun; once. */
  newborn: boolean;
  /** Appends stored and not yet answered. A `syncDue` is under way when there are any. */
  unanswered: AppendWal[];
  readonly readers: WaitingReaders;
  positionIsDue: boolean;
  readonly alarm: ArchiverAlarm;
  /** Nothing is appended: whatever opens a file closes it again. */
  resting: boolean;
}

const positionDelay_ms = 20;
/** So much committed WAL stays in memory for readers that are close behind. */
const recent_bytes = 2 * 2 ** 20;

type Shell = AcceptorShell;
type AcceptorContext = Context<AcceptorMessage>;

/** The acceptor, on a disk. */
export function acceptorOn(disk: Disk): Behavior<AcceptorMessage, AcceptorShell, AcceptorOptions> {
  return defineActor({
    name: 'acceptor',
    mailboxMax: 4_096,
    restart: 'permanent',
    start: (context, options) => start(context, disk, options),
    receive,
    stop,
  });
}

function start(context: AcceptorContext, disk: Disk, options: AcceptorOptions): Shell {
  const store = openStore(disk, options);
  const shell: Shell = {
    disk,
    options,
    store,
    newborn: options.newborn,
    unanswered: [],
    readers: new WaitingReaders(),
    positionIsDue: false,
    alarm: new ArchiverAlarm(options.archiver),
    resting: true,
  };
  context.onEnd(() => {
    closeFiles(shell);
  });
  closeFiles(shell);
  return shell;
}

function receive(context: AcceptorContext, shell: Shell, message: AcceptorMessage): void {
  try {
    handle(context, shell, message);
  } finally {
    if (shell.resting) closeFiles(shell);
  }
}

function handle(context: AcceptorContext, shell: Shell, message: AcceptorMessage): void {
  switch (message.kind) {
    case 'createTimeline':
      onCreateTimeline(context, shell, message);
      return;
    case 'joinTimeline':
      onJoinTimeline(context, shell, message);
      return;
    case 'describeLog':
      onDescribeLog(context, shell, message);
      return;
    case 'greet':
      onGreet(context, shell, message);
      return;
    case 'vote':
      onVote(context, shell, message);
      return;
    case 'installTerm':
      onInstallTerm(context, shell, message);
      return;
    case 'appendWal':
      onAppendWal(context, shell, message);
      return;
    case 'setConfiguration':
      onSetConfiguration(context, shell, message);
      return;
    case 'leaveTimeline':
      onLeaveTimeline(context, shell, message);
      return;
    case 'readWal':
      onReadWal(context, shell, message);
      return;
    case 'awaitCommit':
      onAwaitCommit(context, shell, message);
      return;
    case 'copyWal':
      onCopyWal(context, shell, message);
      return;
    case 'removeWal':
      onRemoveWal(context, shell, message);
      return;
    case 'describeAcceptor':
      context.answer(message, describe(shell));
      return;
    case 'rest':
      onRest(context, shell, message);
      return;
    case 'syncDue':
      sync(context, shell);
      return;
    case 'positionDue':
      onPositionDue(shell);
      return;
    default:
      unreachable(message);
  }
}

function stop(context: AcceptorContext, shell: Shell): void {
  const { store } = shell;
  if (store === null) return;
  sync(context, shell);
  notePosition(shell);
  persist(store);
}

function onCreateTimeline(context: AcceptorContext, shell: Shell, asked: CreateTimeline): void {
  const { startLsn, lastRecordStart, major, systemId, segmentSize, head } = asked;
  const identity = { timeline: shell.options.timeline, major, systemId, segmentSize, startLsn };
  const history = [{ term: termZero, start: startLsn }];
  begin(shell, { identity, beginLsn: startLsn, lastRecordStart, history, head });
  const { startLsn: begun } = storeOf(shell).identity;
  ensure(begun === startLsn, 'acceptor_exists', { start: formatLsn(begun) });
  context.answer(asked, null);
}

function onJoinTimeline(context: AcceptorContext, shell: Shell, asked: JoinTimeline): void {
  const { acceptor: own } = shell.options;
  ensure(asked.to === own, 'acceptor_of_another_member', { own, asked: asked.to });
  begin(shell, asked.log);
  ensureSameTimeline(storeOf(shell).identity, asked.log.identity);
  context.answer(asked, null);
}

function begin(shell: Shell, log: JoinedLog): void {
  const { disk, options, store, newborn } = shell;
  if (store !== null) return;
  const { acceptor, timeline } = options;
  ensure(newborn, 'acceptor_lost', { acceptor, timeline });
  shell.store = createStore(disk, options, log);
  shell.newborn = false;
}

function onDescribeLog(context: AcceptorContext, shell: Shell, asked: DescribeLog): void {
  const store = storeOf(shell);
  answerStored(context, asked, () => joinedLog(store));
}

function joinedLog({ identity, log, core }: Store): JoinedLog {
  const { end: beginLsn, start: lastRecordStart } = log.oldestPosition(identity.startLsn);
  const head = log.copy(log.firstLsn, beginLsn - log.firstLsn);
  const history = cutHistory(core.history, beginLsn);
  return { identity, beginLsn, lastRecordStart, history, head };
}

function onGreet(context: AcceptorContext, shell: Shell, asked: Greet): void {
  const store = storeOf(shell);
  perform(store, stepGreeting(store.core, asked));
  context.answer(asked, greetingResult(store.core));
}

function onVote(context: AcceptorContext, shell: Shell, asked: Vote): void {
  const store = storeOf(shell);
  sync(context, shell);
  const before = store.core;
  perform(store, stepVote(before, asked));
  context.answer(asked, voteResult(before, store.core, firstReadable(store)));
}

function onSetConfiguration(context: AcceptorContext, shell: Shell, asked: SetConfiguration): void {
  const store = storeOf(shell);
  sync(context, shell);
  perform(store, stepConfigure(store.core, asked));
  context.answer(asked, configureResult(store.core, firstReadable(store)));
}

/** Whoever waits for WAL here gets none: it reads from another member. */
function onLeaveTimeline(context: AcceptorContext, shell: Shell, asked: LeaveTimeline): void {
  const { store, readers } = shell;
  if (store !== null) {
    ensureMayLeave(store.core, asked);
    sync(context, shell);
    shell.store = null;
    for (const waiting of readers.take(() => true)) context.refuse(waiting, missing(shell));
    deleteStore(store);
  }
  context.answer(asked, null);
}

function onInstallTerm(context: AcceptorContext, shell: Shell, asked: InstallTerm): void {
  const store = storeOf(shell);
  sync(context, shell);
  perform(store, stepElected(store.core, asked));
  context.answer(asked, appendResult(store.core));
}

function onAppendWal(context: AcceptorContext, shell: Shell, asked: AppendWal): void {
  const store = storeOf(shell);
  const { commitLsn } = store.core;
  shell.resting = false;
  shell.alarm.ring(context);
  const last = perform(store, stepAppend(store.core, asked));
  if (last === 'answerWhenSynced') {
    shell.unanswered.push(asked);
    if (shell.unanswered.length === 1) context.after(0, { kind: 'syncDue' });
    return;
  }
  context.answer(asked, appendResult(store.core));
  if (store.core.commitLsn > commitLsn) committed(context, shell, store);
}

/** One sync for all that was stored meanwhile, then the answers. */
function sync(context: AcceptorContext, shell: Shell): void {
  const { store, unanswered } = shell;
  if (store === null || unanswered.length === 0) return;
  shell.unanswered = [];
  const { commitLsn } = store.core;
  store.log.sync();
  store.core = stepSynced(store.core);
  const result = appendResult(store.core);
  for (const asked of unanswered) context.answer(asked, result);
  if (store.core.commitLsn > commitLsn) committed(context, shell, store);
  if (shell.positionIsDue) return;
  shell.positionIsDue = true;
  context.after(positionDelay_ms, { kind: 'positionDue' });
}

/** Not at every sync: a commit would wait for one more write. */
function onPositionDue(shell: Shell): void {
  if (shell.positionIsDue) notePosition(shell);
}

function notePosition(shell: Shell): void {
  const { store } = shell;
  shell.positionIsDue = false;
  store?.position.write(store.core.flushLsn, store.core.commitLsn);
}

/** More is committed: readers get it, and scans at start can begin later. */
function committed(context: AcceptorContext, shell: Shell, store: Store): void {
  const ready = shell.readers.take((asked) => {
    return asked.kind === 'readWal' ? canRead(store, asked) : asked.at <= store.core.commitLsn;
  });
  for (const asked of ready) answerWaiting(context, store, asked);
  store.log.forgetBelow(lsn(Math.max(0, store.core.commitLsn - recent_bytes)));
  moveAnchor(store);
}

/** The newest known record end that is committed becomes the anchor. */
function moveAnchor(store: Store): void {
  const { log, core, identity } = store;
  const end = { end: log.recordEnd, start: log.lastRecordStart };
  const flushed = end.end === core.flushLsn;
  if (flushed && end.end <= core.commitLsn) store.candidate = end;
  if (store.candidate.end > core.commitLsn) return;
  log.moveAnchor(store.candidate);
  if (flushed) store.candidate = end;
  if (log.anchor.end - store.persistedAnchorLsn >= identity.segmentSize) persist(store);
}

function onReadWal(context: AcceptorContext, shell: Shell, asked: ReadWal): void {
  const store = storeOf(shell);
  const { segmentSize } = store.identity;
  const { from, reader } = asked;
  ensure(isRecordPosition(from, segmentSize), 'wal_position_invalid', { from: formatLsn(from) });
  if (reader === null || canRead(store, asked)) serve(context, store, asked);
  else wait(context, shell, reader, asked);
}

function onAwaitCommit(context: AcceptorContext, shell: Shell, asked: AwaitCommit): void {
  const { commitLsn } = storeOf(shell).core;
  if (asked.at <= commitLsn) context.answer(asked, { commitLsn });
  else wait(context, shell, asked.reader, asked);
}

function wait(
  context: AcceptorContext,
  shell: Shell,
  reader: string,
  asked: ReadWal | AwaitCommit,
): void {
  const instead = shell.readers.add(reader, asked);
  if (instead !== null) answerWaiting(context, storeOf(shell), instead);
}

/** With whatever there is now. */
function answerWaiting(context: AcceptorContext, store: Store, asked: ReadWal | AwaitCommit): void {
  if (asked.kind === 'readWal') serve(context, store, asked);
  else context.answer(asked, { commitLsn: store.core.commitLsn });
}

/** Whether there is something to answer: bytes, or a refusal. */
function canRead(store: Store, asked: ReadWal): boolean {
  return asked.from < readLimit(store, asked) || isFenced(store, asked);
}

function readLimit({ core }: Store, { term }: ReadWal): Lsn {
  return term === null ? core.commitLsn : core.flushLsn;
}

function isFenced({ core }: Store, { term }: ReadWal): boolean {
  return term !== null && term !== core.term;
}

function serve(context: AcceptorContext, store: Store, asked: ReadWal): void {
  if (isArchived(store, asked.from) && !isFenced(store, asked)) {
    answerArchived(context, asked, readArchivedRecords(archived(context, store), asked));
    return;
  }
  answerStored(context, asked, () => {
    const bytes = readRecords(store, asked);
    return { begin: asked.from, bytes, commitLsn: store.core.commitLsn };
  });
}

/** Damage found while reading is the reader's news: the log still takes appends. */
function answerStored<Asked extends ReadWal | DescribeLog>(
  context: AcceptorContext,
  asked: Asked,
  read: () => ResultOf<Asked>,
): void {
  try {
    context.answer(asked, read());
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    context.log('error', 'stored WAL cannot be served', failure.values);
    context.refuse(asked, failure);
  }
}

function readRecords(store: Store, asked: ReadWal): Uint8Array {
  ensure(!isFenced(store, asked), 'proposer_fenced', { term: asked.term });
  const limit = readLimit(store, asked);
  if (asked.from >= limit) return new Uint8Array(0);
  return store.log.readRecords(asked.from, asked.bytesMax, limit);
}

function onCopyWal(context: AcceptorContext, shell: Shell, asked: CopyWal): void {
  const store = storeOf(shell);
  const { log, core } = store;
  const end = lsn(asked.from + asked.size);
  ensure(end <= core.commitLsn, 'wal_not_yet_written', {
    end: formatLsn(end),
    commit: formatLsn(core.commitLsn),
  });
  if (!isArchived(store, asked.from)) {
    context.answer(asked, { bytes: log.copy(asked.from, asked.size) });
    return;
  }
  answerArchived(context, asked, copyArchived(archived(context, store), asked));
}

function archived(context: AcceptorContext, store: Store): ArchivedReads {
  return { context, store, archiver: context.ref(store.options.archiver!) };
}

function onRemoveWal(context: AcceptorContext, shell: Shell, asked: RemoveWal): void {
  const store = storeOf(shell);
  const { configuration, commitLsn, truncateLsn } = store.core;
  ensure(asked.below <= commitLsn, 'wal_not_yet_written', {
    below: formatLsn(asked.below),
    commit: formatLsn(commitLsn),
  });
  persist(store); // a start scans from the anchor on disk, which must not lie below
  // Without an archiver, members that lag get from each other what they lack, or not at all.
  const below = shell.options.archiver === null ? minLsn(asked.below, truncateLsn) : asked.below;
  if (configuration.newMembers === null) store.log.removeBelow(below);
  context.answer(asked, { keptLsn: store.log.firstLsn });
}

function onRest(context: AcceptorContext, shell: Shell, asked: Rest): void {
  const { core } = storeOf(shell);
  const quiet = shell.unanswered.length === 0 && core.commitLsn === asked.commitLsn;
  if (quiet && !shell.resting) {
    notePosition(shell);
    shell.resting = true;
    shell.alarm.rest();
  }
  context.answer(asked, { resting: shell.resting });
}

function closeFiles({ store }: Shell): void {
  store?.log.close();
  store?.position.close();
}

/** Does what was decided, in order, and adopts the new state. Returns the last effect. */
function perform(store: Store, { state, effects }: AcceptorDecision): AcceptorEffect['kind'] {
  const { log } = store;
  let next = state;
  for (const effect of effects) {
    switch (effect.kind) {
      case 'persist':
        persist({ ...store, core: next });
        break;
      case 'truncateWal':
        truncate(store, effect.end);
        next = { ...next, lastRecordStart: log.lastRecordStart };
        break;
      case 'writeWal':
        log.append(effect.bytes);
        next = stepStored(next, log.recordEnd, log.lastRecordStart);
        break;
      case 'answer':
      case 'answerWhenSynced':
        break; // the caller's
      default:
        unreachable(effect);
    }
  }
  store.core = next;
  return effects.at(-1)!.kind;
}

/** The position file says so first: a start must not miss what is cut here. */
function truncate(store: Store, end: Lsn): void {
  const { log, position, core } = store;
  if (end < core.flushLsn) position.lower(end, core.commitLsn);
  log.truncate(end);
  store.candidate = { end, start: log.lastRecordStart };
  store.core = stepTruncated(core, end, log.lastRecordStart);
}

function storeOf(shell: Shell): Store {
  if (shell.store === null) throw missing(shell);
  return shell.store;
}

function missing({ options }: Shell): Failure {
  const { acceptor, timeline } = options;
  return new Failure('acceptor_missing', { acceptor, timeline });
}

function describe(shell: Shell): AcceptorDescription {
  const { store, options } = shell;
  const created = store !== null;
  if (!created) return { ...nothing, acceptor: options.acceptor };
  const { core, identity, log } = store;
  return {
    acceptor: options.acceptor,
    created,
    configuration: core.configuration,
    term: core.term,
    history: core.history,
    startLsn: identity.startLsn,
    firstLsn: firstReadable(store),
    keptLsn: log.firstLsn,
    flushLsn: core.flushLsn,
    lastRecordStart: core.lastRecordStart,
    commitLsn: core.commitLsn,
    truncateLsn: core.truncateLsn,
    major: identity.major,
    systemId: identity.systemId,
    segmentSize: identity.segmentSize,
  };
}

const nothing: AcceptorDescription = {
  acceptor: '',
  created: false,
  configuration: noConfiguration,
  term: termZero,
  history: [],
  startLsn: lsnZero,
  firstLsn: lsnZero,
  keptLsn: lsnZero,
  flushLsn: lsnZero,
  lastRecordStart: lsnZero,
  commitLsn: lsnZero,
  truncateLsn: lsnZero,
  major: 0,
  systemId: '',
  segmentSize: 0,
};
