/**
 * Refusals: failures as a client of Postgres's protocol hears of them, with a SQLSTATE it knows.
 */
import { type Failure } from '../../base/failure.ts';
import { type FailureCode, type FailureKind } from '../../base/failure-codes.ts';
import { parseLsn } from '../../base/lsn.ts';
import { type Refusal } from '../../io/postgres-replies.ts';
import { segmentName, segmentNumber } from '../../postgres/wal-page.ts';

const stateOfCode: Partial<Readonly<Record<FailureCode, string>>> = {
  branch_missing: '3D000', //          invalid_catalog_name, as for a database that is not there
  lsn_unreadable: '42601', //          syntax_error
  postgres_protocol_broken: '08P01', // protocol_violation
  wal_removed: '58P01', //             undefined_file
};
const stateOfKind: Readonly<Record<FailureKind, string>> = {
  invalid: '22023', //     invalid_parameter_value
  unavailable: '57P03', // cannot_connect_now
  fenced: '57P03',
  cancelled: '57P01', //   admin_shutdown
  corrupt: 'XX001', //     data_corrupted
};

/** `segmentSize` names the file where WAL is missing; null where no branch is chosen yet. */
export function refusalOf(
  failure: Failure,
  severity: Refusal['severity'],
  segmentSize: number | null,
): Refusal {
  const { code, kind, values } = failure;
  if (code === 'replication_refused')
    return { severity, sqlstate: String(values['sqlstate']), message: String(values['reason']) };
  const sqlstate = stateOfCode[code] ?? stateOfKind[kind];
  if (code !== 'wal_removed' || segmentSize === null)
    return { severity, sqlstate, message: failure.message };
  const from = parseLsn(String(values['from']));
  const segment = segmentName(segmentNumber(from, segmentSize), segmentSize);
  const message = `requested WAL segment ${segment} has already been removed`;
  return { severity, sqlstate, message };
}
