/**
 * ReplicationMessages: what the two sides of physical replication say to each other within copy data
 * (https://www.postgresql.org/docs/current/protocol-replication.html). Integers are big-endian.
 *
 * ```
 * w  WAL        u64 start of the bytes | u64 end of the server's WAL | i64 time | bytes
 * k  keepalive  u64 end of what was sent | i64 time | u8 1 when a status is wanted
 * r  status     u64 written up to | u64 flushed | u64 applied | i64 time | u8 1 when a keepalive is wanted
 * h  feedback   of a hot standby, on transactions it still needs
 * ```
 *
 * Times are microseconds since 2000-01-01.
 */
import { ensure } from '../base/failure.ts';
import { type Lsn } from '../base/lsn.ts';

export const replicationMessages = {
  wal: 0x77,
  keepalive: 0x6b,
  status: 0x72,
  feedback: 0x68,
} as const;

/** What precedes the bytes of a `w`, its letter included. */
export const walHeaderSize = 25;
/** An `r`, its letter included. */
export const statusSize = 34;
const keepaliveSize = 18;
/** Message type `d`, and the length that counts itself. */
const copyData = 0x64;
const copyHeaderSize = 5;
/** 2000-01-01 in Unix time: where Postgres's timestamps begin. */
const postgresEpoch_ms = 946_684_800_000;

/** The beginning of a message with `size` bytes of WAL, which follow. */
export function walHeader(
  begin: Lsn,
  size: number,
  now: { readonly endLsn: Lsn; readonly now_ms: number },
): Buffer {
  const message = Buffer.allocUnsafe(copyHeaderSize + walHeaderSize);
  let at = beginCopyData(message, walHeaderSize + size);
  at = message.writeUInt8(replicationMessages.wal, at);
  at = writeU64(message, begin, at);
  at = writeU64(message, now.endLsn, at);
  writeTimestamp(message, now.now_ms, at);
  return message;
}

export function keepalive(sentLsn: Lsn, now_ms: number, replyWanted: boolean): Buffer {
  const message = Buffer.allocUnsafe(copyHeaderSize + keepaliveSize);
  let at = beginCopyData(message, keepaliveSize);
  at = message.writeUInt8(replicationMessages.keepalive, at);
  at = writeU64(message, sentLsn, at);
  at = writeTimestamp(message, now_ms, at);
  message.writeUInt8(replyWanted ? 1 : 0, at);
  return message;
}

/** Whether what a standby says in copy data asks for a keepalive. */
export function wantsKeepalive(payload: Buffer): boolean {
  const kind = payload[0] ?? 0;
  if (kind === replicationMessages.feedback) return false;
  const isStatus = kind === replicationMessages.status && payload.length === statusSize;
  ensure(isStatus, 'postgres_protocol_broken', { kind, size: payload.length });
  return payload[statusSize - 1] === 1;
}

export function writeU64(target: Buffer, value: number, at: number): number {
  target.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  return target.writeUInt32BE(value % 2 ** 32, at + 4);
}

export function writeTimestamp(target: Buffer, unix_ms: number, at: number): number {
  return writeU64(target, Math.max(0, unix_ms - postgresEpoch_ms) * 1_000, at);
}

function beginCopyData(message: Buffer, size: number): number {
  message[0] = copyData;
  return message.writeUInt32BE(size + 4, 1);
}
