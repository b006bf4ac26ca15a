/**
 * WalScan: how far a stored log is whole. Reads it from a record boundary on and stops behind the
 * last complete, valid record: at the first record that is torn, missing or wrong.
 */
import { Failure } from '../base/failure.ts';
import { type FailureCode } from '../base/failure-codes.ts';
import { type Lsn } from '../base/lsn.ts';
import { WalReader, type WalPause, type WalReaderOptions } from './wal-reader.ts';
import { WalRecord } from './wal-record.ts';

/** Bytes of WAL from `at` on, as many as are handy; none when the log has no more. */
export type ReadWal = (at: Lsn) => Promise<Uint8Array> | Uint8Array;

export interface WalScan {
  /** End of the last complete valid record; the start when there is none. See `recordEnd`. */
  readonly end: Lsn;
  /** Where that record starts; 0 when there is none and `previous` was not given. */
  readonly lastRecordStart: Lsn;
  /** Complete records seen. */
  readonly records: number;
  /** Why it ends there: the bytes ran out, turned to zeros, or the code of what was wrong. */
  readonly reason: WalPause | FailureCode;
  /** What was wrong, if anything was. */
  readonly failure: Failure | null;
}

/**
 * Scans the log from `start`, the end of a record. A torn or corrupt tail is a result, not a failure;
 * what `read` throws is passed on.
 */
export async function scanWal(
  start: Lsn,
  options: WalReaderOptions,
  read: ReadWal,
): Promise<WalScan> {
  const reader = new WalReader(start, options);
  const record = new WalRecord();
  let records = 0;
  let failure: Failure | null = null;
  while (failure === null && reader.atEnd === 'needsBytes') {
    const bytes = await read(reader.position);
    if (bytes.length === 0) break;
    reader.push(bytes);
    const taken = takeRecords(reader, record);
    records += taken.count;
    failure = taken.failure;
  }
  const { recordEnd: end, lastRecordStart, atEnd } = reader;
  return { end, lastRecordStart, records, reason: failure?.code ?? atEnd, failure };
}

function takeRecords(
  reader: WalReader,
  record: WalRecord,
): { readonly count: number; readonly failure: Failure | null } {
  let count = 0;
  try {
    while (reader.next(record)) count += 1;
  } catch (failure) {
    if (!(failure instanceof Failure) || failure.kind !== 'corrupt') throw failure;
    return { count, failure };
  }
  return { count, failure: null };
}
