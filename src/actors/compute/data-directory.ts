/**
 * DataDirectory: the files a stock Postgres needs to start without a log (docs/start.md): a control file
 * that says "shut down", one WAL segment with that checkpoint, configuration, and links to the mount.
 *
 * Pure: says what to write; run.ts writes it.
 */
import { type TimelineState } from '../timeline/protocol.ts';
import { type ForkSnapshot, type MountSnapshot } from '../filesystem/protocol.ts';
import { type Lsn } from '../../base/lsn.ts';
import { ensureMajor } from '../../postgres/major.ts';
import { formatVersionedPath, twoPhaseFile } from '../../postgres/relation-path.ts';

/** Directories of a data directory that live on the mount: what Postgres versions. */
export const mountedDirectories = [
  'base',
  'global',
  'pg_xact',
  'pg_multixact',
  'pg_commit_ts',
  'pg_twophase',
] as const;

/** Directories that are plain and local: rebuilt at every start, or of no use afterwards. */
export const localDirectories = [
  'pg_wal',
  'pg_wal/archive_status',
  'pg_wal/summaries',
  'pg_subtrans',
  'pg_stat',
  'pg_stat_tmp',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_dynshmem',
  'pg_replslot',
  'pg_logical',
  'pg_logical/snapshots',
  'pg_logical/mappings',
] as const;

/**
 * Links to tablespaces would be here. It stays root's, so that CREATE TABLESPACE fails before it is in
 * the WAL: what lies outside the data directory is in no timeline, and such a record would halt it.
 */
export const refusedDirectory = 'pg_tblspc';

/** The name our proposer has as a standby. */
export const standbyName = 'stemma';

export interface PostgresSettings {
  readonly major: number;
  readonly address: string;
  readonly port: number;
  readonly socketDirectory: string;
  readonly sharedBuffers_bytes: number;
  readonly maxConnections: number;
  /** Bytes. */
  readonly segmentSize: number;
}

/**
 * postgresql.conf. The disk is scratch and the quorum is the record, so `fsync` is off; storage never
 * tears a page, so `full_page_writes` is off; a crash is met by a fresh start from storage, so
 * Postgres never recovers commits on its own that the quorum has not acknowledged. What ALTER SYSTEM
 * writes is scratch too, so it is refused where the major can.
 */
export function postgresConf(settings: PostgresSettings): string {
  const segment_megabytes = settings.segmentSize / 2 ** 20;
  const values: readonly (readonly [string, string | number])[] = [
    ['listen_addresses', settings.address],
    ['port', settings.port],
    ['unix_socket_directories', settings.socketDirectory],
    ['max_connections', settings.maxConnections],
    ['shared_buffers', `${Math.floor(settings.sharedBuffers_bytes / 8_192)}`],
    ['fsync', 'off'],
    ['full_page_writes', 'off'],
    ['restart_after_crash', 'off'],
    ['synchronous_commit', 'on'],
    ['synchronous_standby_names', standbyName],
    ['wal_level', 'replica'],
    ['wal_sender_timeout', '0'],
    ['max_wal_senders', 10],
    ['max_replication_slots', 10],
    ['max_prepared_transactions', 64],
    ['wal_init_zero', 'off'],
    // Postgres does not start with less than two segments of either.
    ['min_wal_size', `${Math.max(80, 2 * segment_megabytes)}MB`],
    ['max_wal_size', `${Math.max(1_024, 4 * segment_megabytes)}MB`],
    ['checkpoint_timeout', '5min'],
    ['archive_mode', 'off'],
    ['logging_collector', 'off'],
    ['log_destination', 'stderr'],
    ['lc_messages', 'C'],
    ['timezone', 'UTC'],
    ...(settings.major >= 17 ? ([['allow_alter_system', 'off']] as const) : []),
  ];
  return values.map(([name, value]) => `${name} = '${value}'\n`).join('');
}

/** pg_hba.conf: whoever reaches the loopback address or the socket is let in. */
export const hostBasedAuthentication = [
  'local all all trust',
  'local replication all trust',
  'host all all 127.0.0.1/32 trust',
  'host all all ::1/128 trust',
  '',
].join('\n');

/** What the mount begins with: everything but the control file comes from the timeline. */
export function mountSnapshot(
  state: TimelineState,
  major: number,
  floor: Lsn,
  controlFile: Uint8Array,
): MountSnapshot {
  const files = [{ path: 'global/pg_control', bytes: controlFile }];
  for (const { database, version, relationMap } of state.databases) {
    const folder = database === 0 ? 'global' : `base/${database}`;
    if (version.length > 0) files.push({ path: `${folder}/PG_VERSION`, bytes: version });
    if (relationMap !== null) files.push({ path: `${folder}/pg_filenode.map`, bytes: relationMap });
  }
  for (const { xid, bytes } of state.preparedTransactions) {
    const file = twoPhaseFile(xid, ensureMajor(major));
    files.push({ path: formatVersionedPath(file, ensureMajor(major)), bytes });
  }
  return {
    floor,
    databases: state.databases.filter(({ database }) => database !== 0).map((one) => one.database),
    relations: state.relations satisfies readonly ForkSnapshot[],
    slruSegments: state.slruSegments,
    files,
  };
}
