/**
 * Store: everything an acceptor has on disk, opened: its control file, position file and log.
 */
import { assert } from '../../base/assert.ts';
import { ensure } from '../../base/failure.ts';
import { formatLsn, maxLsn, type Lsn } from '../../base/lsn.ts';
import { newAcceptor, type AcceptorState } from '../../consensus/acceptor.ts';
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
import { type AcceptorOptions, type CreateTimeline } from './protocol.ts';
import { WalLog, type RecordPosition } from './wal-log.ts';

export interface Store {
  readonly disk: Disk;
  readonly options: AcceptorOptions;
  readonly identity: {
    readonly major: number;
    readonly systemId: string;
    readonly segmentSize: number;
  };
  readonly log: WalLog;
  readonly position: PositionFile;
  core: AcceptorState;
  /** A record's end on disk that becomes the log's anchor once it is committed. */
  candidate: RecordPosition;
  persistedAnchorLsn: Lsn;
}

/** Opens what is on disk and finds the log's end, or null when no timeline was created here. */
export function openStore(disk: Disk, options: AcceptorOptions): Store | null {
  const path = `${options.directory}/${controlFileName}`;
  const bytes = readWholeFile(disk, path);
  if (bytes === null) return null;
  const control = decodeControl(bytes, path);
  const { major, systemId, segmentSize } = control;
  const identity = { major, systemId, segmentSize };
  const anchor = { end: control.anchorLsn, start: control.anchorRecordStart };
  const format = { ...identity, startLsn: control.startLsn };
  const log = new WalLog(disk, walDirectory(options), format, anchor);
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
  return { disk, options, identity, log, position, core, candidate: end, persistedAnchorLsn };
}

/** Begins a timeline: its first segment, then the control file that makes it exist. */
export function createStore(disk: Disk, options: AcceptorOptions, born: CreateTimeline): Store {
  const { startLsn, lastRecordStart, major, systemId, segmentSize, head } = born;
  ensure(head.length === startLsn % walPageSize, 'wal_position_invalid', {
    start: formatLsn(startLsn),
    head: head.length,
  });
  const identity = { major, systemId, segmentSize };
  const anchor = { end: startLsn, start: lastRecordStart };
  disk.makeDirectory(options.directory);
  const log = new WalLog(disk, walDirectory(options), { ...identity, startLsn }, anchor);
  log.writeHead(head);
  const core = newAcceptor({ acceptor: options.acceptor, startLsn, lastRecordStart });
  const position = openPosition(disk, options);
  position.write(core.flushLsn, core.commitLsn);
  const persistedAnchorLsn = anchor.end;
  const store = {
    disk,
    options,
    identity,
    log,
    position,
    core,
    candidate: anchor,
    persistedAnchorLsn,
  };
  persist(store);
  return store;
}

/** Replaces the control file by what is in memory. */
export function persist(store: Store): void {
  const { disk, options, identity, log, core } = store;
  const { configuration, term, history, startLsn, commitLsn, truncateLsn } = core;
  assert(log.anchor.end <= commitLsn, 'an anchor is committed');
  const record: ControlRecord = {
    acceptor: options.acceptor,
    timeline: options.timeline,
    ...identity,
    configuration,
    term,
    history,
    startLsn,
    anchorLsn: log.anchor.end,
    anchorRecordStart: log.anchor.start,
    commitLsn,
    truncateLsn,
  };
  replaceFile(disk, options.directory, controlFileName, encodeControl(record));
  store.persistedAnchorLsn = log.anchor.end;
}

function restored(control: ControlRecord, end: RecordPosition, commitLsn: Lsn): AcceptorState {
  const { acceptor, configuration, term, history, startLsn, truncateLsn } = control;
  return {
    acceptor,
    configuration,
    term,
    history,
    startLsn,
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
