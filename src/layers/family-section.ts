/**
 * FamilySection: the part of a layer file's index that spells its families out, once each, sorted,
 * with the number of the first entry and the first value that belong to each:
 *
 * ```
 * 0 kind u8 | 1 fork u8 | 2 zero u16 | 4 tablespace u32 | 8 database u32 | 12 relation u32 |
 * 16 first entry u32 | 20 first value u32
 * ```
 *
 * Read, it translates between the file's families and the numbers of one `FamilyTable`.
 */
import { ensure } from '../base/failure.ts';
import {
  compareFamilies,
  type FamilyId,
  type FamilyTable,
  type KeyFamily,
  type KeyKind,
} from '../base/key.ts';
import { struct, u16, u32, u8 } from '../base/struct.ts';

export const FamilyRow = struct(
  {
    kind: u8,
    fork: u8,
    zero: u16,
    tablespace: u32,
    database: u32,
    relation: u32,
    firstEntry: u32,
    firstValue: u32,
  },
  { size: 24 },
);
const forksMax = 8;

/** A family with where its entries and values begin. */
export interface FamilyStart {
  readonly family: KeyFamily;
  readonly firstEntry: number;
  readonly firstValue: number;
}

/** Where the section lies in a file's index, and what its last family's entries and values end at. */
export interface FamilySectionPlace {
  readonly count: number;
  readonly entries: number;
  readonly values: number;
}

export class FamilySection {
  readonly count: number;
  /** Entries of family `local` are `[firstEntries[local], firstEntries[local + 1])`. */
  readonly firstEntries: Uint32Array;
  readonly firstValues: Uint32Array;
  readonly #ids: FamilyId[] = [];
  readonly #locals = new Map<FamilyId, number>();

  /** Reads the section at the front of `index`; its families get numbers in `families`. */
  constructor(index: DataView, place: FamilySectionPlace, families: FamilyTable) {
    const { count } = place;
    ensure(count * FamilyRow.size <= index.byteLength, 'layer_index_malformed', { count });
    this.count = count;
    this.firstEntries = new Uint32Array(count + 1);
    this.firstValues = new Uint32Array(count + 1);
    for (let local = 0; local < count; local += 1) {
      const at = local * FamilyRow.size;
      const id = families.idOf(readFamily(index, at));
      this.firstEntries[local] = FamilyRow.firstEntry.get(index, at);
      this.firstValues[local] = FamilyRow.firstValue.get(index, at);
      this.#ids.push(id);
      this.#locals.set(id, local);
    }
    this.firstEntries[count] = place.entries;
    this.firstValues[count] = place.values;
    this.#check(families);
  }

  /** The file's number of a family, or -1. */
  local(family: FamilyId): number {
    return this.#locals.get(family) ?? -1;
  }

  /** The table's number of the file's family `local`. */
  id(local: number): FamilyId {
    return this.#ids[local]!;
  }

  #check(families: FamilyTable): void {
    ensure(this.firstEntries[0] === 0, 'layer_index_malformed', { firstEntry: 0 });
    ensure(this.firstValues[0] === 0, 'layer_index_malformed', { firstValue: 0 });
    for (let local = 0; local < this.count; local += 1) {
      const grows =
        this.firstEntries[local]! <= this.firstEntries[local + 1]! &&
        this.firstValues[local]! <= this.firstValues[local + 1]!;
      const sorted = local === 0 || inOrder(families, this.id(local - 1), this.id(local));
      ensure(grows && sorted, 'layer_index_malformed', { family: local });
    }
  }
}

/** The section's bytes. */
export function buildFamilySection(starts: readonly FamilyStart[]): Uint8Array {
  const section = new Uint8Array(starts.length * FamilyRow.size);
  const view = new DataView(section.buffer);
  starts.forEach(({ family, firstEntry, firstValue }, local) => {
    const at = local * FamilyRow.size;
    FamilyRow.kind.set(view, at, family.kind);
    FamilyRow.fork.set(view, at, family.fork);
    FamilyRow.tablespace.set(view, at, family.tablespace);
    FamilyRow.database.set(view, at, family.database);
    FamilyRow.relation.set(view, at, family.relation);
    FamilyRow.firstEntry.set(view, at, firstEntry);
    FamilyRow.firstValue.set(view, at, firstValue);
  });
  return section;
}

function readFamily(view: DataView, at: number): KeyFamily {
  const fork = FamilyRow.fork.get(view, at);
  ensure(fork < forksMax, 'layer_index_malformed', { fork });
  return {
    kind: FamilyRow.kind.get(view, at) as KeyKind,
    tablespace: FamilyRow.tablespace.get(view, at),
    database: FamilyRow.database.get(view, at),
    relation: FamilyRow.relation.get(view, at),
    fork,
  };
}

function inOrder(families: FamilyTable, a: FamilyId, b: FamilyId): boolean {
  return compareFamilies(families.family(a), families.family(b)) < 0;
}
