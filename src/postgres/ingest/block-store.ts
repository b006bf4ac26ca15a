/**
 * BlockStore: versions of blocks, and the sizes of what they belong to: relation forks and SLRU
 * segments. Putting a block beyond the end extends, as redo extends files.
 *
 * A page within the size that has no value reads as zeros. That is not enough where an older version
 * may lie beneath (the relation was truncated or its number used again, the segment wrapped around),
 * and nobody remembers which blocks those are: so every block an extension jumps over gets a small
 * `zeroPage` value, and the block itself too unless its first version needs no older one.
 */
import { assert } from '../../base/assert.ts';
import { keyKinds, makeKey, type FamilyId, type Key } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { u32 } from '../../base/struct.ts';
import { writeZeroPage, zeroPageSize } from '../redo/slru.ts';
import { type Tip } from './tip.ts';

/** The size of what does not exist. */
export const sizeMissing = -1;
const nothing = new Uint8Array(0);

export class BlockStore {
  readonly #tip: Tip;
  /** Sizes in blocks by block family, loaded when first asked for. */
  readonly #sizes = new Map<FamilyId, number>();
  readonly #zero = new Uint8Array(zeroPageSize);
  readonly #sizeBytes = new Uint8Array(u32.size);
  readonly #sizeView = new DataView(this.#sizeBytes.buffer);

  constructor(tip: Tip) {
    this.#tip = tip;
    writeZeroPage(new DataView(this.#zero.buffer));
  }

  /** Blocks of a relation fork or SLRU segment, `sizeMissing` when there is none. */
  size(family: FamilyId): number {
    const known = this.#sizes.get(family);
    if (known !== undefined) return known;
    const stored = this.#tip.get(this.#sizeKey(family));
    const size = stored === null || stored.length === 0 ? sizeMissing : sizeFrom(stored);
    this.#sizes.set(family, size);
    return size;
  }

  /** Makes it exist with no blocks, unless it exists. */
  create(family: FamilyId, at: Lsn): void {
    if (this.size(family) === sizeMissing) this.#setSize(family, at, 0);
  }

  /** Cuts it to `blocks`; what is no longer than that stays as it is. */
  truncate(family: FamilyId, at: Lsn, blocks: number): void {
    if (this.size(family) > blocks) this.#setSize(family, at, blocks);
  }

  /** It no longer exists. */
  drop(family: FamilyId, at: Lsn): void {
    if (this.size(family) === sizeMissing) return;
    this.#tip.put(this.#sizeKey(family), at, true, nothing);
    this.#sizes.set(family, sizeMissing);
  }

  /** Stores one version of a page, creating and extending as needed. `init` as in `Tip.put`. */
  // eslint-disable-next-line max-params -- once per page change: a record would allocate
  put(family: FamilyId, block: number, at: Lsn, init: boolean, bytes: Uint8Array): void {
    if (block >= this.size(family)) this.#extend(family, at, init ? block : block + 1, block + 1);
    this.#tip.put(makeKey(family, block), at, init, bytes);
  }

  /** The page becomes zeros, whatever it was. */
  zero(family: FamilyId, at: Lsn, block: number): void {
    if (block >= this.size(family)) this.#extend(family, at, block + 1, block + 1);
    else this.#tip.put(makeKey(family, block), at, true, this.#zero);
  }

  /** Zeros for blocks from the end up to `zeroEnd`, then the new size. */
  #extend(family: FamilyId, at: Lsn, zeroEnd: number, size: number): void {
    const first = Math.max(0, this.size(family));
    for (let block = first; block < zeroEnd; block += 1) {
      this.#tip.put(makeKey(family, block), at, true, this.#zero);
    }
    this.#setSize(family, at, size);
  }

  #setSize(family: FamilyId, at: Lsn, size: number): void {
    assert(size >= 0, 'what exists has a size');
    this.#sizeView.setUint32(0, size, true);
    this.#tip.put(this.#sizeKey(family), at, true, this.#sizeBytes);
    this.#sizes.set(family, size);
  }

  #sizeKey(family: FamilyId): Key {
    const { kind, tablespace, database, relation, fork } = this.#tip.families.family(family);
    assert(kind in sizeKinds, 'only forks and segments have a size');
    const sizeKind = sizeKinds[kind as keyof typeof sizeKinds];
    return makeKey(this.#tip.families.id(sizeKind, tablespace, database, relation, fork), 0);
  }
}

/** Which kind of key holds the size of a kind of block. */
const sizeKinds = {
  [keyKinds.relationBlock]: keyKinds.relationSize,
  [keyKinds.slruBlock]: keyKinds.slruSize,
} as const;

/** Reads a relationSize or slruSize value that is not empty, in blocks. */
export function sizeFrom(value: Uint8Array): number {
  assert(value.length === u32.size, 'a size is four bytes');
  return new DataView(value.buffer, value.byteOffset, value.length).getUint32(0, true);
}
