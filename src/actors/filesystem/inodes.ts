/**
 * Inodes: what exists on a mount, as the filesystem actor knows it, and the tree of names over it.
 *
 * Owns the files' attributes; what reader threads need of an inode is in shared memory as well.
 * Promise: an inode lives while a name or the kernel refers to it, and its number is not used for
 * another file under the same generation.
 */
import { closeSync, fstatSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { Failure } from '../../base/failure.ts';
import { modeTypes, type FileAttributes } from '../../io/fuse/replies.ts';
import { openNameless, resizeFile, writeWhole } from '../../io/scratch-directory.ts';
import { type Clock } from '../../runtime/actor.ts';
import { dropBlocks, freeMap } from './block-map.ts';
import { parseBlockFile, type BlockFile } from './file-names.ts';
import { block_bytes, inodeFields, inodeKinds, type SharedState } from './shared-state.ts';
import { Slots } from './slots.ts';

export interface Inode {
  readonly number: number;
  readonly generation: number;
  /** Names of a directory, in the order they were made; null for a file. */
  readonly children: Map<string, Child> | null;
  /** Null for a directory and a plain file. */
  readonly blockFile: BlockFile | null;
  /** Path below the mount, for the trimmer and for new names. */
  path: string;
  parent: Inode | null;
  mode: number;
  uid: number;
  gid: number;
  atime_ms: number;
  mtime_ms: number;
  ctime_ms: number;
  /** Whether a name leads here. */
  linked: boolean;
  /** References the kernel holds. */
  lookups: number;
  /** A renamed block file no longer is what its name says, and so is never trimmed. */
  renamed: boolean;
}

interface Child {
  readonly inode: Inode;
  /** Listings go on after a cookie; a later name has a higher one. */
  readonly cookie: number;
}

export interface InodesOptions {
  readonly state: SharedState;
  readonly scratchDirectory: string;
  readonly uid: number;
  readonly gid: number;
  readonly clock: Clock;
}

const rootNumber = 1;

export class Inodes {
  readonly root: Inode;
  readonly #options: InodesOptions;
  readonly #state: SharedState;
  readonly #slots: Slots;
  readonly #byNumber = new Map<number, Inode>();
  readonly #freeNumbers: number[] = [];
  #nextNumber = rootNumber;
  #nextCookie = 1;

  constructor(options: InodesOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#slots = new Slots(options.state);
    this.root = this.#add('', modeTypes.directory | 0o700, null);
    this.root.linked = true;
  }

  get(number: number): Inode | null {
    return this.#byNumber.get(number) ?? null;
  }

  get all(): Iterable<Inode> {
    return this.#byNumber.values();
  }

  get count(): number {
    return this.#byNumber.size;
  }

  makeDirectory(parent: Inode, name: string, mode: number): Inode {
    const inode = this.#add(childPath(parent, name), modeTypes.directory | (mode & 0o7777), null);
    this.link(parent, name, inode);
    return inode;
  }

  /** A new empty file: of blocks when its path says so, else a plain one. Fails with `disk_full`. */
  makeFile(parent: Inode, name: string, mode: number): Inode {
    const path = childPath(parent, name);
    const blockFile = parseBlockFile(path);
    const inode = this.#add(path, modeTypes.file | (mode & 0o7777), blockFile);
    if (blockFile === null) this.#definePlain(inode);
    else this.#state.defineInode(inode.number, { kind: inodeKinds.blockFile, ...blockFile });
    this.link(parent, name, inode);
    return inode;
  }

  /** A block file whose first blocks the lower layer has, under the coordinates given. */
  makeLowerFile(parent: Inode, name: string, lower: BlockFile, blocks: number): Inode {
    const inode = this.#add(childPath(parent, name), modeTypes.file | 0o600, lower);
    const shared = { kind: inodeKinds.blockFile, lowerBlocks: blocks, size: blocks * block_bytes };
    this.#state.defineInode(inode.number, { ...shared, ...lower });
    this.link(parent, name, inode);
    return inode;
  }

  /** Writes a plain file's first content. Fails with `disk_full`. */
  fillPlain(inode: Inode, bytes: Uint8Array): void {
    writeWhole(this.#fd(inode), bytes, 0);
  }

  link(parent: Inode, name: string, inode: Inode): void {
    assert(parent.children !== null, 'names are in directories');
    assert(!parent.children.has(name), 'a name leads to one inode');
    parent.children.set(name, { inode, cookie: this.#nextCookie });
    this.#nextCookie += 1;
    inode.parent = parent;
    inode.path = childPath(parent, name);
    inode.linked = true;
    this.touch(parent);
  }

  unlink(parent: Inode, name: string): void {
    const child = parent.children?.get(name);
    assert(child !== undefined, 'a name that is removed exists');
    parent.children!.delete(name);
    child.inode.linked = false;
    this.touch(parent);
    this.#collect(child.inode);
  }

  /** A directory changed, or a file by other ways than writing. */
  touch(inode: Inode): void {
    inode.mtime_ms = this.#options.clock.now_ms();
    inode.ctime_ms = inode.mtime_ms;
  }

  /** The kernel dropped `lookups` references. */
  forget(number: number, lookups: number): void {
    const inode = this.#byNumber.get(number);
    if (inode === undefined) return;
    inode.lookups -= lookups;
    this.#collect(inode);
  }

  size(inode: Inode): number {
    if (inode.children !== null) return 0;
    if (inode.blockFile === null) return fstatSync(this.#fd(inode)).size;
    return this.#state.words[this.#state.inodeAt(inode.number) + inodeFields.size]!;
  }

  /** Makes a file this long: what is beyond is gone, what is new is zeros. */
  resize(inode: Inode, size: number): void {
    if (inode.blockFile === null) {
      resizeFile(this.#fd(inode), size);
      return;
    }
    const at = this.#state.inodeAt(inode.number);
    const { words } = this.#state;
    const blocks = Math.ceil(size / block_bytes);
    Atomics.store(words, at + inodeFields.size, size);
    if (words[at + inodeFields.lowerBlocks]! > blocks) words[at + inodeFields.lowerBlocks] = blocks;
    this.#dropBlocks(inode.number, blocks);
  }

  attributes(inode: Inode): FileAttributes {
    const { number: node, generation, mode, uid, gid, atime_ms, mtime_ms, ctime_ms } = inode;
    const links = inode.children === null ? (inode.linked ? 1 : 0) : 2;
    const size = this.size(inode);
    return { node, generation, mode, uid, gid, links, size, atime_ms, mtime_ms, ctime_ms };
  }

  /** Closes every plain file, at the end of the mount. */
  close(): void {
    for (const inode of this.#byNumber.values())
      if (inode.children === null && inode.blockFile === null) closeSync(this.#fd(inode));
    this.#byNumber.clear();
  }

  #add(path: string, mode: number, blockFile: BlockFile | null): Inode {
    const number = this.#takeNumber();
    const at = this.#state.inodeAt(number) + inodeFields.generation;
    const generation = this.#state.words[at]! + 1;
    this.#state.words[at] = generation;
    const now = this.#options.clock.now_ms();
    const isDirectory = (mode & modeTypes.mask) === modeTypes.directory;
    if (isDirectory) this.#state.defineInode(number, { kind: inodeKinds.directory });
    const inode: Inode = {
      number,
      generation,
      children: isDirectory ? new Map<string, Child>() : null,
      blockFile,
      path,
      parent: null,
      mode,
      uid: this.#options.uid,
      gid: this.#options.gid,
      atime_ms: now,
      mtime_ms: now,
      ctime_ms: now,
      linked: false,
      lookups: 0,
      renamed: false,
    };
    this.#byNumber.set(number, inode);
    return inode;
  }

  #takeNumber(): number {
    const free = this.#freeNumbers.pop();
    if (free !== undefined) return free;
    const { inodesMax } = this.#state.handle.sizes;
    if (this.#nextNumber >= inodesMax) throw new Failure('filesystem_upper_full', { inodesMax });
    this.#nextNumber += 1;
    return this.#nextNumber - 1;
  }

  /** A plain file is an open local file without a name. */
  #definePlain(inode: Inode): void {
    const name = `${inode.number}.${inode.generation}`;
    try {
      const fd = openNameless(join(this.#options.scratchDirectory, name));
      this.#state.defineInode(inode.number, { kind: inodeKinds.plainFile, fd });
    } catch (error) {
      this.#remove(inode);
      throw error;
    }
  }

  #fd(inode: Inode): number {
    return this.#state.words[this.#state.inodeAt(inode.number) + inodeFields.fd]!;
  }

  #collect(inode: Inode): void {
    if (inode.linked || inode.lookups > 0) return;
    if (inode.children === null) {
      if (inode.blockFile === null) closeSync(this.#fd(inode));
      else this.#dropBlocks(inode.number, 0);
    }
    freeMap(this.#state, inode.number);
    this.#remove(inode);
  }

  #remove(inode: Inode): void {
    this.#state.defineInode(inode.number, { kind: inodeKinds.free });
    this.#byNumber.delete(inode.number);
    this.#freeNumbers.push(inode.number);
  }

  #dropBlocks(number: number, firstBlock: number): void {
    dropBlocks(this.#state, number, firstBlock, (slot) => {
      this.#slots.free(slot);
    });
  }
}

function childPath(parent: Inode, name: string): string {
  return parent.path === '' ? name : `${parent.path}/${name}`;
}
