/**
 * The RelationMap resource manager: which files the mapped catalogs of a database are in
 * (`relmap_redo`, src/backend/utils/cache/relmapper.c).
 */
import { keyKinds, makeKey } from '../../base/key.ts';
import { type Major } from '../major.ts';
import { type WalRecord } from '../wal-record.ts';
import { ensureOwnTablespace } from './tablespace.ts';
import { malformedRecord, unknownRecord } from './record-failure.ts';
import { type IngestState } from './state.ts';

const updateOp = 0x00;
/** Size of `RelMapFile`: 62 mappings until 15, 64 from 16. */
const mapSize: Readonly<Record<Major, number>> = { 15: 512, 16: 524, 17: 524, 18: 524 };

/** The record holds the whole file, with its checksum. */
export function ingestRelationMap(state: IngestState, record: WalRecord): void {
  if ((record.info & 0xf0) !== updateOp) throw unknownRecord(record);
  const data = state.data.open(record);
  const database = data.u32();
  const tablespace = data.u32();
  const size = data.u32();
  if (size !== mapSize[state.major]) throw malformedRecord(record);
  ensureOwnTablespace(tablespace, record);
  const family = state.tip.families.id(keyKinds.relationMap, tablespace, database, 0, 0);
  state.tip.put(makeKey(family, 0), record.end, true, data.bytes(size));
}
