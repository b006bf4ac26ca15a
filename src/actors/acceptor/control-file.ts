/**
 * The acceptor's durable state: what it promised and where its log stands.
 *
 * `acceptor.control` is replaced as a whole (little-endian):
 *
 * ```
 * u32 magic "ACC1" | u32 version 2 | u32 length of body | u32 CRC-32C of body | body: JSON, UTF-8
 * ```
 *
 * Version 1, of a quorum that could not change, is read too; the next replacement writes version 2.
 *
 * `acceptor.position` is written in place soon after a sync of the log, itself synced only before the
 * log is cut: it tells, after the process died, how far the log must reach. It may be old or torn,
 * never ahead of the log.
 *
 * ```
 * u32 magic "POS1" | u32 CRC-32C of the rest | u64 flushLsn | u64 commitLsn
 * ```
 */
import { crc32c } from '../../base/crc32c.ts';
import { Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { lsnField, struct, u32 } from '../../base/struct.ts';
import { type TimelineIdentity } from '../../consensus/identity.ts';
import { type Configuration } from '../../consensus/membership.ts';
import { assertHistory, type Term, type TermHistory } from '../../consensus/term.ts';
import { type Disk, type DiskFile } from '../../io/disk.ts';
import { walPageStart } from '../../postgres/wal-page.ts';

export const controlFileName = 'acceptor.control';
export const positionFileName = 'acceptor.position';

/** What of an acceptor is on disk besides its WAL. */
export interface ControlRecord {
  /** The member it was created as. */
  readonly acceptor: string;
  readonly identity: TimelineIdentity;
  readonly configuration: Configuration;
  readonly term: Term;
  readonly history: TermHistory;
  /** Start of the page below which nothing was ever stored here. */
  readonly headLsn: Lsn;
  /** A committed record's end, from which the log is scanned at start. */
  readonly anchorLsn: Lsn;
  /** Start of the record that ends there. */
  readonly anchorRecordStart: Lsn;
  readonly commitLsn: Lsn;
  readonly truncateLsn: Lsn;
}

const Header = struct({ magic: u32, version: u32, length: u32, crc: u32 }, { size: 16 });
const magic = 0x31434341;
const version = 2;

/** Version 1: the log began where the timeline did. */
type OldRecord = Omit<ControlRecord, 'identity' | 'headLsn'> & TimelineIdentity;

export function encodeControl(record: ControlRecord): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(record));
  const bytes = new Uint8Array(Header.size + body.length);
  const view = new DataView(bytes.buffer);
  Header.magic.set(view, 0, magic);
  Header.version.set(view, 0, version);
  Header.length.set(view, 0, body.length);
  Header.crc.set(view, 0, crc32c(body));
  bytes.set(body, Header.size);
  return bytes;
}

/** Fails with `acceptor_control_damaged` unless the bytes are a whole control file. */
export function decodeControl(bytes: Uint8Array, path: string): ControlRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes.length >= Header.size;
  ensureControl(long && Header.magic.get(view, 0) === magic, path, 'magic');
  const found = Header.version.get(view, 0);
  ensureControl(found === version || found === 1, path, 'version');
  const body = bytes.subarray(Header.size);
  ensureControl(Header.length.get(view, 0) === body.length, path, 'length');
  ensureControl(Header.crc.get(view, 0) === crc32c(body), path, 'checksum');
  // The checksum holds, so the body is what `encodeControl` of that version was given.
  const parsed: unknown = JSON.parse(new TextDecoder().decode(body));
  const record = found === 1 ? upgraded(parsed as OldRecord) : (parsed as ControlRecord);
  assertHistory(record.history);
  return record;
}

function upgraded(old: OldRecord): ControlRecord {
  const { timeline, major, systemId, segmentSize, startLsn, ...kept } = old;
  const identity = { timeline, major, systemId, segmentSize, startLsn };
  return { ...kept, identity, headLsn: walPageStart(startLsn) };
}

function ensureControl(holds: boolean, path: string, part: string): void {
  if (!holds) throw new Failure('acceptor_control_damaged', { path, part });
}

const Position = struct({ magic: u32, crc: u32, flush: lsnField, commit: lsnField }, { size: 24 });
const positionMagic = 0x31534f50;

/** How far the log is on disk, kept in a file's first bytes. The file is open once it was needed. */
export class PositionFile {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #bytes = new Uint8Array(Position.size);
  readonly #view = new DataView(this.#bytes.buffer);
  #opened: DiskFile | null = null;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  write(flushLsn: Lsn, commitLsn: Lsn): void {
    const view = this.#view;
    Position.magic.set(view, 0, positionMagic);
    Position.flush.set(view, 0, flushLsn);
    Position.commit.set(view, 0, commitLsn);
    Position.crc.set(view, 0, positionChecksum(this.#bytes));
    this.#file.writeAt(this.#bytes, 0);
  }

  /** Like `write`, for a log that is about to be cut: durable at once. */
  lower(flushLsn: Lsn, commitLsn: Lsn): void {
    this.write(flushLsn, commitLsn);
    this.#file.sync();
  }

  /** The last position written, or null when there is none or it is torn. */
  read(): { readonly flushLsn: Lsn; readonly commitLsn: Lsn } | null {
    const view = this.#view;
    if (this.#file.readAt(this.#bytes, 0) < Position.size) return null;
    if (Position.magic.get(view, 0) !== positionMagic) return null;
    if (Position.crc.get(view, 0) !== positionChecksum(this.#bytes)) return null;
    return { flushLsn: Position.flush.get(view, 0), commitLsn: Position.commit.get(view, 0) };
  }

  close(): void {
    this.#opened?.close();
    this.#opened = null;
  }

  get #file(): DiskFile {
    this.#opened ??= this.#disk.open(this.#path, 'create');
    return this.#opened;
  }
}

function positionChecksum(bytes: Uint8Array): number {
  return crc32c(bytes, Position.flush.offset);
}
