/**
 * OpenLayerCursor: the versions of an open layer in file order. Chains run newest to oldest; the
 * cursor lays one key's chain out at a time and walks it from its old end.
 */
import { type Key } from '../base/key.ts';
import { lsnZero, type Lsn } from '../base/lsn.ts';
import { type Arena } from './arena.ts';
import { type VersionCursor } from './version-cursor.ts';
import { emptyChunk, type Chunk } from './version-list.ts';
import { type VersionTable } from './version-table.ts';

const none = 0xffff_ffff;

export interface OpenLayerParts {
  /** Every key once, in file order. */
  readonly keys: Float64Array;
  readonly newest: (key: Key) => number;
  readonly table: VersionTable;
  readonly arena: Arena;
}

export class OpenLayerCursor implements VersionCursor {
  ended = false;
  key = 0 as Key;
  lsn: Lsn = lsnZero;
  init = false;
  chunk: Chunk = emptyChunk;
  offset = 0;
  size = 0;
  readonly #parts: OpenLayerParts;
  /** The current key's versions still to come, the next one last. */
  readonly #chain: number[] = [];
  #nextKey = 0;

  constructor(parts: OpenLayerParts) {
    this.#parts = parts;
    this.advance();
  }

  advance(): void {
    const { keys, table, arena } = this.#parts;
    if (this.#chain.length === 0) {
      if (this.#nextKey === keys.length) {
        this.ended = true;
        return;
      }
      this.#layOut(keys[this.#nextKey]! as Key);
      this.#nextKey += 1;
    }
    const version = this.#chain.pop()!;
    const position = table.positions[version]!;
    this.lsn = table.lsns[version]! as Lsn;
    this.init = (table.sizes[version]! & 1) !== 0;
    this.size = table.sizes[version]! >>> 1;
    this.chunk = arena.chunkAt(position);
    this.offset = arena.offsetAt(position);
  }

  #layOut(key: Key): void {
    const { newest, table } = this.#parts;
    this.key = key;
    for (let at = newest(key); at !== none; at = table.previous[at]!) this.#chain.push(at);
  }
}
