/**
 * Key: what a stored version is a version of. Ordered by (kind, tablespace, database, relation,
 * fork, block), compared as unsigned numbers in that order.
 *
 * Everything but the block is a **family**; a `FamilyTable` gives each family it meets a small
 * number, so that in memory a key is one number: `family * 2^32 + block`. Family numbers mean
 * nothing outside their table: files spell the family out.
 */
import { assert } from './assert.ts';

declare const brand: unique symbol;
/** `familyId * 2^32 + block`, valid with the table that numbered the family. */
export type Key = number & { readonly [brand]: 'Key' };
/** A family's number in one `FamilyTable`: 0, 1, 2, … */
export type FamilyId = number & { readonly [brand]: 'FamilyId' };
/** A block number within a relation fork or SLRU segment: a 32-bit unsigned integer. */
export type BlockNumber = number & { readonly [brand]: 'BlockNumber' };

/**
 * The kinds of keys, and what the other fields then mean. Fields not named are 0.
 *
 * | kind | tablespace | database | relation | fork | block | value |
 * |---|---|---|---|---|---|---|
 * | relationBlock | tablespace | database | relfilenumber | fork | block | page value |
 * | relationSize | tablespace | database | relfilenumber | fork | 0 | u32 blocks; empty = does not exist |
 * | database | tablespace | database | 0 | 0 | 0 | PG_VERSION text; empty = dropped |
 * | relationMap | tablespace | database | 0 | 0 | 0 | pg_filenode.map bytes |
 * | slruBlock | slru kind | 0 | segment | 0 | block in segment | page value |
 * | slruSize | slru kind | 0 | segment | 0 | 0 | u32 blocks; empty = does not exist |
 * | checkpoint | 0 | 0 | 0 | 0 | 0 | the CheckPoint struct as of this LSN |
 * | controlFile | 0 | 0 | 0 | 0 | 0 | pg_control as imported |
 * | twoPhase | 0 | 0 | xid epoch | 0 | xid | state file bytes; empty = gone |
 * | auxFile | class | 0 | number | 0 | 0 | class 1: LSN to which that replication origin is applied |
 */
export const keyKinds = {
  relationBlock: 0,
  relationSize: 1,
  database: 2,
  relationMap: 3,
  slruBlock: 4,
  slruSize: 5,
  checkpoint: 6,
  controlFile: 7,
  twoPhase: 8,
  auxFile: 9,
} as const;
export type KeyKind = (typeof keyKinds)[keyof typeof keyKinds];

/** Everything of a key but its block. */
export interface KeyFamily {
  readonly kind: KeyKind;
  readonly tablespace: number;
  readonly database: number;
  readonly relation: number;
  readonly fork: number;
}

const twoPow32 = 2 ** 32;
/** 2^53 / 2^32: more families than this cannot be packed into a number. */
const familiesMax = 2 ** 21;

export function makeKey(family: FamilyId, block: number): Key {
  return (family * twoPow32 + block) as Key;
}

export function keyFamily(key: Key): FamilyId {
  return Math.floor(key / twoPow32) as FamilyId;
}

export function keyBlock(key: Key): BlockNumber {
  return (key >>> 0) as BlockNumber; // modulo 2^32, also of what exceeds it
}

/** Order of families, without their blocks: negative, zero or positive. */
export function compareFamilies(a: KeyFamily, b: KeyFamily): number {
  return (
    a.kind - b.kind ||
    a.tablespace - b.tablespace ||
    a.database - b.database ||
    a.relation - b.relation ||
    a.fork - b.fork
  );
}

/** Numbers families in the order in which they are met. Never forgets one. */
export class FamilyTable {
  readonly #spaces = new Map<number, Map<number, Space>>();
  readonly #families: KeyFamily[] = [];
  #lastSpace: Space = { tablespace: -1, database: -1, ids: new Map<number, FamilyId>() };

  /** The family's number, given on first sight. Allocates nothing for a family already known. */
  // eslint-disable-next-line max-params -- five coordinates on the hot path; a record would allocate
  id(
    kind: KeyKind,
    tablespace: number,
    database: number,
    relation: number,
    fork: number,
  ): FamilyId {
    const { ids } = this.#space(tablespace, database);
    const inner = (kind * 8 + fork) * twoPow32 + relation;
    return ids.get(inner) ?? this.#add(ids, inner, { kind, tablespace, database, relation, fork });
  }

  idOf(family: KeyFamily): FamilyId {
    return this.id(family.kind, family.tablespace, family.database, family.relation, family.fork);
  }

  family(id: FamilyId): KeyFamily {
    const family = this.#families[id];
    assert(family !== undefined, 'a family number comes from this table');
    return family;
  }

  get count(): number {
    return this.#families.length;
  }

  /** Orders two keys of this table as files order them. */
  compare(a: Key, b: Key): number {
    const familyA = keyFamily(a);
    const familyB = keyFamily(b);
    if (familyA === familyB) return a - b;
    return compareFamilies(this.family(familyA), this.family(familyB));
  }

  #space(tablespace: number, database: number): Space {
    const last = this.#lastSpace;
    if (last.tablespace === tablespace && last.database === database) return last;
    let byDatabase = this.#spaces.get(tablespace);
    if (byDatabase === undefined) {
      byDatabase = new Map<number, Space>();
      this.#spaces.set(tablespace, byDatabase);
    }
    let space = byDatabase.get(database);
    if (space === undefined) {
      space = { tablespace, database, ids: new Map<number, FamilyId>() };
      byDatabase.set(database, space);
    }
    this.#lastSpace = space;
    return space;
  }

  #add(ids: Map<number, FamilyId>, inner: number, family: KeyFamily): FamilyId {
    assert(family.fork < 8, 'a fork number is below 8');
    assert(this.#families.length < familiesMax, 'families fit the high part of a key');
    const id = this.#families.length as FamilyId;
    this.#families.push(family);
    ids.set(inner, id);
    return id;
  }
}

/** The families of one (tablespace, database): in WAL, neighbours mostly share it. */
interface Space {
  readonly tablespace: number;
  readonly database: number;
  readonly ids: Map<number, FamilyId>;
}
