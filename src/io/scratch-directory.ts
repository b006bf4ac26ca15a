/**
 * ScratchDirectory: what a compute puts on the disk it may lose: folders, links and files that belong to
 * another user.
 *
 * Errors of the system are failures: `disk_full`, else `disk_failed`. Nothing is synced.
 */
import {
  chownSync,
  existsSync,
  ftruncateSync,
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { ensure } from '../base/failure.ts';
import { asDiskFailure } from './disk.ts';
import { type Identity } from './postgres-process.ts';

const block_bytes = 8_192;
const zeros = Buffer.alloc(block_bytes);

export function scratchExists(path: string): boolean {
  return existsSync(path);
}

/** Makes a folder, and those above it, unless it is there. They stay the host's. */
export function makeFolder(path: string): void {
  scratch('mkdir', () => mkdirSync(path, { recursive: true, mode: 0o755 }));
}

/** Makes a folder that only `owner` may enter, and those above it. */
export function makeOwnedFolder(path: string, { uid, gid }: Identity): void {
  scratch('mkdir', () => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chownSync(path, uid, gid);
  });
}

export function makeLink(path: string, target: string): void {
  scratch('symlink', () => {
    symlinkSync(target, path);
  });
}

/** Makes a file that only `owner` may read. Blocks of zeros take no room and no time. */
export function makeOwnedFile(path: string, bytes: Uint8Array, { uid, gid }: Identity): void {
  scratch('write', () => {
    const file = openSync(path, 'wx', 0o600);
    try {
      ftruncateSync(file, bytes.length);
      for (let at = 0; at < bytes.length; at += block_bytes) {
        const block = bytes.subarray(at, at + block_bytes);
        if (zeros.compare(block) !== 0) writeAll(file, block, at);
      }
    } finally {
      closeSync(file);
    }
    chownSync(path, uid, gid);
  });
}

/** A file without a name, which goes when it is closed. `path` is its name for a moment. */
export function openNameless(path: string): number {
  return scratch('open', () => {
    const file = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return file;
  });
}

/** Writes all of `bytes`, which a disk that is nearly full may take in part before it refuses. */
export function writeWhole(file: number, bytes: Uint8Array, position: number): void {
  scratch('write', () => {
    writeAll(file, bytes, position);
  });
}

/** Makes a file this long: what is new is zeros, and takes no room. */
export function resizeFile(file: number, size: number): void {
  scratch('truncate', () => {
    ftruncateSync(file, size);
  });
}

/** Removes a folder with all that is in it, if it is there. */
export function removeFolder(path: string): void {
  scratch('remove', () => {
    rmSync(path, { recursive: true, force: true, maxRetries: 10 });
  });
}

/** Fails with `disk_full` unless `need_bytes` are free where `path` is. */
export function ensureRoom(path: string, need_bytes: number): void {
  const { bavail, bsize } = scratch('statfs', () => statfsSync(path));
  const free_bytes = bavail * bsize;
  ensure(free_bytes >= need_bytes, 'disk_full', { path, free_bytes, need_bytes });
}

function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;)
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
}

function scratch<T>(operation: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw asDiskFailure(operation, cause);
  }
}
