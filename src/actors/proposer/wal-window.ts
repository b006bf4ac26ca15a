/**
 * WalWindow: the WAL a proposer holds in memory: what is not known to be committed.
 *
 * Bytes are kept as they arrived, and handed out without a copy when asked for in the same pieces.
 */
import { assert } from '../../base/assert.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';

interface Piece {
  readonly begin: Lsn;
  readonly end: Lsn;
  readonly bytes: Uint8Array;
}

export class WalWindow {
  readonly #pieces: Piece[] = [];

  /** Adds bytes, contiguous with what is there. */
  push(begin: Lsn, bytes: Uint8Array): void {
    const last = this.#pieces.at(-1);
    assert(last === undefined || last.end === begin, 'a window has no gaps');
    this.#pieces.push({ begin, end: lsn(begin + bytes.length), bytes });
  }

  /** The bytes of [begin, end), all of which must be held. */
  slice(begin: Lsn, end: Lsn): Uint8Array {
    const parts: Uint8Array[] = [];
    let at = begin;
    for (const piece of this.#pieces) {
      if (piece.end <= at) continue;
      if (piece.begin >= end) break;
      assert(piece.begin <= at, 'the window holds what is sent');
      const upTo = Math.min(piece.end, end);
      parts.push(piece.bytes.subarray(at - piece.begin, upTo - piece.begin));
      at = lsn(upTo);
    }
    assert(at === end, 'the window holds what is sent');
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, end - begin);
  }

  /** Forgets pieces that end at or below `below`. */
  dropBelow(below: Lsn): void {
    let gone = 0;
    while (gone < this.#pieces.length && this.#pieces[gone]!.end <= below) gone += 1;
    if (gone > 0) this.#pieces.splice(0, gone);
  }

  clear(): void {
    this.#pieces.length = 0;
  }
}
