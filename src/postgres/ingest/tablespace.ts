/**
 * The Tablespace resource manager: refused. Everything lives in pg_default and pg_global, since a
 * tablespace is a directory outside the data directory.
 */
import { Failure, ensure } from '../../base/failure.ts';
import { type WalRecord } from '../wal-record.ts';
import { type IngestState, unknownRecord, whereIs } from './state.ts';

/** `DEFAULTTABLESPACE_OID` and `GLOBALTABLESPACE_OID` (src/include/catalog/pg_tablespace.dat). */
export const tablespaces = { default: 1_663, global: 1_664 } as const;

const createOp = 0x00;
const dropOp = 0x10;

/** Fails with `tablespace_unsupported` for a tablespace that somebody created. */
export function ensureOwnTablespace(tablespace: number, record: WalRecord): void {
  if (tablespace === tablespaces.default || tablespace === tablespaces.global) return;
  throw new Failure('tablespace_unsupported', { tablespace, ...whereIs(record) });
}

/** A drop is refused too: what it drops was never taken in. */
export function ingestTablespace(state: IngestState, record: WalRecord): void {
  const op = record.info & 0xf0;
  if (op !== createOp && op !== dropOp) throw unknownRecord(record);
  const tablespace = state.data.open(record).u32();
  ensure(false, 'tablespace_unsupported', { tablespace, ...whereIs(record) });
}
