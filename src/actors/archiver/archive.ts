/**
 * Archive: one timeline's WAL in the object store.
 *
 * Promise: an object that is there is never written again; whoever finds other bytes than its own under
 *          the key has found damage.
 */
import { ensure } from '../../base/failure.ts';
import { formatLsn, lsn, minLsn, type Lsn } from '../../base/lsn.ts';
import { type ObjectStore } from '../../io/object-store.ts';
import { segmentNumber, segmentStart } from '../../postgres/wal-page.ts';
import { endOfPartial, partialKey, partialPrefix, wholeKey } from './archive-names.ts';
import { type SegmentSpan } from './archive-plan.ts';

interface StoredSpan {
  readonly begin: Lsn;
  readonly bytes: Uint8Array;
}

export class Archive {
  readonly #store: ObjectStore;
  readonly #timeline: string;
  readonly #segmentSize: number;
  /** The segment read last: reads come in order, a piece at a time. */
  #lastRead: { readonly segment: number; readonly span: StoredSpan } | null = null;

  constructor(store: ObjectStore, timeline: string, segmentSize: number) {
    this.#store = store;
    this.#timeline = timeline;
    this.#segmentSize = segmentSize;
  }

  /** What is stored of a stretch, or null. */
  async find(span: SegmentSpan): Promise<Uint8Array | null> {
    const found = await this.#store.get(this.#key(span));
    return found?.bytes ?? null;
  }

  /** Stores a stretch, unless somebody has. What is there then is to be compared. */
  async put(span: SegmentSpan, bytes: Uint8Array): Promise<void> {
    await this.#store.putIfAbsent(this.#key(span), bytes);
  }

  /** Deletes partial objects of a segment that end below `end`: a longer one, or the whole, is there. */
  async removePartials({ segment, end }: SegmentSpan): Promise<void> {
    const prefix = partialPrefix(this.#whole(segment));
    for (const key of await this.#store.list(prefix)) {
      const itsEnd = endOfPartial(key);
      if (itsEnd !== null && itsEnd < end) await this.#store.delete(key);
    }
  }

  /** Fails with `wal_removed` when not all of it is there, and as the store does. */
  async read(from: Lsn, size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const at = lsn(from + done);
      const segment = segmentNumber(at, this.#segmentSize);
      const end = minLsn(lsn(from + size), this.#endOf(segment));
      const span = await this.#segment(segment, end);
      const has = span !== null && at >= span.begin && end <= span.begin + span.bytes.length;
      ensure(has, 'wal_removed', { from: formatLsn(at), archived: false });
      bytes.set(span.bytes.subarray(at - span.begin, end - span.begin), done);
      done += end - at;
      if (end === this.#endOf(segment)) this.forget();
    }
    return bytes;
  }

  /** Gives the memory of the segment read last back. */
  forget(): void {
    this.#lastRead = null;
  }

  get remembers(): boolean {
    return this.#lastRead !== null;
  }

  /** The whole segment or, without it, the longest partial object. */
  async #segment(segment: number, end: Lsn): Promise<StoredSpan | null> {
    const known = this.#lastRead;
    if (known?.segment === segment && end <= known.span.begin + known.span.bytes.length)
      return known.span;
    const whole = this.#whole(segment);
    const span =
      (await this.#span(whole, this.#endOf(segment))) ?? (await this.#longestPartial(whole));
    this.#lastRead = span === null ? null : { segment, span };
    return span;
  }

  async #longestPartial(whole: string): Promise<StoredSpan | null> {
    const ends = (await this.#store.list(partialPrefix(whole))).flatMap(
      (key) => endOfPartial(key) ?? [],
    );
    if (ends.length === 0) return null;
    const end = lsn(Math.max(...ends));
    return this.#span(partialKey(whole, end), end);
  }

  /** An object's last byte is the one before `end`. */
  async #span(key: string, end: Lsn): Promise<StoredSpan | null> {
    const found = await this.#store.get(key);
    if (found === null) return null;
    const { bytes } = found;
    ensure(bytes.length <= end, 'archive_differs', { key, size: bytes.length });
    return { begin: lsn(end - bytes.length), bytes };
  }

  #key({ segment, end }: SegmentSpan): string {
    const whole = this.#whole(segment);
    const isWhole = end === this.#endOf(segment);
    return isWhole ? whole : partialKey(whole, end);
  }

  #whole(segment: number): string {
    return wholeKey(this.#timeline, segment, this.#segmentSize);
  }

  #endOf(segment: number): Lsn {
    return segmentStart(segment + 1, this.#segmentSize);
  }
}
