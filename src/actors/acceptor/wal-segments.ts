/**
 * WalSegments: one timeline's WAL on disk, in files named and laid out as Postgres's own `pg_wal`.
 *
 * Owns:    the directory's files and the descriptors open on them.
 * Promise: after `sync`, everything written is durable, its directory entries included.
 *
 * A segment file has its full size from the start, but takes space as it fills: zeros are written
 * ahead of small writes in steps, so that their syncs seldom wait for the file system to allocate.
 */
import { assert } from '../../base/assert.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { type Disk, type DiskFile } from '../../io/disk.ts';
import {
  parseSegmentName,
  segmentName,
  segmentNumber,
  segmentOffset,
  segmentStart,
} from '../../postgres/wal-page.ts';

/** Written ahead of the log at a time. */
const zeros = new Uint8Array(1_048_576);
/** Written at a time by `rewrite`. */
const rewritten_bytes = 1_048_576;
/** What commits write, rather than bulk loads. */
const smallWrite_bytes = 65_536;

interface OpenSegment {
  readonly number: number;
  readonly file: DiskFile;
  /** Up to this offset the file's space is allocated. */
  allocated: number;
  dirty: boolean;
}

export class WalSegments {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #segmentSize: number;
  /** Segments open for writing, lowest first: the last written, and any not yet synced. */
  #open: OpenSegment[] = [];
  /** The segment read last. */
  #reading: { readonly number: number; readonly file: DiskFile } | null = null;
  /** Number of the oldest segment, infinite without one; null when it must be looked up. */
  #oldest: number | null = null;

  constructor(disk: Disk, directory: string, segmentSize: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#segmentSize = segmentSize;
    disk.makeDirectory(directory);
  }

  /** Start of the oldest segment kept, or null when there is none. */
  firstLsn(): Lsn | null {
    this.#oldest ??= Math.min(Number.POSITIVE_INFINITY, ...this.#numbers());
    return Number.isFinite(this.#oldest) ? segmentStart(this.#oldest, this.#segmentSize) : null;
  }

  /** Writes bytes at `begin`. After a failure, `truncate(begin)` restores what was before. */
  write(begin: Lsn, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      const at = lsn(begin + done);
      const offset = segmentOffset(at, this.#segmentSize);
      const size = Math.min(bytes.length - done, this.#segmentSize - offset);
      const segment = this.#segment(segmentNumber(at, this.#segmentSize), offset);
      segment.dirty = true;
      segment.file.writeAt(bytes.subarray(done, done + size), offset);
      this.#allocate(segment, offset + size, size);
      done += size;
    }
  }

  /** Makes everything written durable. Only the last segment stays open. */
  sync(): void {
    for (const segment of this.#open) {
      if (segment.dirty) segment.file.sync();
      segment.dirty = false;
    }
    while (this.#open.length > 1) this.#open.shift()!.file.close();
  }

  /**
   * Makes what files hold of [begin, end) durable, by writing it once more. A predecessor that was killed
   * may have written it without a sync; one that died of a sync that failed has left pages that the kernel
   * calls clean, though they are not on disk: no later sync would write them.
   */
  rewrite(begin: Lsn, end: Lsn): void {
    for (let at = begin; at < end;) {
      const number = segmentNumber(at, this.#segmentSize);
      const until = Math.min(end, segmentStart(number + 1, this.#segmentSize));
      const offset = segmentOffset(at, this.#segmentSize);
      const file = this.#disk.open(this.#path(number), 'existing');
      try {
        rewriteFile(file, offset, offset + until - at);
        file.sync();
      } finally {
        file.close();
      }
      at = lsn(until);
    }
    this.#disk.syncDirectory(this.#directory);
  }

  /** Forgets everything from `end` on, durably. Doing it again after a crash completes it. */
  truncate(end: Lsn): void {
    const number = segmentNumber(end, this.#segmentSize);
    const offset = segmentOffset(end, this.#segmentSize);
    this.sync();
    this.close();
    const later = this.#numbers().filter(
      (each) => each > number || (each === number && offset === 0),
    );
    for (const each of later.sort((a, b) => b - a)) this.#remove(each);
    if (later.length > 0) this.#disk.syncDirectory(this.#directory);
    if (offset === 0 || !this.#disk.exists(this.#path(number))) return;
    const { file } = this.#segment(number, offset);
    file.truncate(offset);
    file.truncate(this.#segmentSize);
    file.sync();
  }

  /** Bytes from `begin` on: fewer than `size` where no file is; zeros where nothing was written. */
  read(begin: Lsn, size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    let done = 0;
    while (done < size) {
      const at = lsn(begin + done);
      const offset = segmentOffset(at, this.#segmentSize);
      const wanted = Math.min(size - done, this.#segmentSize - offset);
      const file = this.#readable(segmentNumber(at, this.#segmentSize));
      const count = file?.readAt(bytes.subarray(done, done + wanted), offset) ?? 0;
      done += count;
      if (count < wanted) break;
    }
    return bytes.subarray(0, done);
  }

  /**
   * Removes whole segments that end at or below `below`, oldest first, each before the next: a crash leaves
   * no hole, also where a file system forgets some of what was not synced and keeps the rest.
   */
  removeBelow(below: Lsn): void {
    const keep = segmentNumber(below, this.#segmentSize);
    const gone = this.#numbers().filter((number) => number < keep);
    if (gone.length === 0) return;
    this.#closeReading();
    for (const number of gone.sort((a, b) => a - b)) {
      this.#remove(number);
      this.#disk.syncDirectory(this.#directory);
    }
  }

  /** Closes the files, all of them synced. They are opened again when they are needed. */
  close(): void {
    for (const { file } of this.#open) file.close();
    this.#open = [];
    this.#closeReading();
  }

  /** The segment, open for writing; what it holds before `offset` is taken as written. */
  #segment(number: number, offset: number): OpenSegment {
    const last = this.#open.at(-1);
    if (last?.number === number) return last;
    assert(last === undefined || number === last.number + 1, 'segments are written in order');
    const path = this.#path(number);
    const isNew = !this.#disk.exists(path);
    const file = this.#disk.open(path, 'create');
    const segment = { number, file, allocated: offset, dirty: isNew };
    this.#open.push(segment);
    if (file.size() < this.#segmentSize) file.truncate(this.#segmentSize);
    if (isNew) {
      this.#oldest = null;
      this.#disk.syncDirectory(this.#directory);
    }
    return segment;
  }

  /**
   * After a write of `size` bytes up to `end`: zeros beyond it, so that the syncs of the small ones
   * that follow find blocks in place. After a large one, more of its kind would write them twice.
   */
  #allocate(segment: OpenSegment, end: number, size: number): void {
    if (end <= segment.allocated) return;
    segment.allocated = end;
    if (size > smallWrite_bytes) return;
    const left = this.#segmentSize - end;
    const ahead = zeros.subarray(0, Math.min(zeros.length, left));
    segment.file.writeAt(ahead, end);
    segment.allocated += ahead.length;
  }

  #readable(number: number): DiskFile | null {
    if (this.#reading?.number === number) return this.#reading.file;
    this.#closeReading();
    const path = this.#path(number);
    if (!this.#disk.exists(path)) return null;
    const file = this.#disk.open(path, 'existing');
    this.#reading = { number, file };
    return file;
  }

  #closeReading(): void {
    this.#reading?.file.close();
    this.#reading = null;
  }

  #remove(number: number): void {
    this.#oldest = null;
    this.#disk.remove(this.#path(number));
  }

  #numbers(): number[] {
    return this.#disk.list(this.#directory).flatMap((name) => {
      const parsed = parseSegmentName(name, this.#segmentSize);
      return parsed === null ? [] : [parsed.segment];
    });
  }

  #path(number: number): string {
    return `${this.#directory}/${segmentName(number, this.#segmentSize)}`;
  }
}

function rewriteFile(file: DiskFile, begin: number, end: number): void {
  for (let at = begin; at < end; at += rewritten_bytes) {
    const bytes = new Uint8Array(Math.min(rewritten_bytes, end - at));
    file.readAt(bytes, at);
    file.writeAt(bytes, at);
  }
}
