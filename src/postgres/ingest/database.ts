/**
 * The Database resource manager: databases are made, by copying files or block by block, and dropped
 * (`dbase_redo`, src/backend/commands/dbcommands.c).
 */
import { keyFamily, keyKinds, makeKey, type FamilyId, type Key } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { pageSize } from '../page.ts';
import { ImageValue } from '../wal-image.ts';
import { valueTags } from '../page-value.ts';
import { type WalRecord } from '../wal-record.ts';
import { ensureOwnTablespace } from './tablespace.ts';
import { unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';

const ops: Readonly<Partial<Record<number, Effect>>> = {
  0x00: createByFileCopy,
  0x10: createByWalLog,
  0x20: drop,
};
const nothing = new Uint8Array(0);
const oidSize = 4;

/** A database's directory. */
interface Place {
  readonly database: number;
  readonly tablespace: number;
}

export function ingestDatabase(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

/**
 * `XLOG_DBASE_CREATE_FILE_COPY`: the record names a template and nothing else, so the copy is made
 * here, of what the template is at this record. Postgres flushes it first, so nothing newer is lost.
 */
function createByFileCopy(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const target = { database: data.u32(), tablespace: data.u32() };
  const source = { database: data.u32(), tablespace: data.u32() };
  ensureOwnTablespace(target.tablespace, record);
  ensureOwnTablespace(source.tablespace, record);

  const sizes = [...state.tip.liveKeys(keyKinds.relationSize, source.tablespace, source.database)];
  dropPlace(state, record.end, target);
  copyValue(state, record.end, keyKinds.database, source, target);
  copyValue(state, record.end, keyKinds.relationMap, source, target);
  for (const size of sizes) copyFork(state, record.end, keyFamily(size), target);
}

/** `XLOG_DBASE_CREATE_WAL_LOG`: only the directory; its content follows in records of its own. */
function createByWalLog(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const place = { database: data.u32(), tablespace: data.u32() };
  ensureOwnTablespace(place.tablespace, record);
  const version = new TextEncoder().encode(`${state.major}\n`);
  state.tip.put(placeKey(state, keyKinds.database, place), record.end, true, version);
}

function drop(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const database = data.u32();
  const tablespaces = data.skipCounted(oidSize);
  for (let each = 0; each < record.view.getInt32(tablespaces, true); each += 1) {
    const tablespace = record.view.getUint32(tablespaces + oidSize * (each + 1), true);
    dropPlace(state, record.end, { database, tablespace });
  }
}

function dropPlace(state: IngestState, at: Lsn, place: Place): void {
  const { tablespace, database } = place;
  for (const size of [...state.tip.liveKeys(keyKinds.relationSize, tablespace, database)]) {
    state.blocks.drop(blockFamily(state, keyFamily(size), place), at);
  }
  for (const kind of [keyKinds.database, keyKinds.relationMap]) {
    const key = placeKey(state, kind, place);
    const value = state.tip.get(key);
    if (value !== null && value.length > 0) state.tip.put(key, at, true, nothing);
  }
}

/** Pages keep the LSNs they have in the template, as copied files do. */
function copyFork(state: IngestState, at: Lsn, size: FamilyId, target: Place): void {
  const { tablespace, database } = state.tip.families.family(size);
  const source = blockFamily(state, size, { tablespace, database });
  const copy = blockFamily(state, size, target);
  state.blocks.create(copy, at);
  for (let block = 0; block < state.blocks.size(source); block += 1) {
    const page = state.tip.page(makeKey(source, block));
    if (page === null) state.blocks.zero(copy, at, block);
    else state.blocks.put(copy, block, at, true, imageOf(state, page));
  }
}

function imageOf(state: IngestState, page: Uint8Array): Uint8Array {
  const value = state.scratch.take(ImageValue.size + pageSize);
  value.fill(0, 0, ImageValue.size);
  ImageValue.tag.set(state.scratch.view, 0, valueTags.image);
  value.set(page, ImageValue.size);
  return value;
}

// eslint-disable-next-line max-params -- from where to where
function copyValue(
  state: IngestState,
  at: Lsn,
  kind: PlaceKind,
  source: Place,
  target: Place,
): void {
  const value = state.tip.get(placeKey(state, kind, source));
  if (value === null) return;
  const copy = state.scratch.take(value.length);
  copy.set(value);
  state.tip.put(placeKey(state, kind, target), at, true, copy);
}

type PlaceKind = typeof keyKinds.database | typeof keyKinds.relationMap;

function placeKey(state: IngestState, kind: PlaceKind, place: Place): Key {
  return makeKey(state.tip.families.id(kind, place.tablespace, place.database, 0, 0), 0);
}

/** The blocks that belong to a size, in the same or another database. */
function blockFamily(state: IngestState, size: FamilyId, place: Place): FamilyId {
  const { relation, fork } = state.tip.families.family(size);
  const { tablespace, database } = place;
  return state.tip.families.id(keyKinds.relationBlock, tablespace, database, relation, fork);
}
