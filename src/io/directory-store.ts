/**
 * DirectoryStore: an object store in a folder that several processes, of several hosts if the file
 * system is shared, use at once. Without locks: nobody waits for a process that died.
 *
 * ```
 * <root>/<key>@/            an object
 *   head-<version>          empty: which body is the object
 *   body-<version>          its bytes
 * <root>/.new/<id>/         an object being created
 * <root>/.gone/<id>/        an object being deleted
 *
 * <version>                 <number>.<16 hex digits, random>.<CRC-32 of the bytes, hex>
 * ```
 *
 * Each change is one rename(2). A creation moves a whole folder to its name, which fails while there
 * is one. A swap renames the head that it knows to that of its own body: only one of those who know a
 * head can, and a head never comes back, so a writer that slept through any number of changes fails
 * as well. A deletion moves the folder away. A listing may miss what changes meanwhile, but a head
 * that it has seen was there: the highest is the one of some instant of the listing.
 *
 * A body becomes garbage as soon as a head has a number as high as its own. Until a swap
 * of its object sweeps it, the body of a writer that was killed lies about, ignored. What was being
 * created is moved away after a while; its creator, if it lives, begins again.
 *
 * A sync that fails leaves the outcome open: the bytes are never synced again in the same file, and
 * of folders the file system's own journal stops at what it could not write.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from '../base/crc32.ts';
import { ensure, Failure } from '../base/failure.ts';
import { realFolderFiles, type FolderFiles } from './folder-files.ts';
import { keyParts, prefixParts, type ObjectStore, type StoredObject } from './object-store.ts';

const creationAge_max_ms = 600_000;
/** Each further try means that another process has changed the same object meanwhile. */
const tries_max = 1_000;

export class DirectoryStore implements ObjectStore {
  readonly #root: string;
  readonly #files: FolderFiles;
  #ready: Promise<void> | null = null;

  constructor(root: string, files: FolderFiles = realFolderFiles) {
    this.#root = root;
    this.#files = files;
  }

  async get(key: string): Promise<StoredObject | null> {
    const folder = this.#folder(key);
    let seen: string | null = null;
    for (let tries = 0; tries < tries_max; tries += 1) {
      const names = await this.#files.names(folder);
      if (names === null) return null;
      const version = highestHead(names);
      if (version === null) continue; // it was renamed while the folder was read
      const bytes = await this.#files.read(`${folder}/body-${version}`);
      if (bytes !== null) {
        ensure(hasChecksum(version, bytes), 'store_object_damaged', { key, version });
        await this.#syncUp(key, folder);
        return { bytes, version };
      }
      // Swept by a newer version, or never to be found.
      ensure(version !== seen, 'store_object_damaged', { key, version, body: 'missing' });
      seen = version;
    }
    ensure(seen !== null, 'store_object_damaged', { key, head: 'missing' });
    throw new Failure('store_unavailable', { key, tries: tries_max });
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    return (await this.#create(key, bytes)) !== null;
  }

  putIfUnchanged(key: string, bytes: Uint8Array, version: string | null): Promise<string | null> {
    return version === null ? this.#create(key, bytes) : this.#swap(key, bytes, version);
  }

  async list(prefix: string): Promise<readonly string[]> {
    const above = prefixParts(prefix).slice(0, -1);
    const found: string[] = [];
    await this.#walk(above, prefix, found);
    return found.sort();
  }

  async delete(key: string): Promise<void> {
    const folder = this.#folder(key);
    await this.#prepare();
    const away = `${this.#root}/.gone/${newId()}`;
    const outcome = await this.#files.rename(folder, away);
    await this.#syncUp(key, null);
    if (outcome === 'done') await this.#files.remove(away);
    await this.#prune(key);
  }

  /** Null when there is one. */
  async #create(key: string, bytes: Uint8Array): Promise<string | null> {
    const folder = this.#folder(key);
    await this.#prepare();
    const version = nextVersion(0, bytes);
    for (let tries = 0; tries < tries_max; tries += 1) {
      const creation = `${this.#root}/.new/${newId()}`;
      let outcome: 'done' | 'missing' | 'occupied' | null = null;
      try {
        await this.#writeObject(creation, version, bytes);
        await this.#files.makeFolder(parentOf(folder));
        outcome = await this.#files.rename(creation, folder);
      } finally {
        if (outcome !== 'done') await this.#files.remove(creation);
      }
      // Missing: a deletion nearby has pruned the parent, or another process took the creation
      // for one of the dead.
      if (outcome === 'missing') continue;
      await this.#syncUp(key, folder);
      return outcome === 'done' ? version : null;
    }
    throw new Failure('store_unavailable', { key, tries: tries_max });
  }

  async #writeObject(folder: string, version: string, bytes: Uint8Array): Promise<void> {
    await this.#files.makeFolder(folder);
    await this.#files.writeNew(`${folder}/body-${version}`, bytes);
    await this.#files.writeNew(`${folder}/head-${version}`, new Uint8Array(0));
    await this.#files.syncFolder(folder);
  }

  async #swap(key: string, bytes: Uint8Array, version: string): Promise<string | null> {
    const folder = this.#folder(key);
    const number = numberOf(version);
    if (number === null) return null;
    const next = nextVersion(number, bytes);
    const body = `${folder}/body-${next}`;
    if (!(await this.#files.writeNew(body, bytes))) return null;
    await this.#files.syncFolder(folder);
    const outcome = await this.#files.rename(`${folder}/head-${version}`, `${folder}/head-${next}`);
    if (outcome !== 'done') {
      await this.#files.remove(body);
      return null;
    }
    await this.#syncUp(key, folder);
    await this.#sweep(folder);
    return next;
  }

  /**
   * Removes bodies that are none now and can no longer become one, as told by a head seen beside
   * them: by now the folder may be that of a later object.
   */
  async #sweep(folder: string): Promise<void> {
    const names = (await this.#files.names(folder)) ?? [];
    const head = highestHead(names);
    if (head === null) return;
    for (const name of names) {
      const version = versionIn(name, 'body-');
      if (version === null || version === head || numberOf(version)! > numberOf(head)!) continue;
      await this.#files.remove(`${folder}/${name}`);
    }
  }

  async #walk(above: readonly string[], prefix: string, found: string[]): Promise<void> {
    const folder = [this.#root, ...above].join('/');
    for (const name of (await this.#files.names(folder)) ?? []) {
      if (name.startsWith('.')) continue;
      const isObject = name.endsWith('@');
      const path = [...above, isObject ? name.slice(0, -1) : name];
      const key = path.join('/');
      if (isObject && key.startsWith(prefix)) found.push(key);
      const leadsOn = `${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`);
      if (!isObject && leadsOn) await this.#walk(path, prefix, found);
    }
  }

  /** Makes an object's folder, and the names that lead to it, durable. */
  async #syncUp(key: string, folder: string | null): Promise<void> {
    if (folder !== null) await this.#files.syncFolder(folder);
    for (const above of this.#foldersAbove(key)) await this.#files.syncFolder(above);
    await this.#files.syncFolder(this.#root);
  }

  /** Removes the folders that led to a deleted object alone. */
  async #prune(key: string): Promise<void> {
    for (const above of this.#foldersAbove(key))
      if (!(await this.#files.removeEmptyFolder(above))) return;
  }

  /** Lowest first, without the root. */
  #foldersAbove(key: string): readonly string[] {
    const parts = keyParts(key).slice(0, -1);
    return parts.map((_, at) => [this.#root, ...parts.slice(0, at + 1)].join('/')).reverse();
  }

  #folder(key: string): string {
    return `${this.#root}/${keyParts(key).join('/')}@`;
  }

  /** Makes the root, and clears away what processes that died left, once per store. */
  async #prepare(): Promise<void> {
    this.#ready ??= this.#clean();
    try {
      await this.#ready;
    } catch (cause) {
      this.#ready = null; // the next one tries again
      throw cause;
    }
  }

  async #clean(): Promise<void> {
    await this.#files.makeFolder(`${this.#root}/.new`);
    await this.#files.makeFolder(`${this.#root}/.gone`);
    await this.#files.syncFolder(this.#root);
    await this.#files.syncFolder(parentOf(this.#root));
    for (const name of (await this.#files.names(`${this.#root}/.new`)) ?? []) {
      const creation = `${this.#root}/.new/${name}`;
      const age_ms = await this.#files.age_ms(creation);
      if (age_ms === null || age_ms < creationAge_max_ms) continue;
      await this.#files.rename(creation, `${this.#root}/.gone/${newId()}`);
    }
    for (const name of (await this.#files.names(`${this.#root}/.gone`)) ?? [])
      await this.#files.remove(`${this.#root}/.gone/${name}`);
  }
}

const versionPattern = /^([1-9][0-9]{0,15})\.[0-9a-f]{16}\.([0-9a-f]{8})$/;

function nextVersion(number: number, bytes: Uint8Array): string {
  return `${number + 1}.${newId()}.${checksum(bytes)}`;
}

function hasChecksum(version: string, bytes: Uint8Array): boolean {
  return version.endsWith(`.${checksum(bytes)}`);
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

/** Null when it is no version of ours. */
function numberOf(version: string): number | null {
  const number = versionPattern.exec(version)?.[1];
  return number === undefined ? null : Number(number);
}

function versionIn(name: string, kind: 'head-' | 'body-'): string | null {
  const version = name.startsWith(kind) ? name.slice(kind.length) : '';
  return numberOf(version) === null ? null : version;
}

function highestHead(names: readonly string[]): string | null {
  const heads = names.flatMap((name) => versionIn(name, 'head-') ?? []);
  return heads.sort((a, b) => numberOf(a)! - numberOf(b)!).at(-1) ?? null;
}

function newId(): string {
  return randomBytes(8).toString('hex');
}

function parentOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end <= 0 ? '/' : path.slice(0, end);
}
