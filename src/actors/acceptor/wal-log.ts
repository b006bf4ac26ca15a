/**
 * WalLog: the segments of one timeline, framed: it knows where complete records end.
 *
 * Owns:    the stored bytes and the reader that follows them.
 * Promise: bytes that are no WAL are refused and leave the log as it was; what is read back is
 *          checked, and nothing is served from a damaged record.
 */
import { assert } from '../../base/assert.ts';
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, lsn, lsnZero, type Lsn } from '../../base/lsn.ts';
import { type Disk } from '../../io/disk.ts';
import { parseSystemId } from '../../postgres/system-id.ts';
import { recordEndBefore } from '../../postgres/wal-page.ts';
import { WalReader, type WalReaderOptions } from '../../postgres/wal-reader.ts';
import { WalRecord } from '../../postgres/wal-record.ts';
import { RecentWal } from './recent-wal.ts';
import { WalSegments } from './wal-segments.ts';

export interface WalLogFormat {
  readonly major: number;
  readonly segmentSize: number;
  readonly systemId: string;
  /** Start of the page below which nothing was ever stored here. */
  readonly headLsn: Lsn;
}

/** A record's end, and where that record starts; 0 when that is not known. */
export interface RecordPosition {
  readonly end: Lsn;
  readonly start: Lsn;
}

const scanBytes = 1_048_576;

export class WalLog {
  readonly #segments: WalSegments;
  readonly #options: WalReaderOptions;
  readonly #record = new WalRecord();
  readonly #headLsn: Lsn;
  readonly #recent = new RecentWal();
  /** A committed record's end: whatever is above it can be framed again from here. */
  #anchor: RecordPosition;
  #reader: WalReader;
  /** Where a reader of committed WAL stopped last, so that the chain is checked across reads. */
  #lastRead: RecordPosition | null = null;

  /** A log known up to `anchor`; `scan` finds what is stored behind it. */
  constructor(disk: Disk, directory: string, format: WalLogFormat, anchor: RecordPosition) {
    const { major, segmentSize, systemId, headLsn } = format;
    this.#headLsn = headLsn;
    this.#segments = new WalSegments(disk, directory, segmentSize);
    this.#options = { major, segmentSize, systemId: parseSystemId(systemId) };
    this.#anchor = anchor;
    this.#reader = this.#readerAt(anchor);
  }

  /**
   * Finds the end of the log: of the last complete record. What follows it is to be truncated; what
   * lies before is durable when this returns, as an acceptor says of it from now on.
   */
  scan(): void {
    this.#scan(null);
    this.#segments.rewrite(this.#anchor.end, this.recordEnd);
  }

  /** Writes the bytes below the start, from the start of a page, and makes them durable. */
  writeHead(bytes: Uint8Array): void {
    const begin = lsn(this.#anchor.end - bytes.length);
    this.#segments.truncate(begin);
    this.#segments.write(begin, bytes);
    this.#segments.sync();
  }

  get recordEnd(): Lsn {
    return this.#reader.recordEnd;
  }

  get lastRecordStart(): Lsn {
    return this.#reader.lastRecordStart;
  }

  /** End of the bytes stored. */
  get writeEnd(): Lsn {
    return this.#reader.position;
  }

  get firstLsn(): Lsn {
    return lsn(Math.max(this.#segments.firstLsn() ?? this.#anchor.end, this.#headLsn));
  }

  get anchor(): RecordPosition {
    return this.#anchor;
  }

  /**
   * The position that the oldest record kept follows on: `beginLsn`, if WAL is kept from there; the
   * anchor when there is no record below it. Fails as `corrupt` when stored bytes are damaged.
   */
  oldestPosition(beginLsn: Lsn): RecordPosition {
    const seek = this.firstLsn > beginLsn;
    const reader = new WalReader(seek ? this.firstLsn : beginLsn, { ...this.#options, seek });
    while (reader.position < this.#anchor.end) {
      const size = Math.min(scanBytes, this.#anchor.end - reader.position);
      const bytes = this.#segments.read(reader.position, size);
      ensure(bytes.length > 0, 'acceptor_wal_damaged', { at: formatLsn(reader.position) });
      reader.push(bytes);
      if (!reader.next(this.#record)) continue;
      const { start, previous } = this.#record;
      const end = seek ? recordEndBefore(start, this.#options.segmentSize) : beginLsn;
      return { end, start: previous };
    }
    return this.#anchor;
  }

  /** Everything below is committed: scans need not begin earlier. */
  moveAnchor(position: RecordPosition): void {
    assert(position.end >= this.#anchor.end, 'an anchor only moves on');
    this.#anchor = position;
  }

  /** Stores bytes at the end. When it fails (`append_not_wal`, `disk_full`), nothing was stored. */
  append(bytes: Uint8Array): void {
    const begin = this.writeEnd;
    try {
      this.#segments.write(begin, bytes);
      const records = this.#frame(bytes);
      this.#recent.push(begin, bytes, records, this.recordEnd);
    } catch (failure) {
      this.#restore(begin);
      const isWal = !(failure instanceof Failure && failure.kind === 'corrupt');
      throw isWal ? failure : new Failure('append_not_wal', failure.values, failure);
    }
  }

  sync(): void {
    this.#segments.sync();
  }

  /** Forgets everything from `end`, a record's end, on. Durable when it returns. */
  truncate(end: Lsn): void {
    this.#recent.clear();
    this.#segments.truncate(end);
    this.#lastRead = null;
    if (end === this.recordEnd) {
      this.#reader = this.#readerAt({ end, start: this.lastRecordStart });
      return;
    }
    this.#reader = this.#readerAt(this.#anchor);
    this.#scan(end);
    ensure(this.recordEnd === end, 'acceptor_wal_damaged', {
      found: formatLsn(this.recordEnd),
      expected: formatLsn(end),
    });
  }

  /**
   * Whole checked records from `from`, a record's end, up to about `bytesMax`, but at least one; none
   * from beyond `limit`. Fails with `wal_removed` and `acceptor_wal_damaged`.
   */
  readRecords(from: Lsn, bytesMax: number, limit: Lsn): Uint8Array {
    assert(from < limit, 'there is something to read');
    ensure(from >= this.firstLsn, 'wal_removed', {
      from: formatLsn(from),
      first: formatLsn(this.firstLsn),
    });
    const recent = this.#recent.readRecords(from, bytesMax, limit);
    if (recent !== null) return recent;
    for (let wanted = bytesMax; ; wanted *= 2) {
      const size = Math.min(wanted, limit - from);
      const bytes = this.#segments.read(from, size);
      const end = this.checkedEnd(from, bytes);
      if (end > from) return bytes.subarray(0, end - from);
      ensure(size < limit - from, 'acceptor_wal_damaged', { at: formatLsn(from) });
    }
  }

  /**
   * Where the last whole record in `bytes`, WAL of this log from a record's end on, ends: the last before
   * any damage. Fails with `acceptor_wal_damaged` when the first is damaged.
   */
  checkedEnd(from: Lsn, bytes: Uint8Array): Lsn {
    const start = this.#lastRead?.end === from ? this.#lastRead.start : lsnZero;
    const reader = this.#readerAt({ end: from, start });
    const damage = readToDamage(reader, bytes, this.#record);
    const { recordEnd: end } = reader;
    if (end === from && damage !== null) throw damage;
    if (end > from) this.#lastRead = { end, start: reader.lastRecordStart };
    return end;
  }

  /** Stored bytes, unchecked. */
  copy(from: Lsn, size: number): Uint8Array {
    ensure(from >= this.firstLsn, 'wal_removed', { from: formatLsn(from) });
    return this.#segments.read(from, size);
  }

  /** Whoever reads from here on reads from memory, if it was appended since the files were closed last. */
  forgetBelow(below: Lsn): void {
    this.#recent.dropBelow(below);
  }

  removeBelow(below: Lsn): void {
    this.#segments.removeBelow(below < this.#anchor.end ? below : this.#anchor.end);
  }

  /** Closes the files, and holds nothing in memory. They are opened again when they are needed. */
  close(): void {
    this.#recent.clear();
    this.#segments.close();
  }

  #readerAt({ end, start }: RecordPosition): WalReader {
    const previous = start === 0 ? {} : { previous: start };
    return new WalReader(end, { ...this.#options, ...previous });
  }

  /** Returns how many records the bytes completed. */
  #frame(bytes: Uint8Array): number {
    this.#reader.push(bytes);
    let records = 0;
    while (this.#reader.next(this.#record)) records += 1;
    return records;
  }

  /** After a failed append: as it was, byte for byte. */
  #restore(begin: Lsn): void {
    this.#recent.clear();
    this.#segments.truncate(begin);
    this.#reader = this.#readerAt(this.#anchor);
    this.#scan(begin);
    assert(this.writeEnd === begin, 'an append that failed leaves the log as it was');
  }

  /** Frames what is stored after the reader's position, up to `limit` or as far as it is WAL. */
  #scan(limit: Lsn | null): void {
    for (;;) {
      const at = this.#reader.position;
      const size = limit === null ? scanBytes : Math.min(scanBytes, limit - at);
      if (size <= 0) return;
      const bytes = this.#segments.read(at, size);
      if (bytes.length === 0 || !this.#tryFrame(bytes)) return;
    }
  }

  /** Frames bytes that may be the torn end of the log; false when it ends in them. */
  #tryFrame(bytes: Uint8Array): boolean {
    try {
      this.#frame(bytes);
    } catch (failure) {
      if (failure instanceof Failure && failure.kind === 'corrupt') return false;
      throw failure;
    }
    return this.#reader.atEnd === 'needsBytes';
  }
}

/** Reads all records of `bytes`; what ends them before the bytes do, or null. */
function readToDamage(reader: WalReader, bytes: Uint8Array, record: WalRecord): Failure | null {
  const at = formatLsn(reader.position);
  try {
    reader.push(bytes);
    while (reader.next(record)); // only the checks and the end matter
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    return new Failure('acceptor_wal_damaged', { ...cause.values, why: cause.code }, cause);
  }
  const { atEnd } = reader;
  return atEnd === 'needsBytes' ? null : new Failure('acceptor_wal_damaged', { at, why: atEnd });
}
