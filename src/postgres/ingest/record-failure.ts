/**
 * What is wrong with a record, named by where it is. Built only when it is thrown: values cost more
 * than the check.
 */
import { Failure, type FailureValues } from '../../base/failure.ts';
import { formatLsn } from '../../base/lsn.ts';
import { type WalRecord } from '../wal-record.ts';

/** A record that its resource manager of this major does not write. */
export function unknownRecord(record: WalRecord): Failure {
  return new Failure('wal_record_unknown', whereIs(record));
}

/** A record that is shorter than its own fields say, or says what cannot be. */
export function malformedRecord(record: WalRecord): Failure {
  return new Failure('wal_record_malformed', whereIs(record));
}

/** What a failure says about the record that raised it. */
export function whereIs(record: WalRecord): FailureValues {
  return { lsn: formatLsn(record.start), rmgr: record.rmgr, info: record.info };
}
