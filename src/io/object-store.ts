/**
 * ObjectStore: where what must outlive every host is kept: whole objects under keys, each read,
 * created, swapped or removed at once. A small port, so that a bucket can stand behind it
 * (`If-None-Match: *`, `If-Match`); `directory-store.ts` is the adapter for a shared file system.
 *
 * Every operation takes effect at one instant between its call and its answer, for all processes.
 * What is answered is durable, what was read too. A failure of kind `unavailable` says nothing of
 * the outcome: the change may have happened, or may yet; whoever needs to know reads again.
 */
import { ensure } from '../base/failure.ts';

export interface StoredObject {
  readonly bytes: Uint8Array;
  /** Names this content of this object, and no other one before or after it. */
  readonly version: string;
}

/** Fails with `store_unavailable`, `disk_full`, `store_object_damaged` and `store_key_invalid`. */
export interface ObjectStore {
  get(key: string): Promise<StoredObject | null>;
  /** False when there is one already; its content is untouched. */
  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean>;
  /**
   * The new version, or null when the object is not, or no longer, the one of `version`. With
   * version null it must not exist.
   */
  putIfUnchanged(key: string, bytes: Uint8Array, version: string | null): Promise<string | null>;
  /** Keys that begin with `prefix`, in order. One may be on its way in or out: `get` tells. */
  list(prefix: string): Promise<readonly string[]>;
  /** Nothing happens when there is none. */
  delete(key: string): Promise<void>;
}

const part = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;
const keyLength_max = 900; // S3 takes 1,024; the rest is for a bucket's own prefix

/** Parts of a key: letters, digits, `.`, `_` and `-`, joined by `/`; none begins with a dot. */
export function keyParts(key: string): readonly string[] {
  const parts = key.split('/');
  const valid = key.length <= keyLength_max && parts.every((each) => part.test(each));
  ensure(valid, 'store_key_invalid', { key });
  return parts;
}

/** The same of the beginning of a key, which may end anywhere. */
export function prefixParts(prefix: string): readonly string[] {
  const parts = prefix.split('/');
  const last = parts.at(-1) === '' ? parts.slice(0, -1) : parts;
  const valid = prefix.length <= keyLength_max && last.every((each) => part.test(each));
  ensure(valid, 'store_key_invalid', { key: prefix });
  return parts;
}
