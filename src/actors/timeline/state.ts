/**
 * State: everything but pages that a compute needs to know of a timeline at an LSN.
 */
import { ensure } from '../../base/failure.ts';
import {
  keyBlock,
  keyFamily,
  keyKinds,
  makeKey,
  type KeyFamily,
  type KeyKind,
} from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { type KeyRange } from '../../layers/key-range.ts';
import { originClass, originProgress } from '../../postgres/ingest/replication-origin.ts';
import { type OriginProgress } from '../../postgres/replication-origins.ts';
import {
  type DatabaseState,
  type PreparedTransaction,
  type RelationState,
  type SlruState,
  type TimelineState,
} from './protocol.ts';
import { type TimelineStore } from './store.ts';

export type StateParts = Omit<TimelineState, 'at' | 'lastRecordStart'>;

const none = { tablespace: 0, database: 0, relation: 0, fork: 0 };
const twoPow32 = 2 ** 32;

/** Fails with `timeline_state_missing` when the timeline lacks what every cluster has. */
export function describeState(store: TimelineStore, at: Lsn): StateParts {
  return {
    controlFile: single(store, keyKinds.controlFile, at),
    checkpoint: single(store, keyKinds.checkpoint, at),
    databases: databases(store, at),
    relations: collect(store, keyKinds.relationSize, at, relation),
    slruSegments: collect(store, keyKinds.slruSize, at, slruSegment),
    preparedTransactions: collect(store, keyKinds.twoPhase, at, preparedTransaction),
    replicationOrigins: replicationOrigins(store, at),
  };
}

/** Every database, and the shared catalogs as database 0. */
function databases(store: TimelineStore, at: Lsn): DatabaseState[] {
  const versions = collect(store, keyKinds.database, at, (family, _block, value) => {
    return { place: placeOf(family), value: value.slice() };
  });
  const maps = collect(store, keyKinds.relationMap, at, (family, _block, value) => {
    return { place: placeOf(family), value: value.slice() };
  });
  const versionOf = new Map(versions.map(({ place, value }) => [placeName(place), value]));
  return maps
    .filter(({ place }) => place.database === 0 || versionOf.has(placeName(place)))
    .map(({ place, value: relationMap }) => {
      const version = versionOf.get(placeName(place)) ?? new Uint8Array(0);
      return { ...place, version, relationMap };
    });
}

function relation(family: KeyFamily, _block: number, value: Uint8Array): RelationState {
  const { tablespace, database, relation: number, fork } = family;
  return { tablespace, database, relation: number, fork, blocks: readU32(value) };
}

function slruSegment(family: KeyFamily, _block: number, value: Uint8Array): SlruState {
  return { slru: family.tablespace, segment: family.relation, blocks: readU32(value) };
}

function preparedTransaction(
  family: KeyFamily,
  block: number,
  value: Uint8Array,
): PreparedTransaction {
  return { xid: family.relation * twoPow32 + block, bytes: value.slice() };
}

function replicationOrigins(store: TimelineStore, at: Lsn): OriginProgress[] {
  const found = collect(store, keyKinds.auxFile, at, ({ tablespace, relation }, _block, value) =>
    tablespace === originClass ? { origin: relation, remote: originProgress(value) } : null,
  );
  return found.filter((one) => one !== null);
}

function collect<T>(
  store: TimelineStore,
  kind: KeyKind,
  at: Lsn,
  describe: (family: KeyFamily, block: number, value: Uint8Array) => T,
): T[] {
  const found: T[] = [];
  store.visitValues(kindRange(kind), at, (key, value) => {
    found.push(describe(store.families.family(keyFamily(key)), keyBlock(key), value));
  });
  return found;
}

function single(store: TimelineStore, kind: KeyKind, at: Lsn): Uint8Array {
  const value = store.valueAt(makeKey(store.families.idOf({ kind, ...none }), 0), at);
  ensure(value !== null && value.length > 0, 'timeline_state_missing', { kind });
  return value.slice();
}

/** Every key of a kind. */
function kindRange(kind: KeyKind): KeyRange {
  const end = (kind + 1) as KeyKind;
  return {
    begin: { family: { kind, ...none }, block: 0 },
    end: { family: { kind: end, ...none }, block: 0 },
  };
}

function placeOf({ tablespace, database }: KeyFamily): { tablespace: number; database: number } {
  return { tablespace, database };
}

function placeName({ tablespace, database }: { tablespace: number; database: number }): string {
  return `${tablespace}/${database}`;
}

function readU32(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}
