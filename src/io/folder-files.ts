/**
 * FolderFiles: files and folders that other processes change at the same time: the few operations
 * `directory-store.ts` is built of, asynchronous, and their adapter to a file system.
 *
 * What is missing is an outcome here, not an error: somebody else removed it. Other errors become
 * `disk_full` or `store_unavailable`.
 */
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { assert } from '../base/assert.ts';
import { Failure } from '../base/failure.ts';

export interface FolderFiles {
  /** Null when there is no such folder. What changes meanwhile may be among the names or not. */
  names(folder: string): Promise<readonly string[] | null>;
  /** Null when there is no such file. */
  read(path: string): Promise<Uint8Array | null>;
  /** A new file whose bytes are durable, its name not yet; false when there is no folder for it. */
  writeNew(path: string, bytes: Uint8Array): Promise<boolean>;
  /** `missing`: nothing at `from`, or no folder for `to`. `occupied`: `to` is a folder in use. */
  rename(from: string, to: string): Promise<'done' | 'missing' | 'occupied'>;
  /** Makes a folder and those above it. They may be gone again: others remove empty ones. */
  makeFolder(path: string): Promise<void>;
  /** Makes names in a folder durable; false when it is gone. */
  syncFolder(path: string): Promise<boolean>;
  /** Removes a file, or a folder and all in it, if it is there. */
  remove(path: string): Promise<void>;
  /** False when the folder is in use or gone. */
  removeEmptyFolder(path: string): Promise<boolean>;
  /** Since the last change of what is there; null when nothing is. */
  age_ms(path: string): Promise<number | null>;
}

const missing = ['ENOENT'];
const occupied = ['ENOTEMPTY', 'EEXIST'];

export const realFolderFiles: FolderFiles = {
  names: (folder) => unless('list', missing, null, () => readdir(folder)),
  read: (path) => unless('read', missing, null, async () => new Uint8Array(await readFile(path))),
  writeNew: (path, bytes) => unless('write', missing, false, () => writeNew(path, bytes)),
  rename: renameTo,
  makeFolder: (path) =>
    unless('make', missing, undefined, async () => {
      await mkdir(path, { recursive: true, mode: 0o700 });
    }),
  syncFolder: (path) => unless('sync', missing, false, () => syncFolder(path)),
  remove: (path) =>
    unless('remove', [], undefined, () => rm(path, { recursive: true, force: true })),
  removeEmptyFolder: (path) =>
    unless('remove', [...missing, ...occupied], false, async () => {
      await rmdir(path);
      return true;
    }),
  age_ms: (path) =>
    unless('stat', missing, null, async () => Date.now() - (await stat(path)).mtimeMs),
};

/** What could not be written or synced goes: in the same file a later sync would prove nothing. */
async function writeNew(path: string, bytes: Uint8Array): Promise<true> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.datasync();
    const { size } = await file.stat();
    assert(size === bytes.length, 'a file holds what was written');
  } catch (cause) {
    await rm(path, { force: true });
    throw cause;
  } finally {
    await file.close();
  }
  return true;
}

async function renameTo(from: string, to: string): Promise<'done' | 'missing' | 'occupied'> {
  return unless('rename', missing, 'missing', async () => {
    try {
      await rename(from, to);
      return 'done';
    } catch (cause) {
      if (occupied.includes(codeOf(cause) ?? '')) return 'occupied';
      throw cause;
    }
  });
}

async function syncFolder(path: string): Promise<true> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return true;
}

/** `otherwise` when the system answers one of `expected`; other errors become failures. */
async function unless<T, Otherwise>(
  operation: string,
  expected: readonly string[],
  otherwise: Otherwise,
  action: () => Promise<T>,
): Promise<T | Otherwise> {
  try {
    return await action();
  } catch (cause) {
    const error = codeOf(cause);
    if (error === null) throw cause;
    if (expected.includes(error)) return otherwise;
    const full = error === 'ENOSPC' || error === 'EDQUOT';
    throw new Failure(full ? 'disk_full' : 'store_unavailable', { operation, error }, cause);
  }
}

/** The system's own name of an error; null when it is none of the system's. */
function codeOf(cause: unknown): string | null {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : null;
}
