/**
 * MemoryTip: a timeline's newest state in a map. Of a page it keeps the versions since its last
 * initialisation; of anything else the newest.
 */
import { strict as assert } from 'node:assert';
import {
  FamilyTable,
  keyBlock,
  keyFamily,
  keyKinds,
  makeKey,
  type FamilyId,
  type Key,
  type KeyFamily,
  type KeyKind,
} from '../../../src/base/key.ts';
import { type Lsn } from '../../../src/base/lsn.ts';
import { type Tip } from '../../../src/postgres/ingest/tip.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';

interface Version {
  readonly at: Lsn;
  readonly bytes: Uint8Array;
}

export class MemoryTip implements Tip {
  readonly families = new FamilyTable();
  readonly #versions = new Map<Key, Version[]>();
  readonly #rebuilder: PageRebuilder;
  #last: Lsn | null = null;
  /** Puts so far. */
  puts = 0;

  constructor(major: number) {
    this.#rebuilder = new PageRebuilder(major);
  }

  put(key: Key, at: Lsn, init: boolean, bytes: Uint8Array): void {
    assert.ok(this.#last === null || at >= this.#last, 'LSNs never go back');
    this.#last = at;
    this.puts += 1;
    const version = { at, bytes: bytes.slice() };
    const older = this.#versions.get(key);
    if (init || older === undefined) this.#versions.set(key, [version]);
    else older.push(version);
  }

  get(key: Key): Uint8Array | null {
    const { kind } = this.families.family(keyFamily(key));
    assert.ok(kind !== keyKinds.relationBlock && kind !== keyKinds.slruBlock);
    return this.#versions.get(key)?.at(-1)?.bytes ?? null;
  }

  *liveKeys(kind: KeyKind, tablespace: number, database: number): Iterable<Key> {
    for (const key of [...this.#versions.keys()]) {
      const family = this.families.family(keyFamily(key));
      const isAsked =
        family.kind === kind && family.tablespace === tablespace && family.database === database;
      if (isAsked && this.get(key)!.length > 0) yield key;
    }
  }

  page(key: Key): Uint8Array | null {
    const versions = this.#versions.get(key);
    if (versions === undefined) return null;
    const page = new Uint8Array(pageSize);
    this.#rebuilder.resume(page);
    for (const { at, bytes } of versions) {
      this.#rebuilder.apply(new DataView(bytes.buffer), 0, bytes.length, at);
    }
    return page;
  }

  /** The newest value of a family's block, as `get`. */
  value(family: KeyFamily, block = 0): Uint8Array | null {
    return this.get(this.key(family, block));
  }

  key(family: KeyFamily, block: number): Key {
    return makeKey(this.families.idOf(family), block);
  }

  /** Every key of a kind that has a value which is not empty. */
  live(kind: KeyKind): { readonly family: KeyFamily; readonly block: number }[] {
    return [...this.#versions.keys()]
      .map((key) => ({ id: keyFamily(key), block: keyBlock(key), key }))
      .filter(({ id, key }) => this.#isKind(id, kind) && this.get(key)!.length > 0)
      .map(({ id, block }) => ({ family: this.families.family(id), block }));
  }

  #isKind(id: FamilyId, kind: KeyKind): boolean {
    return this.families.family(id).kind === kind;
  }
}
