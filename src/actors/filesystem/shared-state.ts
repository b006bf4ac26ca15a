/**
 * SharedState: everything reader threads and the actor share, in one SharedArrayBuffer.
 *
 * Owns the layout: a header of counters, the inode table (a node id is an index), and the pool of
 * map nodes (block-map.ts). Most of the buffer is never touched, and so costs no memory.
 *
 * ```
 * header 4 KiB │ inodes, 256 bytes each │ slot bitmap, 1 bit each │ map nodes, 512 bytes each
 * ```
 */
import { assert } from '../../base/assert.ts';
import { type Lsn } from '../../base/lsn.ts';

/** Postgres's block. Slots of the upper file have the same size. */
export const block_bytes = 8_192;
/** The kernel's page: presence is tracked per half of a block. */
export const half_bytes = 4_096;
/** `RELSEG_SIZE`: blocks of one file of a relation. */
export const segmentBlocks = 131_072;
export const fileMax_bytes = segmentBlocks * block_bytes;

/** What an inode is. Block files are served from slots and the lower layer, plain ones by `fd`. */
export const inodeKinds = { free: 0, directory: 1, blockFile: 2, plainFile: 3 } as const;

/** Offsets of an inode's fields, in 32-bit words. */
export const inodeFields = {
  kind: 0,
  /** A local file descriptor, of a plain file. */
  fd: 1,
  /** Bytes of a block file: at most 2^30. */
  size: 2,
  /** Blocks below this come from the lower layer unless the map says otherwise. */
  lowerBlocks: 3,
  /** Coordinates of the file's pages: a key family, and its first block in it. */
  keyKind: 4,
  tablespace: 5,
  database: 6,
  relation: 7,
  fork: 8,
  firstBlock: 9,
  generation: 10,
  /** 16 pointers to middle map nodes. */
  mapTop: 16,
} as const;

/** Offsets of the header's counters, in 32-bit words. */
export const counters = {
  /** Grows by one with each block written; a stamp is its value. Wraps. */
  writes: 16,
  reads: 17,
  lowerBlocksRead: 18,
  slotsUsed: 19,
  /** Slots ever used: the size of the slot file. */
  slotsHigh: 20,
  nodesHigh: 21,
  /** First free map node, 0 for none; `nodesLock` guards it. */
  nodesFree: 22,
  nodesLock: 23,
  /** 1 once a delayed write was lost: nothing read from this mount is right any more. */
  poisoned: 24,
} as const;

/** Offset of the floor in the header, in 64-bit words. */
const floorWord = 0;
const header_words = 1_024;
const inode_words = 64;
export const node_words = 128;

export interface SharedSizes {
  readonly inodesMax: number;
  readonly slotsMax: number;
  readonly nodesMax: number;
}

export interface SharedHandle {
  readonly buffer: SharedArrayBuffer;
  readonly sizes: SharedSizes;
}

export function sharedSizes(upperMax_bytes: number): SharedSizes {
  const slotsMax = Math.max(64, Math.ceil(upperMax_bytes / block_bytes / 32) * 32);
  assert(slotsMax <= 2 ** 26, 'a slot number fits its bits in a map word');
  const inodesMax = 262_144;
  // A full leaf holds 64 blocks; scattered single blocks need one each, up to this bound.
  const nodesMax = Math.min(2 ** 22, 4_096 + inodesMax / 4 + slotsMax);
  return { inodesMax, slotsMax, nodesMax };
}

export function allocateShared(sizes: SharedSizes): SharedHandle {
  const words =
    header_words +
    sizes.inodesMax * inode_words +
    sizes.slotsMax / 32 +
    sizes.nodesMax * node_words;
  const buffer = new SharedArrayBuffer(words * 4);
  return { buffer, sizes };
}

export class SharedState {
  readonly handle: SharedHandle;
  readonly words: Int32Array;
  readonly #doubles: Float64Array;
  readonly bitmapAt: number;
  readonly #nodesAt: number;

  constructor(handle: SharedHandle) {
    this.handle = handle;
    this.words = new Int32Array(handle.buffer);
    this.#doubles = new Float64Array(handle.buffer, 0, 8);
    this.bitmapAt = header_words + handle.sizes.inodesMax * inode_words;
    this.#nodesAt = this.bitmapAt + handle.sizes.slotsMax / 32;
  }

  /** Index in `words` of an inode's first field. */
  inodeAt(inode: number): number {
    assert(inode > 0 && inode < this.handle.sizes.inodesMax, 'an inode number is in the table');
    return inode * inode_words + header_words;
  }

  /** Index in `words` of a map node. Node 0 is never used: it means none. */
  nodeAt(node: number): number {
    return this.#nodesAt + node * node_words;
  }

  /** Every lower page is a version at or after this. An aligned 64-bit store is not torn. */
  get floor(): Lsn {
    return this.#doubles[floorWord]! as Lsn;
  }

  /** Must be raised before a block's word says trimmed. */
  raiseFloor(floor: Lsn): void {
    assert(floor >= this.floor, 'the floor never falls');
    this.#doubles[floorWord] = floor;
  }

  count(counter: number): number {
    return Atomics.load(this.words, counter) >>> 0;
  }

  add(counter: number, amount: number): number {
    return Atomics.add(this.words, counter, amount) >>> 0;
  }

  /** Clears and describes an inode; the map must be empty. `kind` is set last, with a fence. */
  defineInode(inode: number, fields: Partial<Record<keyof typeof inodeFields, number>>): void {
    const at = this.inodeAt(inode);
    for (const name of Object.keys(inodeFields) as (keyof typeof inodeFields)[]) {
      if (name === 'kind' || name === 'mapTop' || name === 'generation') continue;
      this.words[at + inodeFields[name]] = fields[name] ?? 0;
    }
    Atomics.store(this.words, at + inodeFields.kind, fields.kind ?? inodeKinds.free);
  }

  /** Raises a block file's size to at least `size`, whoever else does so. */
  growFile(inode: number, size: number): void {
    const at = this.inodeAt(inode) + inodeFields.size;
    for (;;) {
      const seen = Atomics.load(this.words, at);
      if (seen >= size || Atomics.compareExchange(this.words, at, seen, size) === seen) return;
    }
  }

  /** A zeroed map node, or 0 when the pool is empty. */
  allocateNode(): number {
    return this.#withNodesLocked(() => {
      const free = this.words[counters.nodesFree]!;
      if (free !== 0) {
        const at = this.nodeAt(free);
        this.words[counters.nodesFree] = this.words[at]!;
        this.words[at] = 0;
        return free;
      }
      const node = this.words[counters.nodesHigh]! + 1;
      if (node >= this.handle.sizes.nodesMax) return 0;
      this.words[counters.nodesHigh] = node;
      return node;
    });
  }

  /** Nobody may reach the node any more. */
  freeNode(node: number): void {
    const at = this.nodeAt(node);
    this.words.fill(0, at, at + node_words);
    this.#withNodesLocked(() => {
      this.words[at] = this.words[counters.nodesFree]!;
      this.words[counters.nodesFree] = node;
      return 0;
    });
  }

  /** Held for a few instructions, so waiting is spinning. */
  #withNodesLocked(body: () => number): number {
    while (Atomics.compareExchange(this.words, counters.nodesLock, 0, 1) !== 0);
    try {
      return body();
    } finally {
      Atomics.store(this.words, counters.nodesLock, 0);
    }
  }
}
