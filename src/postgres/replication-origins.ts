/**
 * ReplicationOrigins: the file `pg_logical/replorigin_checkpoint`, in which Postgres keeps how far it
 * has applied each replication origin (src/backend/replication/logical/origin.c).
 *
 * ```
 * u32 magic | (u16 origin, pad 6, u64 LSN) × n | u32 CRC-32C of all before
 * ```
 */
import { crc32c } from '../base/crc32c.ts';
import { ensure } from '../base/failure.ts';
import { type Lsn } from '../base/lsn.ts';
import { lsnField, padding, struct, u16, u32 } from '../base/struct.ts';

/** In a data directory. */
export const replicationOriginsPath = 'pg_logical/replorigin_checkpoint';
/** `REPLICATION_STATE_MAGIC`. */
const magic = 0x1257_dade;
/** `ReplicationStateOnDisk`. */
const OriginState = struct({ origin: u16, pad: padding(6), remote: lsnField }, { size: 16 });
const frameSize = 2 * u32.size;

export interface OriginProgress {
  /** `pg_replication_origin.roident`. */
  readonly origin: number;
  /** End of the last transaction applied, in the origin's WAL. */
  readonly remote: Lsn;
}

/** Fails with `replication_origins_invalid` on any damage. */
export function readReplicationOrigins(file: Uint8Array): readonly OriginProgress[] {
  const size = file.length;
  const view = new DataView(file.buffer, file.byteOffset, size);
  const isWhole = size >= frameSize && (size - frameSize) % OriginState.size === 0;
  ensure(isWhole && view.getUint32(0, true) === magic, 'replication_origins_invalid', { size });
  const crcAt = size - u32.size;
  const expected = view.getUint32(crcAt, true);
  const actual = crc32c(file, 0, crcAt);
  ensure(actual === expected, 'replication_origins_invalid', { expected, actual });
  const origins: OriginProgress[] = [];
  for (let at = u32.size; at < crcAt; at += OriginState.size) {
    origins.push({
      origin: OriginState.origin.get(view, at),
      remote: OriginState.remote.get(view, at),
    });
  }
  return origins;
}

export function writeReplicationOrigins(origins: readonly OriginProgress[]): Uint8Array {
  const file = new Uint8Array(frameSize + origins.length * OriginState.size);
  const view = new DataView(file.buffer);
  view.setUint32(0, magic, true);
  origins.forEach(({ origin, remote }, index) => {
    const at = u32.size + index * OriginState.size;
    OriginState.origin.set(view, at, origin);
    OriginState.remote.set(view, at, remote);
  });
  const crcAt = file.length - u32.size;
  view.setUint32(crcAt, crc32c(file, 0, crcAt), true);
  return file;
}
