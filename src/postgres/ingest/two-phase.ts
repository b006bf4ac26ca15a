/**
 * Prepared transactions: their state files, as pg_twophase would hold them
 * (src/backend/access/transam/twophase.c).
 */
import { crc32c } from '../../base/crc32c.ts';
import { keyKinds, makeKey, type Key } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { u32 } from '../../base/struct.ts';
import { type WalRecord } from '../wal-record.ts';
import { epochOf } from '../xid.ts';
import { advanceOrigin } from './replication-origin.ts';
import { type IngestState } from './state.ts';

const crcSize = u32.size;
/** Offset of `xl_xact_prepare.origin_lsn`, the same in majors 15 to 18. */
const originLsnAt = 56;
const nothing = new Uint8Array(0);

/** `XLOG_XACT_PREPARE`: the record is the file, but for its checksum. */
export function prepare(state: IngestState, record: WalRecord): void {
  const { mainOffset, mainSize } = record;
  const file = state.scratch.take(mainSize + crcSize);
  file.set(record.bytes.subarray(mainOffset, mainOffset + mainSize));
  state.scratch.view.setUint32(mainSize, crc32c(file, 0, mainSize), true);
  state.tip.put(twoPhaseKey(state, record.xid), record.end, true, file);
  if (record.origin !== 0) {
    const data = state.data.open(record);
    data.skip(originLsnAt);
    advanceOrigin(state, record.end, record.origin, data.lsn());
  }
}

/** `PrepareRedoRemove`. */
export function forgetPrepared(state: IngestState, at: Lsn, xid: number): void {
  state.tip.put(twoPhaseKey(state, xid), at, true, nothing);
}

function twoPhaseKey(state: IngestState, xid: number): Key {
  const epoch = epochOf(state.checkpoint.fullXid(xid));
  return makeKey(state.tip.families.id(keyKinds.twoPhase, 0, 0, epoch, 0), xid);
}
