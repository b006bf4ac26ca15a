/**
 * SimulatedDisk: a disk in memory that forgets what a real one may forget, and fails as one may fail.
 *
 * A write or a cut is kept, sector by sector, as the seed decides, until the file is synced; a new,
 * renamed or removed name likewise until its directory is. Before any operation the power may fail:
 * from then on everything throws `PowerLost` until the machine has power again.
 *
 * A sync may fail. Then some of what it was to make durable is not and never will be, for a real kernel
 * calls the pages clean: it is still read back, and the next sync has nothing to do for it. Everything
 * after throws until another process comes. When the sync was a directory's, the file system gives up,
 * and only what is durable is there after the machine's next start.
 */
import { AssertionFailed } from '../../src/base/assert.ts';
import { Failure } from '../../src/base/failure.ts';
import { type Disk, type DiskFile } from '../../src/io/disk.ts';
import { SeededRandom } from '../../src/io/random.ts';
import { FileContent, type Change } from './file-content.ts';

/** A file takes room in such blocks. */
const blockSize = 4_096;

/** No failure: whoever meets it dies with the machine. */
export class PowerLost extends Error {
  override readonly name = 'PowerLost';
}

/** A file: what a power loss cannot take, what is read, and what came between, in order. */
interface Inode {
  durable: FileContent;
  readonly current: FileContent;
  changes: Change[];
  /** A sync failed: `current` is more than `durable` and `changes` make. */
  diverged: boolean;
  /** Blocks that have their place on the disk: writing them again takes none. */
  readonly blocks: Set<number>;
}

interface NameChange {
  readonly path: string;
  /** null removes the name. */
  readonly inode: Inode | null;
}

/** Syncs that only pretend: for planted defects. */
export type Lie = (operation: 'sync' | 'syncDirectory', path: string) => boolean;

export class SimulatedDisk implements Disk {
  lie: Lie | null = null;
  /** Bytes that files can still grow into; of a write that does not fit, what does is written. */
  room = Infinity;
  onPowerLost: (() => void) | null = null;
  onSyncFailed: (() => void) | null = null;
  readonly #random: SeededRandom;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  #operationsLeft = Infinity;
  #syncsLeft = Infinity;
  #off = false;
  #syncFailed = false;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get off(): boolean {
    return this.#off;
  }

  /** Whoever uses it dies of it. */
  get fails(): boolean {
    return this.#off || this.#syncFailed;
  }

  /** The power fails before the operation after `operations` more. Infinity: never. */
  losePowerAfter(operations: number): void {
    this.#operationsLeft = operations;
  }

  /** The `syncs`th sync from now fails. Infinity: none. */
  failSyncAfter(syncs: number): void {
    this.#syncsLeft = syncs;
  }

  /** The power is gone and comes back: only what was durable is sure to be there. */
  losePower(): void {
    const after = this.afterPowerLoss(this.#random);
    this.#names = after.#names;
    this.#durableNames = after.#durableNames;
    this.#nameChanges = [];
    this.#operationsLeft = Infinity;
    this.#off = false;
    this.startProcess();
  }

  /** Another process uses the disk. */
  startProcess(): void {
    this.#syncsLeft = Infinity;
    this.#syncFailed = false;
  }

  /** Everything is gone, for good. */
  wipe(): void {
    this.#names = new Map();
    this.#durableNames = new Map();
    this.#nameChanges = [];
  }

  /** Changes bits of a byte that is on the disk, behind everybody's back. */
  rot(path: string, position: number, mask: number): void {
    for (const content of this.#contentsOf(path)) {
      const byte = new Uint8Array(1);
      content.read(byte, position);
      content.write(Uint8Array.of(byte[0]! ^ mask), position);
    }
  }

  /** Another disk: what would be left if the power failed now. */
  afterPowerLoss(random: SeededRandom): SimulatedDisk {
    const kept_percent = random.pick([0, 50, 95, 100]);
    return this.#after(random, () => random.below(100) < kept_percent);
  }

  /** Another disk: the least that is left whatever happens. */
  durable(): SimulatedDisk {
    return this.#after(new SeededRandom(0), () => false);
  }

  open(path: string, mode: 'existing' | 'create'): DiskFile {
    this.operation();
    let inode = this.#names.get(path);
    if (inode === undefined && mode === 'existing')
      throw new Failure('disk_failed', { operation: 'open', error: 'ENOENT' });
    if (inode === undefined) {
      const [durable, current] = [new FileContent(), new FileContent()];
      inode = { durable, current, changes: [], diverged: false, blocks: new Set() };
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
    if (this.#syncFails()) this.#losePowerNow();
    const left: NameChange[] = [];
    for (const change of this.#nameChanges)
      if (directoryOf(change.path) === directory) apply(this.#durableNames, change);
      else left.push(change);
    this.#nameChanges = left;
  }

  syncFile(path: string, inode: Inode): void {
    this.operation();
    if (this.lie?.('sync', path) === true) return;
    const { durable, current, changes, diverged } = inode;
    inode.changes = [];
    if (this.#syncFails()) {
      for (const change of changes) durable.apply(change, () => this.#random.oneIn(2));
      inode.diverged = true;
      this.#syncFailed = true;
      this.onSyncFailed?.();
      this.ensureOn();
    }
    if (diverged) for (const change of changes) durable.apply(change, () => true);
    else inode.durable = current.copy();
  }

  /** Counts an operation, before which the power may fail. */
  operation(): void {
    this.ensureOn();
    this.#operationsLeft -= 1;
    if (this.#operationsLeft <= 0) this.#losePowerNow();
  }

  ensureOn(): void {
    if (this.#off) throw new PowerLost('the power is gone');
    // In the words of the real disk.
    if (this.#syncFailed) throw new AssertionFailed('a failed sync is never retried');
  }

  #losePowerNow(): never {
    this.#off = true;
    this.onPowerLost?.();
    throw new PowerLost('the power is gone');
  }

  #syncFails(): boolean {
    this.#syncsLeft -= 1;
    return this.#syncsLeft === 0;
  }

  #rename(change: NameChange): void {
    apply(this.#names, change);
    this.#nameChanges.push(change);
  }

  #after(random: SeededRandom, keeps: () => boolean): SimulatedDisk {
    const after = new SimulatedDisk(random);
    const names = new Map(this.#durableNames);
    for (const change of this.#nameChanges) if (keeps()) apply(names, change);
    for (const [path, inode] of names) after.#names.set(path, survivor(inode, keeps));
    after.#durableNames = new Map(after.#names);
    return after;
  }

  #contentsOf(path: string): readonly FileContent[] {
    const inodes = new Set([this.#names.get(path), this.#durableNames.get(path)]);
    return [...inodes].flatMap((inode) =>
      inode === undefined ? [] : [inode.durable, inode.current],
    );
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
    this.#disk.ensureOn();
    const written = bytes.slice(0, this.#allocate(position, position + bytes.length) - position);
    // What is being written when the power fails may reach the disk in part.
    this.#inode.changes.push({ kind: 'write', position, bytes: written });
    this.#disk.operation();
    this.#inode.current.write(written, position);
    if (written.length < bytes.length)
      throw new Failure('disk_full', { operation: 'write', error: 'ENOSPC' });
  }

  /** Takes room for the blocks that have none yet. Returns where it ran out, or the end. */
  #allocate(begin: number, end: number): number {
    const { blocks } = this.#inode;
    for (let block = Math.floor(begin / blockSize); block * blockSize < end; block += 1) {
      if (blocks.has(block)) continue;
      if (this.#disk.room < blockSize) return Math.max(begin, block * blockSize);
      this.#disk.room -= blockSize;
      blocks.add(block);
    }
    return end;
  }

  sync(): void {
    this.#disk.syncFile(this.#path, this.#inode);
  }

  truncate(size: number): void {
    this.#disk.operation();
    this.#inode.changes.push({ kind: 'truncate', size });
    this.#inode.current.truncate(size);
    for (const block of this.#inode.blocks)
      if (block * blockSize >= size) this.#inode.blocks.delete(block);
  }

  size(): number {
    this.#disk.ensureOn();
    return this.#inode.current.size;
  }

  close(): void {
    // Nothing is held.
  }
}

/** A file as a power loss leaves it. */
function survivor(inode: Inode, keeps: () => boolean): Inode {
  const durable = inode.durable.copy();
  for (const change of inode.changes) durable.apply(change, keeps);
  const blocks = new Set(inode.blocks);
  return { durable, current: durable.copy(), changes: [], diverged: false, blocks };
}

function apply(names: Map<string, Inode>, { path, inode }: NameChange): void {
  if (inode === null) names.delete(path);
  else names.set(path, inode);
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
