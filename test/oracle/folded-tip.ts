/**
 * FoldedTip: a timeline's newest state, every version applied as it comes. Pages of a base directory
 * are read when first wanted, so a directory of any size may lie beneath.
 */
import { strict as assert } from 'node:assert';
import {
  FamilyTable,
  keyBlock,
  keyFamily,
  keyKinds,
  makeKey,
  type Key,
  type KeyFamily,
  type KeyKind,
} from '../../src/base/key.ts';
import { type Lsn } from '../../src/base/lsn.ts';
import { type Tip } from '../../src/postgres/ingest/tip.ts';
import { pageSize } from '../../src/postgres/page.ts';
import { PageRebuilder } from '../../src/postgres/redo/rebuild.ts';

/** A page as it was where WAL begins; null when there was none. */
export type BasePages = (family: KeyFamily, block: number) => Uint8Array | null;

export class FoldedTip implements Tip {
  readonly families = new FamilyTable();
  readonly #base: BasePages;
  readonly #pages = new Map<Key, Uint8Array>();
  readonly #values = new Map<Key, Uint8Array>();
  readonly #rebuilder: PageRebuilder;
  #last: Lsn | null = null;

  constructor(major: number, base: BasePages) {
    this.#base = base;
    this.#rebuilder = new PageRebuilder(major);
  }

  put(key: Key, at: Lsn, init: boolean, bytes: Uint8Array): void {
    assert.ok(this.#last === null || at >= this.#last, 'LSNs never go back');
    this.#last = at;
    if (!this.#isPage(key)) {
      this.#values.set(key, bytes.slice());
      return;
    }
    const page = this.hold(key);
    if (init) page.fill(0);
    this.#rebuilder.resume(page);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#rebuilder.apply(view, 0, bytes.length, at);
  }

  get(key: Key): Uint8Array | null {
    assert.ok(!this.#isPage(key), 'a page is asked for by page');
    return this.#values.get(key) ?? null;
  }

  *liveKeys(kind: KeyKind, tablespace: number, database: number): Iterable<Key> {
    for (const key of [...this.#values.keys()]) {
      const family = this.families.family(keyFamily(key));
      const isAsked =
        family.kind === kind && family.tablespace === tablespace && family.database === database;
      if (isAsked && this.get(key)!.length > 0) yield key;
    }
  }

  page(key: Key): Uint8Array | null {
    return this.#pages.get(key) ?? this.#base(this.families.family(keyFamily(key)), keyBlock(key));
  }

  /** The page itself, to be changed in place; zeros when there was none. */
  hold(key: Key): Uint8Array {
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = this.page(key)?.slice() ?? new Uint8Array(pageSize);
      this.#pages.set(key, page);
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
    return [...this.#values]
      .map(([key, value]) => ({ family: this.families.family(keyFamily(key)), key, value }))
      .filter(({ family, value }) => family.kind === kind && value.length > 0)
      .map(({ family, key }) => ({ family, block: keyBlock(key) }));
  }

  #isPage(key: Key): boolean {
    const { kind } = this.families.family(keyFamily(key));
    return kind === keyKinds.relationBlock || kind === keyKinds.slruBlock;
  }
}
