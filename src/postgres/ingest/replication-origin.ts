/**
 * The ReplicationOrigin resource manager: how far a subscriber has applied each origin
 * (src/backend/replication/logical/origin.c).
 *
 * Postgres keeps this in a file it writes at checkpoints; losing it would make a subscription apply
 * transactions twice. It is stored per origin, as an auxFile key: class `originClass` in the
 * tablespace field, the origin's id in the relation field; value: the origin's LSN, 8 bytes.
 */
import { keyKinds, makeKey, type Key } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { lsnField } from '../../base/struct.ts';
import { type WalRecord } from '../wal-record.ts';
import { unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';

/** The `tablespace` of auxFile keys that hold an origin's progress. */
export const originClass = 1;

const ops: Readonly<Partial<Record<number, Effect>>> = { 0x00: set, 0x10: drop };
const nothing = new Uint8Array(0);

export function ingestReplicationOrigin(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

/** `replorigin_advance`: progress never goes back. */
export function advanceOrigin(state: IngestState, at: Lsn, origin: number, remote: Lsn): void {
  const known = state.tip.get(originKey(state, origin));
  if (known !== null && known.length > 0 && originProgress(known) >= remote) return;
  putProgress(state, at, origin, remote);
}

/** Reads an origin's value that is not empty. */
export function originProgress(value: Uint8Array): Lsn {
  return lsnField.read(new DataView(value.buffer, value.byteOffset, value.length), 0);
}

/** `XLOG_REPLORIGIN_SET`; only a forced one may go back. */
function set(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const remote = data.lsn();
  const origin = data.u16();
  const force = data.u8() !== 0;
  if (force) putProgress(state, record.end, origin, remote);
  else advanceOrigin(state, record.end, origin, remote);
}

function drop(state: IngestState, record: WalRecord): void {
  const origin = state.data.open(record).u16();
  state.tip.put(originKey(state, origin), record.end, true, nothing);
}

function putProgress(state: IngestState, at: Lsn, origin: number, remote: Lsn): void {
  const value = state.scratch.take(lsnField.size);
  lsnField.write(state.scratch.view, 0, remote);
  state.tip.put(originKey(state, origin), at, true, value);
}

function originKey(state: IngestState, origin: number): Key {
  return makeKey(state.tip.families.id(keyKinds.auxFile, originClass, 0, origin, 0), 0);
}
