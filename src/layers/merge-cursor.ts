/**
 * MergeCursor: many sorted streams of versions as one. The sources are deltas of one timeline: for
 * any key their LSN ranges are disjoint, so of two sources on one key, the older goes first and to
 * its end. Sources are chosen among anew only when the key changes.
 */
import { assert } from '../base/assert.ts';
import { type FamilyTable, type Key } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { type VersionCursor } from './version-cursor.ts';
import { type Chunk } from './version-list.ts';

export class MergeCursor implements VersionCursor {
  readonly #families: FamilyTable;
  #sources: readonly VersionCursor[];
  #current: VersionCursor;

  constructor(families: FamilyTable, sources: readonly VersionCursor[]) {
    assert(sources.length > 0, 'a merge has at least one source');
    this.#families = families;
    this.#sources = sources;
    this.#current = sources[0]!;
    this.#choose();
  }

  get ended(): boolean {
    return this.#current.ended;
  }

  get key(): Key {
    return this.#current.key;
  }

  get lsn(): Lsn {
    return this.#current.lsn;
  }

  get init(): boolean {
    return this.#current.init;
  }

  get chunk(): Chunk {
    return this.#current.chunk;
  }

  get offset(): number {
    return this.#current.offset;
  }

  get size(): number {
    return this.#current.size;
  }

  advance(): void {
    const { key } = this.#current;
    this.#current.advance();
    if (this.#current.ended || this.#current.key !== key) this.#choose();
  }

  #choose(): void {
    if (this.#sources.some((source) => source.ended))
      this.#sources = this.#sources.filter((source) => !source.ended);
    for (const source of this.#sources)
      if (this.#current.ended || this.#before(source, this.#current)) this.#current = source;
  }

  #before(a: VersionCursor, b: VersionCursor): boolean {
    if (a === b) return false;
    const order = this.#families.compare(a.key, b.key);
    if (order !== 0) return order < 0;
    assert(a.lsn !== b.lsn, 'two deltas never hold one key at one LSN');
    return a.lsn < b.lsn;
  }
}
