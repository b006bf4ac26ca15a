/**
 * Trimmer: drops written blocks that storage can rebuild, a batch at a time, oldest first.
 *
 * A batch goes in two steps, with a pause between them:
 * - `prepare` marks its blocks as trimming and has the kernel write back and forget its copy of them
 *   (what is dirty comes as a write, which cancels);
 * - `commit` raises the floor and gives the slots of those still marked back.
 * Any read or write in between takes a block's mark away, so no page is ever put together from a half
 * that Postgres wrote and a half that was rebuilt. The pause is for a process that has copied one
 * half out of the kernel's cache and is about to ask for the other.
 */
import { readSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { type Lsn } from '../../base/lsn.ts';
import { keyKinds } from '../../base/key.ts';
import { invalidateNotice } from '../../io/fuse/replies.ts';
import {
  busyBit,
  findWord,
  fromLowerBit,
  halvesMask,
  slotMask,
  stampDistance,
  trimmingBit,
  visitBlocks,
} from './block-map.ts';
import { forks } from './file-names.ts';
import { type Inode, type Inodes } from './inodes.ts';
import { type SampleTaken } from './protocol.ts';
import { block_bytes, inodeFields, type SharedState } from './shared-state.ts';
import { Slots } from './slots.ts';
import { pageMustStay, stampAge, TrimRule } from './trim-rule.ts';

export interface TrimmerParts {
  readonly state: SharedState;
  readonly inodes: Inodes;
  readonly slotFd: number;
  readonly fuseFd: number;
}

/** A block to trim, and what its word and stamp were when it was chosen. */
interface Candidate {
  readonly inode: Inode;
  readonly block: number;
  readonly word: number;
  readonly stamp: number;
}

interface Batch {
  readonly floor: Lsn;
  readonly blocks: readonly Candidate[];
}

/** Pages looked at in one go: each costs a local read on the actor's thread. */
const batchBlocks = 512;

const writeAsync = promisify(write);

export class Trimmer {
  readonly #parts: TrimmerParts;
  readonly #slots: Slots;
  readonly #rule = new TrimRule();
  readonly #page = new DataView(new ArrayBuffer(block_bytes));
  /** Chosen by one scan, oldest last; `floor` is the scan's. */
  #queue: { readonly floor: Lsn; readonly blocks: Candidate[] } | null = null;
  #prepared: Batch | null = null;
  /** The limit the last scan was made for: the same again finds nothing new. */
  #scannedMark = -1;
  trimmedBlocks = 0;
  cancelledBlocks = 0;

  constructor(parts: TrimmerParts) {
    this.#parts = parts;
    this.#slots = new Slots(parts.state);
  }

  addSample(sample: SampleTaken): void {
    this.#rule.add(sample);
  }

  /**
   * Begins with the next batch, and resolves when the kernel has forgotten it. False when nothing
   * may be trimmed. The notices are written by another thread: the kernel may wait in them for the
   * reader threads to take what was dirty.
   */
  async prepare(): Promise<boolean> {
    this.#refill();
    const queue = this.#queue;
    if (queue === null || queue.blocks.length === 0) return false;
    const chosen = queue.blocks.splice(-batchBlocks).filter((one) => this.#mark(one));
    chosen.sort((a, b) => a.inode.number - b.inode.number || a.block - b.block);
    for (let i = 0; i < chosen.length;) {
      const run = neighbours(chosen, i);
      await this.#invalidate(chosen[i]!, run);
      i += run;
    }
    this.#prepared = { floor: queue.floor, blocks: chosen };
    return true;
  }

  /** Ends the batch that was prepared, if any. */
  commit(): void {
    const batch = this.#prepared;
    this.#prepared = null;
    if (batch === null) return;
    const { state } = this.#parts;
    if (batch.floor > state.floor) state.raiseFloor(batch.floor);
    for (const candidate of batch.blocks) this.#drop(candidate);
  }

  /** Scans when the last scan's finds are used up and there is a new limit. */
  #refill(): void {
    const { limit } = this.#rule;
    if (limit === null || limit.mark === this.#scannedMark) return;
    if (this.#queue !== null && this.#queue.blocks.length > 0) return;
    const found: (Candidate & { readonly age: number })[] = [];
    for (const inode of this.#parts.inodes.all) {
      if (!this.#isTrimmable(inode)) continue;
      this.#scan(inode, limit.mark, (candidate, age) => found.push({ ...candidate, age }));
    }
    found.sort((a, b) => a.age - b.age);
    this.#queue = { floor: limit.floor, blocks: found };
    this.#scannedMark = limit.mark;
  }

  /** Main forks of logged relations, under the name they were made with. */
  #isTrimmable({ blockFile, linked, renamed, parent }: Inode): boolean {
    if (blockFile === null || !linked || renamed || parent === null) return false;
    if (blockFile.keyKind !== keyKinds.relationBlock || blockFile.fork !== forks.main) return false;
    return parent.children?.has(`${blockFile.relation}_init`) === false;
  }

  #scan(inode: Inode, mark: number, found: (candidate: Candidate, age: number) => void): void {
    const { state } = this.#parts;
    visitBlocks(state, inode.number, (block, at) => {
      const word = Atomics.load(state.words, at);
      if ((word & halvesMask) !== halvesMask || (word & busyBit) !== 0) return;
      const stamp = state.words[at + stampDistance]!;
      const age = stampAge(stamp, mark);
      if (age !== null) found({ inode, block, word: word & ~trimmingBit, stamp }, age);
    });
  }

  /** Marks a block, if it still is as it was chosen and may go. */
  #mark({ inode, block, word, stamp }: Candidate): boolean {
    const { state, slotFd } = this.#parts;
    if (!this.#isTrimmable(inode)) return false;
    const at = findWord(state, inode.number, block);
    if (at === 0 || state.words[at + stampDistance] !== stamp) return false;
    if (Atomics.compareExchange(state.words, at, word, word | trimmingBit) !== word) return false;
    readSync(slotFd, this.#page, 0, block_bytes, (word & slotMask) * block_bytes);
    if (!pageMustStay(this.#page)) return true;
    Atomics.compareExchange(state.words, at, word | trimmingBit, word);
    return false;
  }

  async #invalidate({ inode, block }: Candidate, blocks: number): Promise<void> {
    const notice = invalidateNotice(inode.number, block * block_bytes, blocks * block_bytes);
    try {
      await writeAsync(this.#parts.fuseFd, notice);
    } catch (error) {
      // The kernel has no such inode in its cache, and so nothing of it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #drop({ inode, block, word }: Candidate): void {
    const { state, inodes } = this.#parts;
    const at = inodes.get(inode.number) === inode ? findWord(state, inode.number, block) : 0;
    const lowerBlocks = state.words[state.inodeAt(inode.number) + inodeFields.lowerBlocks]!;
    const dropped = block < lowerBlocks ? 0 : fromLowerBit;
    const marked = word | trimmingBit;
    if (at === 0 || Atomics.compareExchange(state.words, at, marked, dropped) !== marked) {
      this.cancelledBlocks += 1;
      return;
    }
    this.#slots.free(word & slotMask);
    this.trimmedBlocks += 1;
  }
}

/** How many candidates from the i-th on are one range of one file. */
function neighbours(candidates: readonly Candidate[], i: number): number {
  const { inode, block } = candidates[i]!;
  let run = 1;
  for (; i + run < candidates.length; run += 1) {
    const next = candidates[i + run]!;
    if (next.inode !== inode || next.block !== block + run) break;
  }
  return run;
}
