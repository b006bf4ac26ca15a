/**
 * The Standby resource manager: what runs and what is locked, for hot standbys
 * (src/backend/storage/ipc/standby.c). Only the xid counters matter to a timeline.
 */
import { type WalRecord } from '../wal-record.ts';
import { unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';

const ops: Readonly<Partial<Record<number, Effect>>> = {
  0x00: nothing, // LOCK: held by transactions that end with their server
  0x10: runningXacts,
  0x20: nothing, // INVALIDATIONS: caches of running backends
};

export function ingestStandby(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

/** `xl_running_xacts`: also names xids that have written nothing yet. */
function runningXacts(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  data.skip(12); // counts of xids, and whether some are missing
  const nextXid = data.u32();
  const oldestRunning = data.u32();
  state.checkpoint.passXid((nextXid - 1) >>> 0);
  state.checkpoint.setOldestActiveXid(oldestRunning);
}

function nothing(): void {
  // Nothing that outlives the server that wrote it.
}
