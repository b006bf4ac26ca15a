/**
 * SimulatedDisk: a disk in memory that forgets at a power loss what a real one may forget.
 *
 * A write or a cut is kept, sector by sector, as the seed decides, until the file is synced; a new,
 * renamed or removed name likewise until its directory is. The power may be set to fail before any
 * operation: from then on everything throws `PowerLost` until the machine is started again.
 */
import { Failure } from '../../src/base/failure.ts';
import { type Disk, type DiskFile } from '../../src/io/disk.ts';
import { type SeededRandom } from '../../src/io/random.ts';

const sectorSize = 512;

/** No failure: whoever meets it dies with the machine. */
export class PowerLost extends Error {
  override readonly name = 'PowerLost';
}

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number };

/** A file: what a power loss cannot take, and what came since, in order. */
interface Inode {
  readonly durable: Content;
  readonly current: Content;
  changes: Change[];
}

interface NameChange {
  readonly path: string;
  /** null removes the name. */
  readonly inode: Inode | null;
}

/** Syncs that only pretend: for planted defects. */
export type Lie = (operation: 'sync' | 'syncDirectory', path: string) => boolean;

export class SimulatedDisk implements Disk {
  /** Bytes that can still be written; half of the write that does not fit is. */
  room = Infinity;
  lie: Lie | null = null;
  onPowerLost: (() => void) | null = null;
  readonly #random: SeededRandom;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  #operationsLeft = Infinity;
  #off = false;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get off(): boolean {
    return this.#off;
  }

  /** The power fails before the operation after `operations` more. Infinity: never. */
  losePowerAfter(operations: number): void {
    this.#operationsLeft = operations;
  }

  /** The power is gone and comes back: only what was durable is sure to be there. */
  losePower(): void {
    const after = this.afterPowerLoss(this.#random);
    this.#names = after.#names;
    this.#durableNames = after.#durableNames;
    this.#nameChanges = [];
    this.#operationsLeft = Infinity;
    this.#off = false;
  }

  /** Another disk: what would be left if the power failed now. */
  afterPowerLoss(random: SeededRandom): SimulatedDisk {
    const kept_percent = random.pick([0, 50, 95, 100]);
    function keeps(): boolean {
      return random.below(100) < kept_percent;
    }
    const after = new SimulatedDisk(random);
    const names = new Map(this.#durableNames);
    for (const change of this.#nameChanges) if (keeps()) apply(names, change);
    for (const [path, inode] of names) after.#names.set(path, survivor(inode, keeps));
    after.#durableNames = new Map(after.#names);
    return after;
  }

  open(path: string, mode: 'existing' | 'create'): DiskFile {
    this.operation();
    let inode = this.#names.get(path);
    if (inode === undefined && mode === 'existing')
      throw new Failure('disk_failed', { operation: 'open', error: 'ENOENT' });
    if (inode === undefined) {
      inode = { durable: new Content(), current: new Content(), changes: [] };
      this.#rename({ path, inode });
    }
    return new SimulatedFile(this, path, inode);
  }

  exists(path: string): boolean {
    this.ensureOn();
    return this.#names.has(path);
  }

  list(directory: string): readonly string[] {
    this.ensureOn();
    return [...this.#names.keys()]
      .filter((path) => directoryOf(path) === directory)
      .map((path) => path.slice(directory.length + 1));
  }

  /** Directories are taken for granted. */
  makeDirectory(): void {
    this.ensureOn();
  }

  rename(from: string, to: string): void {
    this.operation();
    const inode = this.#names.get(from);
    if (inode === undefined)
      throw new Failure('disk_failed', { operation: 'rename', error: 'ENOENT' });
    this.#rename({ path: to, inode });
    this.#rename({ path: from, inode: null });
  }

  remove(path: string): void {
    this.operation();
    if (this.#names.has(path)) this.#rename({ path, inode: null });
  }

  syncDirectory(directory: string): void {
    this.operation();
    if (this.lie?.('syncDirectory', directory) === true) return;
    const left: NameChange[] = [];
    for (const change of this.#nameChanges)
      if (directoryOf(change.path) === directory) apply(this.#durableNames, change);
      else left.push(change);
    this.#nameChanges = left;
  }

  /** Counts an operation, before which the power may fail. */
  operation(): void {
    this.ensureOn();
    this.#operationsLeft -= 1;
    if (this.#operationsLeft > 0) return;
    this.#off = true;
    this.onPowerLost?.();
    this.ensureOn();
  }

  ensureOn(): void {
    if (this.#off) throw new PowerLost('the power is gone');
  }

  #rename(change: NameChange): void {
    apply(this.#names, change);
    this.#nameChanges.push(change);
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk;
  readonly #path: string;
  readonly #inode: Inode;

  constructor(disk: SimulatedDisk, path: string, inode: Inode) {
    this.#disk = disk;
    this.#path = path;
    this.#inode = inode;
  }

  readAt(target: Uint8Array, position: number): number {
    this.#disk.ensureOn();
    return this.#inode.current.read(target, position);
  }

  writeAt(bytes: Uint8Array, position: number): void {
    const fits = bytes.length <= this.#disk.room;
    const written = bytes.slice(0, fits ? bytes.length : bytes.length / 2);
    // What is being written when the power fails may reach the disk in part.
    this.#inode.changes.push({ kind: 'write', position, bytes: written });
    this.#disk.operation();
    this.#inode.current.write(written, position);
    if (!fits) throw new Failure('disk_full', { operation: 'write', error: 'ENOSPC' });
    this.#disk.room -= bytes.length;
  }

  sync(): void {
    this.#disk.operation();
    if (this.#disk.lie?.('sync', this.#path) === true) return;
    const { durable, changes } = this.#inode;
    for (const change of changes) durable.apply(change, () => true);
    this.#inode.changes = [];
  }

  truncate(size: number): void {
    this.#disk.operation();
    const change = { kind: 'truncate', size } as const;
    this.#inode.changes.push(change);
    this.#inode.current.apply(change, () => true);
  }

  size(): number {
    this.#disk.ensureOn();
    return this.#inode.current.size;
  }

  close(): void {
    // Nothing is held.
  }
}

/** A file's bytes; zeros where nothing was written. */
class Content {
  #bytes = new Uint8Array(0);
  size = 0;

  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.size);
    if (end <= position) return 0;
    target.set(this.#bytes.subarray(position, end));
    return end - position;
  }

  apply(change: Change, keeps: () => boolean): void {
    if (change.kind === 'write') this.#writeSectors(change.bytes, change.position, keeps);
    else if (keeps()) this.#resize(change.size);
  }

  write(bytes: Uint8Array, position: number): void {
    this.#resize(Math.max(this.size, position + bytes.length));
    this.#bytes.set(bytes, position);
  }

  copy(): Content {
    const copy = new Content();
    copy.#bytes = this.#bytes.slice(0, this.size);
    copy.size = this.size;
    return copy;
  }

  #writeSectors(bytes: Uint8Array, position: number, keeps: () => boolean): void {
    let done = 0;
    while (done < bytes.length) {
      const at = position + done;
      const size = Math.min(bytes.length - done, sectorSize - (at % sectorSize));
      if (keeps()) this.write(bytes.subarray(done, done + size), at);
      done += size;
    }
  }

  #resize(size: number): void {
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.size));
      this.#bytes = larger;
    }
    if (size < this.size) this.#bytes.fill(0, size, this.size);
    this.size = size;
  }
}

/** A file as a power loss leaves it. */
function survivor(inode: Inode, keeps: () => boolean): Inode {
  const durable = inode.durable.copy();
  for (const change of inode.changes) durable.apply(change, keeps);
  return { durable, current: durable.copy(), changes: [] };
}

function apply(names: Map<string, Inode>, { path, inode }: NameChange): void {
  if (inode === null) names.delete(path);
  else names.set(path, inode);
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
