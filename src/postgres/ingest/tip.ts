/**
 * Tip: the newest state of one timeline, as ingest needs it. Whoever owns the timeline implements it.
 *
 * Everything is synchronous: a record's effects are complete when `Ingest.record` returns, and
 * nothing else may put into the same timeline meanwhile. What was put is seen by `get` at once.
 */
import { type FamilyTable, type Key, type KeyKind } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';

export interface Tip {
  /** Numbers the families of all keys that cross this interface. */
  readonly families: FamilyTable;

  /**
   * Stores one version, valid from `at` on. `init` = no older version is needed to read it: images,
   * records that initialise their page, and every value of a self-contained key. `bytes` are copied
   * before this returns; empty `bytes` mean that what the key names does not exist.
   */
  put(key: Key, at: Lsn, init: boolean, bytes: Uint8Array): void;

  /**
   * Newest value of a self-contained key (any kind but relationBlock and slruBlock); null when there
   * never was one. Valid until the next `put`.
   */
  get(key: Key): Uint8Array | null;

  /**
   * All keys of a self-contained kind within (tablespace, database) whose newest value is not empty:
   * the relations of a database, the segments of an SLRU (its kind stands in `tablespace`), the prepared
   * transactions. A snapshot: putting while iterating is allowed.
   */
  liveKeys(kind: KeyKind, tablespace: number, database: number): Iterable<Key>;

  /**
   * Newest version of a page, rebuilt: 8192 bytes, valid until the next call; null when nothing was
   * ever stored for it (it reads as zeros). Only copying a database needs it.
   */
  page(key: Key): Uint8Array | null;
}
