/**
 * RecentWal: the WAL a log was given last, in memory, for those who read close behind its end: they need
 * neither the disk nor, as it was framed when it came, another check.
 *
 * Large appends are kept as they came; small ones are copied together, since each may be a few bytes of a
 * large buffer.
 */
import { lsn, lsnZero, type Lsn } from '../../base/lsn.ts';

interface Piece {
  readonly begin: Lsn;
  end: Lsn;
  /** Longer than the piece while that can still grow. */
  readonly bytes: Uint8Array;
}

/** Where a record ends. */
interface RecordEnd {
  readonly at: Lsn;
  /** Whether the one before it in the list is where that record begins, so that there is none between. */
  readonly alone: boolean;
}

const block_bytes = 65_536;

export class RecentWal {
  #pieces: Piece[] = [];
  /** Where records end, as far as it is known, ascending: one for each append that completed some. */
  #ends: RecordEnd[] = [];

  /** Adds what was appended at `begin`. It completed `records` records; the last ends at `recordEnd`. */
  push(begin: Lsn, bytes: Uint8Array, records: number, recordEnd: Lsn): void {
    if (begin !== this.#end) this.clear();
    if (bytes.length >= block_bytes) {
      this.#pieces.push({ begin, end: lsn(begin + bytes.length), bytes });
    } else if (bytes.length > 0) {
      this.#copy(begin, bytes);
    }
    if (records > 0) this.#ends.push({ at: recordEnd, alone: records === 1 });
  }

  /**
   * Whole records from `from`, a record's end, on: up to about `bytesMax`, but at least one; none beyond
   * `limit`. null when it is not held that far back, or not known where a record before the limit ends.
   */
  readRecords(from: Lsn, bytesMax: number, limit: Lsn): Uint8Array | null {
    const upTo = Math.min(limit, from + bytesMax);
    const last = this.#ends.findLast(({ at }) => at <= upTo);
    if (last !== undefined && last.at > from) return this.read(from, last.at);
    const next = this.#ends.find(({ at }) => at > from);
    if (next === undefined || next.at > limit) return null;
    const isLittle = next.alone || next.at - from <= 2 * bytesMax;
    return isLittle ? this.read(from, next.at) : null;
  }

  /** The bytes of [from, end); null when some are not held. */
  read(from: Lsn, end: Lsn): Uint8Array | null {
    const first = this.#pieces.findLastIndex(({ begin }) => begin <= from);
    if (first === -1 || end > this.#end) return null;
    const parts: Uint8Array[] = [];
    for (let index = first, at = from; at < end; index += 1) {
      const piece = this.#pieces[index]!;
      const until = Math.min(piece.end, end);
      parts.push(piece.bytes.subarray(at - piece.begin, until - piece.begin));
      at = lsn(until);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, end - from);
  }

  /** Forgets what lies below, as far as whole pieces do. */
  dropBelow(below: Lsn): void {
    let gone = 0;
    while (gone < this.#pieces.length && this.#pieces[gone]!.end <= below) gone += 1;
    if (gone === 0) return;
    this.#pieces.splice(0, gone);
    const begin = this.#pieces[0]?.begin ?? below;
    this.#ends = this.#ends.filter(({ at }) => at >= begin);
  }

  clear(): void {
    this.#pieces = [];
    this.#ends = [];
  }

  get #end(): Lsn {
    return this.#pieces.at(-1)?.end ?? lsnZero;
  }

  /** Into the last block; what does not fit begins another. */
  #copy(begin: Lsn, bytes: Uint8Array): void {
    const last = this.#pieces.at(-1);
    const filled = last === undefined ? 0 : last.end - last.begin;
    if (last === undefined || filled + bytes.length > last.bytes.length) {
      const block = new Uint8Array(block_bytes);
      block.set(bytes);
      this.#pieces.push({ begin, end: lsn(begin + bytes.length), bytes: block });
      return;
    }
    last.bytes.set(bytes, filled);
    last.end = lsn(last.end + bytes.length);
  }
}
