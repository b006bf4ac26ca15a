/**
 * The Tablespace resource manager: refused. Everything lives in pg_default and pg_global, since a
 * tablespace is a directory outside the data directory.
 */
import { Failure } from '../../base/failure.ts';
import { builtinTablespaces } from '../relation-path.ts';
import { type WalRecord } from '../wal-record.ts';
import { unknownRecord, whereIs } from './record-failure.ts';
import { type IngestState } from './state.ts';

const createOp = 0x00;
const dropOp = 0x10;

/** Fails with `tablespace_unsupported` for a tablespace that somebody created. */
export function ensureOwnTablespace(tablespace: number, record: WalRecord): void {
  if (tablespace === builtinTablespaces.default || tablespace === builtinTablespaces.global) return;
  throw new Failure('tablespace_unsupported', { tablespace, ...whereIs(record) });
}

/** A drop is refused too: what it drops was never taken in. */
export function ingestTablespace(state: IngestState, record: WalRecord): void {
  const op = record.info & 0xf0;
  if (op !== createOp && op !== dropOp) throw unknownRecord(record);
  ensureOwnTablespace(state.data.open(record).u32(), record);
}
