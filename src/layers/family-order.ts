/**
 * FamilyOrder: the families of a table in the order files keep them. A table numbers families as it
 * meets them; sorting many keys is quick when the families are ranked once.
 */
import { compareFamilies, type FamilyId, type FamilyTable } from '../base/key.ts';

/** Every family number of the table, sorted by what it stands for. */
export function sortedFamilies(families: FamilyTable): FamilyId[] {
  const order = Array.from({ length: families.count }, (_, id) => id as FamilyId);
  return order.sort((a, b) => compareFamilies(families.family(a), families.family(b)));
}
