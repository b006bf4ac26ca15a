/**
 * Shelf: the timelines of this thread, found by id and by number.
 *
 * The one thing timelines share: a branch reads through its ancestors' layer maps, and must see what
 * their open layers hold. So all timelines of a host live on one thread, and number key families
 * with one table. Nothing here outlives the thread; a timeline that is restarted takes its place again.
 */
import { ensure } from '../../base/failure.ts';
import { FamilyTable } from '../../base/key.ts';
import { ChunkPool } from '../../layers/arena.ts';
import { type TimelineStore } from './store.ts';

/** Free chunks kept for the next open layer, in bytes. */
const pooled_bytes = 16 * 2 ** 20;

export const families = new FamilyTable();
export const chunkPool = new ChunkPool(pooled_bytes);

const byId = new Map<string, TimelineStore>();
const byNumber = new Map<number, TimelineStore>();

export function shelve(number: number, store: TimelineStore): void {
  byId.set(store.id, store);
  byNumber.set(number, store);
}

export function unshelve(number: number, store: TimelineStore): void {
  if (byId.get(store.id) === store) byId.delete(store.id);
  if (byNumber.get(number) === store) byNumber.delete(number);
}

/** Fails with `timeline_missing`. */
export function storeById(id: string): TimelineStore {
  const store = byId.get(id);
  ensure(store !== undefined, 'timeline_missing', { timeline: id });
  return store;
}

/** null while the timeline is not started, or between its death and its restart. */
export function findByNumber(number: number): TimelineStore | null {
  return byNumber.get(number) ?? null;
}

/**
 * Whether all that a timeline grows from is there to read: an ancestor that was restarted has what is
 * on its disk, and takes the rest in again.
 */
export function isWhole({ ancestor }: TimelineStore): boolean {
  if (ancestor === null) return true;
  const grownFrom = byId.get(ancestor.timeline);
  return grownFrom !== undefined && grownFrom.ingestedLsn >= ancestor.lsn && isWhole(grownFrom);
}
