/**
 * BlockIo: reads and writes of block files, as one reader thread does them.
 *
 * Owns nothing: the state is shared (block-map.ts), bytes are in the upper file's slots or come from
 * the lower layer.
 * Promise: a byte written is read back as written; a block being trimmed is not, once it is touched.
 * Relies on the kernel: it never has a read and a write, or two writes, of one 4 KiB page under way
 * at a time. The other half of the same block may be written meanwhile, by another thread.
 */
import { readSync, writeSync } from 'node:fs';
import { assert } from '../../base/assert.ts';
import { type KeyFamily, type KeyKind } from '../../base/key.ts';
import {
  busyBit,
  findWord,
  firstHalfBit,
  fromLowerBit,
  halvesMask,
  makeWord,
  secondHalfBit,
  slotMask,
  stampDistance,
  trimmingBit,
} from './block-map.ts';
import { type LowerPages } from './lower-pages.ts';
import {
  block_bytes,
  counters,
  half_bytes,
  inodeFields,
  type SharedState,
} from './shared-state.ts';
import { noSlot, Slots } from './slots.ts';

/** Most blocks one request touches: 1 MiB, and one more when it begins in a second half. */
const requestBlocksMax = 130;
/** How long a busy word is waited for at a time: it is held for one local write. */
const busyWait_ms = 1;

/** Bytes `[begin, end)` of a block file. */
export interface FileRange {
  readonly inode: number;
  readonly begin: number;
  readonly end: number;
}

export interface BlockIoParts {
  readonly state: SharedState;
  readonly slotFd: number;
  readonly lower: LowerPages;
}

export class BlockIo {
  readonly #state: SharedState;
  readonly #slotFd: number;
  readonly #lower: LowerPages;
  readonly #slots: Slots;
  /** Of the request at hand, per block: where its word is, the word, and its stamp. */
  readonly #at = new Int32Array(requestBlocksMax);
  readonly #words = new Int32Array(requestBlocksMax);
  readonly #stamps = new Int32Array(requestBlocksMax);
  readonly #page = new Uint8Array(block_bytes);

  constructor({ state, slotFd, lower }: BlockIoParts) {
    this.#state = state;
    this.#slotFd = slotFd;
    this.#lower = lower;
    this.#slots = new Slots(state);
  }

  /**
   * Fills `target` with the whole blocks that hold the range; it must have room for them.
   * Throws what the lower layer throws, or a file system error.
   */
  read(range: FileRange, target: Uint8Array): void {
    const first = Math.floor(range.begin / block_bytes);
    const count = Math.ceil(range.end / block_bytes) - first;
    assert(count <= requestBlocksMax, 'a request is at most 1 MiB');
    do {
      this.#lookAt(range.inode, first, count);
      this.#fill(range.inode, first, target.subarray(0, count * block_bytes));
    } while (!this.#unchanged(range.inode, first, count));
  }

  /**
   * Stores `bytes` at the range's begin. Throws ENOSPC, with nothing stored, when no slot or map node
   * is left, and what the local file system throws.
   */
  write(range: FileRange, bytes: Uint8Array): void {
    if (range.begin % half_bytes !== 0 || range.end % half_bytes !== 0) {
      this.#writeUnaligned(range, bytes);
      return;
    }
    const first = Math.floor(range.begin / block_bytes);
    const count = Math.ceil(range.end / block_bytes) - first;
    assert(count <= requestBlocksMax, 'a request is at most 1 MiB');
    const locked = this.#lockAll(range.inode, first, count);
    try {
      if (locked < count) throw noSpace();
      this.#store(range, first, bytes);
    } catch (error) {
      this.#unlockUnchanged(locked);
      throw error;
    }
    this.#publish(range, first, count);
    this.#state.growFile(range.inode, range.end);
  }

  /** Notes words and stamps, and cancels trims of the blocks. */
  #lookAt(inode: number, first: number, count: number): void {
    const { words } = this.#state;
    for (let i = 0; i < count; i += 1) {
      const at = findWord(this.#state, inode, first + i);
      this.#words[i] = at === 0 ? 0 : this.#settledWord(at);
      this.#stamps[i] = at === 0 ? 0 : words[at + stampDistance]!;
    }
  }

  /** The word once no writer is busy with it, its trim cancelled. */
  #settledWord(at: number): number {
    const { words } = this.#state;
    for (;;) {
      const word = Atomics.load(words, at);
      if ((word & busyBit) !== 0) {
        Atomics.wait(words, at, word, busyWait_ms);
      } else if ((word & trimmingBit) === 0) {
        return word;
      } else {
        Atomics.compareExchange(words, at, word, word & ~trimmingBit);
      }
    }
  }

  /** Whether what was read from slots was still there when it had been read. */
  #unchanged(inode: number, first: number, count: number): boolean {
    const { words } = this.#state;
    for (let i = 0; i < count; i += 1) {
      const word = this.#words[i]!;
      if ((word & halvesMask) === 0) continue;
      const at = findWord(this.#state, inode, first + i);
      if (at === 0 || (Atomics.load(words, at) & ~trimmingBit) !== word) return false;
      if (words[at + stampDistance] !== this.#stamps[i]) return false;
    }
    return true;
  }

  /** Reads runs of neighbours from where they are. */
  #fill(inode: number, first: number, target: Uint8Array): void {
    const count = target.length / block_bytes;
    const lowerBlocks = this.#state.words[this.#state.inodeAt(inode) + inodeFields.lowerBlocks]!;
    for (let i = 0; i < count;) {
      const word = this.#words[i]!;
      const run = this.#runLength(i, count, (at) => this.#fromLower(at, first, lowerBlocks));
      const part = target.subarray(i * block_bytes, (i + run) * block_bytes);
      if ((word & halvesMask) === halvesMask) this.#readSlots(word & slotMask, part);
      else {
        if (this.#fromLower(i, first, lowerBlocks)) this.#readLower(inode, first + i, part);
        else part.fill(0);
        if ((word & halvesMask) !== 0) this.#readHalf(word, part);
      }
      i += run;
    }
  }

  /** How many blocks from the i-th on can be read with one call. */
  #runLength(i: number, count: number, fromLower: (i: number) => boolean): number {
    const word = this.#words[i]!;
    const halves = word & halvesMask;
    if (halves !== 0 && halves !== halvesMask) return 1;
    const lower = fromLower(i);
    let run = 1;
    for (; i + run < count; run += 1) {
      const next = this.#words[i + run]!;
      if ((next & halvesMask) !== halves) break;
      if (
        halves !== 0 ? (next & slotMask) !== (word & slotMask) + run : fromLower(i + run) !== lower
      )
        break;
    }
    return run;
  }

  #fromLower(i: number, first: number, lowerBlocks: number): boolean {
    return (this.#words[i]! & fromLowerBit) !== 0 || first + i < lowerBlocks;
  }

  #readLower(inode: number, firstBlock: number, target: Uint8Array): void {
    const { words } = this.#state;
    const at = this.#state.inodeAt(inode);
    const blocks = target.length / block_bytes;
    this.#state.add(counters.lowerBlocksRead, blocks);
    const family: KeyFamily = {
      kind: words[at + inodeFields.keyKind]! as KeyKind,
      tablespace: words[at + inodeFields.tablespace]! >>> 0,
      database: words[at + inodeFields.database]! >>> 0,
      relation: words[at + inodeFields.relation]! >>> 0,
      fork: words[at + inodeFields.fork]!,
    };
    const block = (words[at + inodeFields.firstBlock]! >>> 0) + firstBlock;
    this.#lower.read({ family, firstBlock: block, blocks, floor: this.#state.floor }, target);
  }

  /** A slot file may end early where only the first half of its last slot was written. */
  #readSlots(slot: number, target: Uint8Array): void {
    const read = readSync(this.#slotFd, target, 0, target.length, slot * block_bytes);
    assert(read === target.length, 'the halves that are present are in the slot file');
  }

  #readHalf(word: number, page: Uint8Array): void {
    const offset = (word & firstHalfBit) !== 0 ? 0 : half_bytes;
    const position = (word & slotMask) * block_bytes + offset;
    const read = readSync(this.#slotFd, page, offset, half_bytes, position);
    assert(read === half_bytes, 'a half that is present is in the slot file');
  }

  /** Makes all words busy, ascending, and gives each a slot. Says how many it could. */
  #lockAll(inode: number, first: number, count: number): number {
    for (let i = 0; i < count; i += 1) {
      const at = makeWord(this.#state, inode, first + i);
      if (at === 0) return i;
      this.#at[i] = at;
      const word = this.#lock(at);
      this.#words[i] = word;
      this.#stamps[i] = word & slotMask;
      if ((word & halvesMask) !== 0) continue;
      const slot = this.#slots.take();
      if (slot === noSlot) {
        Atomics.store(this.#state.words, at, word);
        return i;
      }
      this.#stamps[i] = slot;
    }
    return count;
  }

  /** Takes the word: returns what it was, without a trim. */
  #lock(at: number): number {
    const { words } = this.#state;
    for (;;) {
      const word = this.#settledWord(at);
      if (Atomics.compareExchange(words, at, word, word | busyBit) === word) return word;
    }
  }

  #unlockUnchanged(locked: number): void {
    for (let i = 0; i < locked; i += 1) {
      const word = this.#words[i]!;
      if ((word & halvesMask) === 0) this.#slots.free(this.#stamps[i]!);
      Atomics.store(this.#state.words, this.#at[i]!, word);
    }
  }

  /** Writes runs of neighbouring slots with one call each. While writing, `#stamps` holds slots. */
  #store(range: FileRange, first: number, bytes: Uint8Array): void {
    let begin = range.begin;
    while (begin < range.end) {
      const i = Math.floor(begin / block_bytes) - first;
      let run = 1;
      while (
        (first + i + run) * block_bytes < range.end &&
        this.#stamps[i + run] === this.#stamps[i]! + run
      )
        run += 1;
      const end = Math.min(range.end, (first + i + run) * block_bytes);
      const position = this.#stamps[i]! * block_bytes + (begin % block_bytes);
      const offset = begin - range.begin;
      const written = writeSync(this.#slotFd, bytes, offset, end - begin, position);
      if (written < end - begin) throw noSpace();
      begin = end;
    }
  }

  #publish(range: FileRange, first: number, count: number): void {
    const { words } = this.#state;
    const stamp = this.#state.add(counters.writes, count);
    for (let i = 0; i < count; i += 1) {
      const at = this.#at[i]!;
      const blockBegin = (first + i) * block_bytes;
      const one = range.begin <= blockBegin ? firstHalfBit : 0;
      const two = range.end >= blockBegin + block_bytes ? secondHalfBit : 0;
      const kept = this.#words[i]! & (halvesMask | fromLowerBit);
      words[at + stampDistance] = stamp + i + 1;
      Atomics.store(words, at, kept | one | two | this.#stamps[i]!);
      Atomics.notify(words, at);
    }
  }

  /** Rare: a partial page. What is around the bytes is read first. */
  #writeUnaligned(range: FileRange, bytes: Uint8Array): void {
    let begin = range.begin;
    while (begin < range.end) {
      const half = Math.floor(begin / half_bytes) * half_bytes;
      const end = Math.min(range.end, half + half_bytes);
      this.read({ inode: range.inode, begin: half, end: half + half_bytes }, this.#page);
      const inPage = half % block_bytes;
      const page = this.#page.slice(inPage, inPage + half_bytes);
      page.set(bytes.subarray(begin - range.begin, end - range.begin), begin - half);
      this.write({ inode: range.inode, begin: half, end: half + half_bytes }, page);
      begin = end;
    }
  }
}

/** What a full disk looks like. */
function noSpace(): NodeJS.ErrnoException {
  return Object.assign(new Error('no space in the upper layer'), { code: 'ENOSPC', errno: -28 });
}
