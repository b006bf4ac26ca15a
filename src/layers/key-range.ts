/**
 * KeyRange: a stretch of the key space, `[begin, end)`, independent of any family table, so that it
 * can stand in a file, a manifest or a file name.
 *
 * As text a bound is 38 hex digits, ordered as the keys are: kind 2, tablespace 8, database 8,
 * relation 8, fork 4, block 8.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import {
  compareFamilies,
  keyBlock,
  keyFamily,
  type FamilyId,
  type FamilyTable,
  type Key,
  type KeyFamily,
  type KeyKind,
} from '../base/key.ts';

/** A place in the key space. It need not be a key: it may lie beyond the last kind or fork. */
export interface KeyBound {
  readonly family: KeyFamily;
  readonly block: number;
}

/** Keys from `begin` up to, not including, `end`. */
export interface KeyRange {
  readonly begin: KeyBound;
  readonly end: KeyBound;
}

/** Blocks `[begin, end)` of one family. */
export interface BlockRange {
  readonly begin: number;
  readonly end: number;
}

const kindAfterAll = 255;
const boundPattern =
  /^([0-9A-F]{2})([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{4})([0-9A-F]{8})$/;

/** All keys there can be. */
export const wholeKeySpace: KeyRange = { begin: bound(0), end: bound(kindAfterAll) };

export function keyBound(families: FamilyTable, key: Key): KeyBound {
  return { family: families.family(keyFamily(key)), block: keyBlock(key) };
}

/** The bound just after a key: the end of a range whose last key it is. */
export function boundAfter(families: FamilyTable, key: Key): KeyBound {
  const { family, block } = keyBound(families, key);
  if (block < 0xffff_ffff) return { family, block: block + 1 };
  return { family: { ...family, fork: family.fork + 1 }, block: 0 };
}

export function compareBounds(a: KeyBound, b: KeyBound): number {
  return compareFamilies(a.family, b.family) || a.block - b.block;
}

/** Where a key lies relative to a bound: negative before it, zero on it, positive after it. */
export function compareKeyToBound(families: FamilyTable, key: Key, other: KeyBound): number {
  const order = compareFamilies(families.family(keyFamily(key)), other.family);
  return order === 0 ? keyBlock(key) - other.block : order;
}

export function rangeContains(families: FamilyTable, range: KeyRange, key: Key): boolean {
  return (
    compareKeyToBound(families, key, range.begin) >= 0 &&
    compareKeyToBound(families, key, range.end) < 0
  );
}

export function rangesOverlap(a: KeyRange, b: KeyRange): boolean {
  return compareBounds(a.begin, b.end) < 0 && compareBounds(b.begin, a.end) < 0;
}

/** Whether every key of `inner` is a key of `outer`. */
export function rangeCovers(outer: KeyRange, inner: KeyRange): boolean {
  return compareBounds(outer.begin, inner.begin) <= 0 && compareBounds(inner.end, outer.end) <= 0;
}

/** Tells the keys of a range from others, quickly: a family is compared once. */
export class KeyFilter {
  readonly range: KeyRange;
  readonly #families: FamilyTable;
  /** By family number: whether some block of it may lie in the range. */
  readonly #known: (boolean | undefined)[] = [];

  constructor(families: FamilyTable, range: KeyRange) {
    this.range = range;
    this.#families = families;
  }

  hasFamily(id: FamilyId): boolean {
    return (this.#known[id] ??= this.#overlaps(this.#families.family(id)));
  }

  has(key: Key): boolean {
    return this.hasFamily(keyFamily(key)) && rangeContains(this.#families, this.range, key);
  }

  #overlaps(family: KeyFamily): boolean {
    const { begin, end } = this.range;
    return (
      compareFamilies(family, begin.family) >= 0 && compareBounds({ family, block: 0 }, end) < 0
    );
  }
}

/** All keys of one kind in one database of one tablespace. */
export function databaseRange(kind: KeyKind, tablespace: number, database: number): KeyRange {
  const begin: KeyFamily = { kind, tablespace, database, relation: 0, fork: 0 };
  const end = { ...begin, relation: 0xffff_ffff, fork: 0xffff };
  return { begin: { family: begin, block: 0 }, end: { family: end, block: 0 } };
}

export function formatBound({ family, block }: KeyBound): string {
  return [
    hex(family.kind, 2),
    hex(family.tablespace, 8),
    hex(family.database, 8),
    hex(family.relation, 8),
    hex(family.fork, 4),
    hex(block, 8),
  ].join('');
}

/** Fails with `layer_name_unreadable` unless the text is what `formatBound` writes. */
export function parseBound(text: string): KeyBound {
  const match = boundPattern.exec(text);
  ensure(match !== null, 'layer_name_unreadable', { text });
  const [kind, tablespace, database, relation, fork, block] = match
    .slice(1)
    .map((digits) => parseInt(digits, 16)) as [number, number, number, number, number, number];
  const family = { kind: kind as KeyKind, tablespace, database, relation, fork };
  return { family, block };
}

function bound(kind: number): KeyBound {
  const family = { kind: kind as KeyKind, tablespace: 0, database: 0, relation: 0, fork: 0 };
  return { family, block: 0 };
}

function hex(value: number, digits: number): string {
  const text = value.toString(16).toUpperCase().padStart(digits, '0');
  assert(text.length === digits, 'a key coordinate fits its digits');
  return text;
}
