/**
 * FaultyDisk: the real disk, with faults on order: no room left, syncs that fail. Counts syncs.
 */
import { AssertionFailed } from '../../src/base/assert.ts';
import { Failure } from '../../src/base/failure.ts';
import { RealDisk, type Disk, type DiskFile } from '../../src/io/disk.ts';

export class FaultyDisk implements Disk {
  readonly #real = new RealDisk();
  /** Bytes that can still be written; half of the write that does not fit is. */
  room = Infinity;
  syncFails = false;
  syncs = 0;
  /** Paths of the files synced. */
  readonly synced = new Set<string>();

  open(path: string, mode: 'existing' | 'create'): DiskFile {
    return new FaultyFile(this, this.#real.open(path, mode), path);
  }
  exists(path: string): boolean {
    return this.#real.exists(path);
  }
  list(directory: string): readonly string[] {
    return this.#real.list(directory);
  }
  makeDirectory(path: string): void {
    this.#real.makeDirectory(path);
  }
  rename(from: string, to: string): void {
    this.#real.rename(from, to);
  }
  remove(path: string): void {
    this.#real.remove(path);
  }
  syncDirectory(path: string): void {
    this.#real.syncDirectory(path);
  }
}

class FaultyFile implements DiskFile {
  readonly #disk: FaultyDisk;
  readonly #file: DiskFile;
  readonly #path: string;

  constructor(disk: FaultyDisk, file: DiskFile, path: string) {
    this.#disk = disk;
    this.#file = file;
    this.#path = path;
  }

  readAt(target: Uint8Array, position: number): number {
    return this.#file.readAt(target, position);
  }
  writeAt(bytes: Uint8Array, position: number): void {
    if (bytes.length > this.#disk.room) {
      this.#file.writeAt(bytes.subarray(0, bytes.length / 2), position);
      throw new Failure('disk_full', { operation: 'write', error: 'ENOSPC' });
    }
    this.#disk.room -= bytes.length;
    this.#file.writeAt(bytes, position);
  }
  sync(): void {
    this.#disk.syncs += 1;
    if (this.#disk.syncFails) throw new AssertionFailed('a failed sync is never retried');
    this.#disk.synced.add(this.#path);
    this.#file.sync();
  }
  truncate(size: number): void {
    this.#file.truncate(size);
  }
  size(): number {
    return this.#file.size();
  }
  close(): void {
    this.#file.close();
  }
}
