/**
 * AtomicFile: a small file that is replaced whole: a reader, or a host after a crash, sees the old
 * bytes or the new ones, never a mixture.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { asDiskFailure } from './disk.ts';

/**
 * Writes beside, syncs, renames over, syncs the folder. Durable when it returns. Fails with `disk_full`
 * or `disk_failed`; then the file is the old one or, when only the last sync failed, the new one.
 */
export function replaceFile(path: string, content: Uint8Array): void {
  try {
    replace(path, content);
  } catch (cause) {
    throw asDiskFailure('replace', cause);
  }
}

function replace(path: string, content: Uint8Array): void {
  const beside = `${path}.new`;
  const file = openSync(beside, 'w', 0o644);
  try {
    for (let at = 0; at < content.length;) at += writeSync(file, content, at);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  syncFolder(dirname(path));
}

/** Makes creations, renames and removals in `folder` durable. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The file's bytes, or null when it does not exist. */
export function readFileIfThere(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw cause;
  }
}
