/**
 * Store: everything an acceptor has on disk, opened: its control file, position file and log.
 */
import { assert } from '../../base/assert.ts';
import { ensure } from '../../base/failure.ts';
import { formatLsn, lsn, maxLsn, type Lsn } from '../../base/lsn.ts';
import { newAcceptor, type AcceptorState } from '../../consensus/acceptor.ts';
import { ensureSameTimeline, type TimelineIdentity } from '../../consensus/identity.ts';
import { readWholeFile, replaceFile, type Disk } from '../../io/disk.ts';
import { walPageSize } from '../../postgres/wal-page.ts';
import {
  controlFileName,
  decodeControl,
  encodeControl,
  PositionFile,
  positionFileName,
  type ControlRecord,
} from './control-file.ts';
import { type AcceptorOptions, type JoinedLog } from './protocol.ts';
import { WalLog, type RecordPosition } from './wal-log.ts';

export interface Store {
  readonly disk: Disk;
  readonly options: AcceptorOptions;
  readonly identity: TimelineIdentity;
  /** Start of the page below which nothing was ever stored here. */
  readonly headLsn: Lsn;
  readonly log: WalLog;
  readonly position: PositionFile;
  core: AcceptorState;
  /** A record's end on disk that becomes the log's anchor once it is committed. */
  candidate: RecordPosition;
  persistedAnchorLsn: Lsn;
}

/**
 * Opens what is on disk and finds the log's end, or null when no log was begun here. Fails with
 * `acceptor_of_another_member` when it is not this member's.
 */
export function openStore(disk: Disk, options: AcceptorOptions): Store | null {
  const path = `${options.directory}/${controlFileName}`;
  const bytes = readWholeFile(disk, path);
  if (bytes === null) return null;
  const control = decodeControl(bytes, path);
  const { acceptor, identity, headLsn } = control;
  ensure(acceptor === options.acceptor, 'acceptor_of_another_member', {
    own: acceptor,
    asked: options.acceptor,
    path,
  });
  const anchor = { end: control.anchorLsn, start: control.anchorRecordStart };
  const log = new WalLog(disk, walDirectory(options), { ...identity, headLsn }, anchor);
  const position = openPosition(disk, options);
  const known = position.read();
  const commitLsn = maxLsn(control.commitLsn, known?.commitLsn ?? control.commitLsn);
  const flushedLsn = maxLsn(commitLsn, known?.flushLsn ?? commitLsn);
  log.scan();
  ensure(log.recordEnd >= flushedLsn, 'acceptor_wal_damaged', {
    path: walDirectory(options),
    found: formatLsn(log.recordEnd),
    expected: formatLsn(flushedLsn),
  });
  log.truncate(log.recordEnd);
  const end = { end: log.recordEnd, start: log.lastRecordStart };
  const core = restored(control, end, commitLsn);
  const persistedAnchorLsn = anchor.end;
  const begun = { disk, options, identity, headLsn, log, position };
  return { ...begun, core, candidate: end, persistedAnchorLsn };
}

/** Begins a log: its first segment, then the control file that makes it exist. */
export function createStore(disk: Disk, options: AcceptorOptions, begun: JoinedLog): Store {
  const { identity, beginLsn, lastRecordStart, head } = begun;
  const headLsn = lsn(beginLsn - head.length);
  ensure(headLsn % walPageSize === 0, 'wal_position_invalid', {
    begin: formatLsn(beginLsn),
    head: head.length,
  });
  ensureSameTimeline({ ...identity, timeline: options.timeline }, identity);
  const anchor = { end: beginLsn, start: lastRecordStart };
  disk.makeDirectory(options.directory);
  removeFiles(disk, options);
  const log = new WalLog(disk, walDirectory(options), { ...identity, headLsn }, anchor);
  log.writeHead(head);
  const core = newAcceptor(options.acceptor, begun);
  const position = openPosition(disk, options);
  position.write(core.flushLsn, core.commitLsn);
  const persistedAnchorLsn = anchor.end;
  const kept = { disk, options, identity, headLsn, log, position };
  const store = { ...kept, core, candidate: anchor, persistedAnchorLsn };
  persist(store);
  return store;
}

/** Deletes a log. Without its control file it does not exist: what a crash leaves is nobody's. */
export function deleteStore({ disk, options, log, position }: Store): void {
  log.close();
  position.close();
  disk.remove(`${options.directory}/${controlFileName}`);
  disk.syncDirectory(options.directory);
  removeFiles(disk, options);
}

/** What is left of a log without a control file. */
function removeFiles(disk: Disk, options: AcceptorOptions): void {
  disk.remove(`${options.directory}/${positionFileName}`);
  const wal = walDirectory(options);
  for (const name of disk.list(wal)) disk.remove(`${wal}/${name}`);
}

/** Replaces the control file by what is in memory. */
export function persist(store: Store): void {
  const { disk, options, identity, headLsn, log, core } = store;
  const { configuration, term, history, commitLsn, truncateLsn } = core;
  assert(log.anchor.end <= commitLsn, 'an anchor is committed');
  const record: ControlRecord = {
    acceptor: options.acceptor,
    identity,
    configuration,
    term,
    history,
    headLsn,
    anchorLsn: log.anchor.end,
    anchorRecordStart: log.anchor.start,
    commitLsn,
    truncateLsn,
  };
  replaceFile(disk, options.directory, controlFileName, encodeControl(record));
  store.persistedAnchorLsn = log.anchor.end;
}

function restored(control: ControlRecord, end: RecordPosition, commitLsn: Lsn): AcceptorState {
  const { acceptor, identity, configuration, term, history, truncateLsn } = control;
  return {
    acceptor,
    identity,
    configuration,
    term,
    history,
    writeLsn: end.end,
    recordLsn: end.end,
    flushLsn: end.end,
    lastRecordStart: end.start,
    commitLsn,
    announcedLsn: commitLsn,
    truncateLsn,
  };
}

function openPosition(disk: Disk, { directory }: AcceptorOptions): PositionFile {
  return new PositionFile(disk, `${directory}/${positionFileName}`);
}

function walDirectory({ directory }: AcceptorOptions): string {
  return `${directory}/wal`;
}
