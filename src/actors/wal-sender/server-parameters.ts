/**
 * ServerParameters: what of a server's settings a client of replication hears, or may ask for.
 */
import { ensure } from '../../base/failure.ts';

export interface ServedBranch {
  readonly major: number;
  readonly segmentSize: number;
}

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/**
 * Told to every client: libpq reads the version and the encodings, pg_receivewal insists on
 * integer_datetimes, and who looks for a primary asks whether this is one.
 */
export function startupReports(
  branch: ServedBranch & { readonly applicationName: string },
): readonly (readonly [string, string])[] {
  return [
    ['application_name', branch.applicationName],
    ['client_encoding', 'UTF8'],
    ['DateStyle', 'ISO, MDY'],
    ['default_transaction_read_only', 'off'],
    ['in_hot_standby', 'off'],
    ['integer_datetimes', 'on'],
    ['server_encoding', 'UTF8'],
    ['server_version', serverVersion(branch)],
    ['standard_conforming_strings', 'on'],
    ['TimeZone', 'UTC'],
  ];
}

/** The value `SHOW` gives. Fails with `replication_refused` for others. */
export function serverParameter(branch: ServedBranch, name: string): string {
  const { major, segmentSize } = branch;
  const values = new Map([
    ['data_directory_mode', '0700'], // files of WAL are made accordingly
    ['integer_datetimes', 'on'],
    ['server_version', serverVersion(branch)],
    ['server_version_num', String(major * 10_000)],
    ['wal_segment_size', sizeInWords(segmentSize)],
  ]);
  const value = values.get(name);
  ensure(value !== undefined, 'replication_refused', {
    sqlstate: '42704', // undefined_object
    reason: `unrecognized configuration parameter "${name}"`,
  });
  return value;
}

/** WAL differs between majors only, so no minor version is claimed. */
function serverVersion({ major }: ServedBranch): string {
  return `${major}.0 (Stemma)`;
}

function sizeInWords(bytes: number): string {
  return bytes % gibibyte === 0 ? `${bytes / gibibyte}GB` : `${bytes / mebibyte}MB`;
}
