/**
 * Disk: files and directories, synchronously: a small port that a simulator can stand in for, and
 * its adapter to the real one.
 *
 * Errors become failures: `disk_full`, else `disk_failed`. A failed sync is different: the kernel
 * may have dropped what it could not write and call the pages clean, so a second sync would lie.
 * After one, the disk does nothing more in this process; whoever owns data on it must start anew.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { AssertionFailed, assert } from '../base/assert.ts';
import { Failure } from '../base/failure.ts';

export interface Disk {
  /** Opens a file for reading and writing; `create` makes it when it is missing. */
  open(path: string, mode: 'existing' | 'create'): DiskFile;
  exists(path: string): boolean;
  /** Names in a directory, in no order; empty when it does not exist. */
  list(directory: string): readonly string[];
  /** Makes a directory, and its parents; each is durable in the one above it. */
  makeDirectory(path: string): void;
  /** Replaces `to`. Durable after `syncDirectory`. */
  rename(from: string, to: string): void;
  /** Removes a file if it exists. Durable after `syncDirectory`. */
  remove(path: string): void;
  syncDirectory(path: string): void;
}

export interface DiskFile {
  /** Reads into all of `target`; returns the bytes read: fewer at the end of the file. */
  readAt(target: Uint8Array, position: number): number;
  /** Writes all of `bytes`, or fails; then some of them may be there. */
  writeAt(bytes: Uint8Array, position: number): void;
  /** `fdatasync`. Whatever was written before is durable after. */
  sync(): void;
  /** Cuts the file, or lengthens it with zeros that take no space. */
  truncate(size: number): void;
  size(): number;
  close(): void;
}

/** The machine's disk. One object per thread: it remembers a failed sync. */
export class RealDisk implements Disk {
  #dead: unknown = null;

  open(path: string, mode: 'existing' | 'create'): DiskFile {
    const flags = constants.O_RDWR | (mode === 'create' ? constants.O_CREAT : 0);
    const descriptor = this.run('open', () => openSync(path, flags, 0o600));
    return new RealFile(this, descriptor);
  }

  exists(path: string): boolean {
    return this.run('exists', () => existsSync(path));
  }

  list(directory: string): readonly string[] {
    return this.run('list', () => (existsSync(directory) ? readdirSync(directory) : []));
  }

  makeDirectory(path: string): void {
    const first = this.run('makeDirectory', () => mkdirSync(path, { recursive: true }));
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = parent(made))
      this.syncDirectory(parent(made));
  }

  rename(from: string, to: string): void {
    this.run('rename', () => {
      renameSync(from, to);
    });
  }

  remove(path: string): void {
    this.run('remove', () => {
      rmSync(path, { force: true });
    });
  }

  syncDirectory(path: string): void {
    const descriptor = this.run('open', () => openSync(path, constants.O_RDONLY));
    try {
      this.runSync(() => {
        fsyncSync(descriptor);
      });
    } finally {
      closeSync(descriptor);
    }
  }

  /** Runs an operation; its errors become failures. */
  run<T>(operation: string, action: () => T): T {
    this.#ensureAlive();
    try {
      return action();
    } catch (cause) {
      throw asDiskFailure(operation, cause);
    }
  }

  /** Runs a sync. Its failure is final. */
  runSync(action: () => void): void {
    this.#ensureAlive();
    try {
      action();
    } catch (cause) {
      this.#dead = cause;
      this.#ensureAlive();
    }
  }

  #ensureAlive(): void {
    if (this.#dead === null) return;
    const failed = new AssertionFailed('a failed sync is never retried');
    failed.cause = this.#dead;
    throw failed;
  }
}

class RealFile implements DiskFile {
  readonly #disk: RealDisk;
  readonly #descriptor: number;

  constructor(disk: RealDisk, descriptor: number) {
    this.#disk = disk;
    this.#descriptor = descriptor;
  }

  readAt(target: Uint8Array, position: number): number {
    return this.#disk.run('read', () => {
      let done = 0;
      while (done < target.length) {
        const length = target.length - done;
        const count = readSync(this.#descriptor, target, done, length, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  writeAt(bytes: Uint8Array, position: number): void {
    this.#disk.run('write', () => {
      let done = 0;
      while (done < bytes.length) {
        const length = bytes.length - done;
        const count = writeSync(this.#descriptor, bytes, done, length, position + done);
        assert(count > 0, 'a write makes progress');
        done += count;
      }
    });
  }

  sync(): void {
    this.#disk.runSync(() => {
      fdatasyncSync(this.#descriptor);
    });
  }

  truncate(size: number): void {
    this.#disk.run('truncate', () => {
      ftruncateSync(this.#descriptor, size);
    });
  }

  size(): number {
    return this.#disk.run('size', () => fstatSync(this.#descriptor).size);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** The whole content of a file, or null when there is none. */
export function readWholeFile(disk: Disk, path: string): Uint8Array | null {
  if (!disk.exists(path)) return null;
  const file = disk.open(path, 'existing');
  try {
    const bytes = new Uint8Array(file.size());
    return bytes.subarray(0, file.readAt(bytes, 0));
  } finally {
    file.close();
  }
}

/** Replaces a file as a whole: after a crash it holds either the old bytes or the new ones. */
export function replaceFile(disk: Disk, directory: string, name: string, bytes: Uint8Array): void {
  const temporary = `${directory}/${name}.new`;
  const file = disk.open(temporary, 'create');
  try {
    file.truncate(0);
    file.writeAt(bytes, 0);
    file.sync();
  } finally {
    file.close();
  }
  disk.rename(temporary, `${directory}/${name}`);
  disk.syncDirectory(directory);
}

/** What a disk said, as a failure: `disk_full` or `disk_failed`. A failed assertion stays one. */
export function asDiskFailure(operation: string, cause: unknown): unknown {
  if (cause instanceof AssertionFailed) return cause;
  const error = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const full = error === 'ENOSPC' || error === 'EDQUOT';
  return new Failure(full ? 'disk_full' : 'disk_failed', { operation, error }, cause);
}

function parent(path: string): string {
  const end = path.lastIndexOf('/');
  return end <= 0 ? '/' : path.slice(0, end);
}
