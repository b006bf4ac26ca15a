/** BlockIo against a model: random writes, reads, truncations and trims of a few files. */
import { after, test } from 'node:test';
import { equal } from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockIo } from '../../../src/actors/filesystem/block-io.ts';
import {
  dropBlocks,
  findWord,
  fromLowerBit,
  halvesMask,
  slotMask,
} from '../../../src/actors/filesystem/block-map.ts';
import {
  allocateShared,
  counters,
  inodeFields,
  inodeKinds,
  SharedState,
} from '../../../src/actors/filesystem/shared-state.ts';
import { type LowerRequest } from '../../../src/actors/filesystem/lower-pages.ts';
import { Slots } from '../../../src/actors/filesystem/slots.ts';
import { patternPage } from './pattern-lower.ts';

const folder = mkdtempSync(join(tmpdir(), 'block-io-'));
const half = 4_096;
const inode = 2;
const blocksMax = 300;
after(() => {
  rmSync(folder, { recursive: true });
});

for (let seed = 1; seed <= 8; seed += 1)
  test(`block io: reads what the model says (seed ${seed})`, () => {
    const world = new World(seed);
    try {
      for (let step = 0; step < 1_500; step += 1) world.step();
      world.readAll();
      world.truncate(0);
      equal(world.state.count(counters.slotsUsed), 0);
    } finally {
      world.close();
    }
  });

test('block io: the slot file is not larger than what was held at once', () => {
  const world = new World(1);
  for (let round = 0; round < 10; round += 1) {
    for (let i = 0; i < 100; i += 1) world.write(i * 2, 2);
    for (let i = 0; i < 100; i += 1) world.trim(i);
  }

  equal(statSync(world.path).size, 100 * 8_192);
  world.close();
});

/** The model is the file's halves: a number written, or null for what the lower layer has. */
class World {
  readonly state = new SharedState(allocateShared({ inodesMax: 8, slotsMax: 512, nodesMax: 64 }));
  readonly path = join(folder, 'slots');
  readonly #fd = openSync(this.path, 'w+');
  readonly #slots = new Slots(this.state);
  readonly #io: BlockIo;
  readonly #model: (number | null)[] = new Array<number | null>(blocksMax * 2).fill(0);
  #random: number;
  #next = 1;

  constructor(seed: number) {
    this.#random = seed;
    const lowerBlocks = 100;
    this.state.defineInode(inode, { kind: inodeKinds.blockFile, relation: 9, lowerBlocks });
    this.#model.fill(null, 0, lowerBlocks * 2);
    const state = this.state;
    const lower = {
      read: ({ family, firstBlock, blocks }: LowerRequest, target: Uint8Array): void => {
        for (let i = 0; i < blocks; i += 1)
          target.set(patternPage(family, firstBlock + i), i * 8_192);
      },
    };
    this.#io = new BlockIo({ state, slotFd: this.#fd, lower });
  }

  step(): void {
    const first = this.#below(blocksMax * 2 - 40);
    const choice = this.#below(100);
    if (choice < 45) this.write(first, 1 + this.#below(40));
    else if (choice < 75) this.read(first, 1 + this.#below(40));
    else if (choice < 98) this.trim(this.#below(blocksMax));
    else this.truncate(this.#below(blocksMax));
  }

  write(firstHalf: number, halves: number): void {
    const bytes = new Uint8Array(halves * half);
    for (let i = 0; i < halves; i += 1) {
      this.#next = (this.#next % 250) + 1;
      bytes.fill(this.#next, i * half, (i + 1) * half);
      this.#model[firstHalf + i] = this.#next;
    }
    this.#io.write({ inode, begin: firstHalf * half, end: (firstHalf + halves) * half }, bytes);
  }

  read(firstHalf: number, halves: number): void {
    const target = new Uint8Array(130 * 8_192).fill(0xee);
    this.#io.read({ inode, begin: firstHalf * half, end: (firstHalf + halves) * half }, target);
    for (let i = 0; i < halves; i += 1) {
      const at = ((firstHalf % 2) + i) * half;
      equal(Buffer.compare(target.slice(at, at + half), this.#expected(firstHalf + i)), 0);
    }
  }

  readAll(): void {
    for (let at = 0; at < blocksMax * 2; at += 40) this.read(at, 40);
  }

  /** As the trimmer commits: only whole blocks go. */
  trim(block: number): void {
    const at = findWord(this.state, inode, block);
    const word = at === 0 ? 0 : this.state.words[at]!;
    if ((word & halvesMask) !== halvesMask) return;
    this.state.words[at] = fromLowerBit;
    this.#slots.free(word & slotMask);
    this.#model.fill(null, block * 2, block * 2 + 2);
  }

  truncate(blocks: number): void {
    const at = this.state.inodeAt(inode) + inodeFields.lowerBlocks;
    this.state.words[at] = Math.min(this.state.words[at]!, blocks);
    dropBlocks(this.state, inode, blocks, (slot) => {
      this.#slots.free(slot);
    });
    this.#model.fill(0, blocks * 2);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #expected(index: number): Uint8Array {
    const value = this.#model[index] ?? null;
    if (value !== null) return new Uint8Array(half).fill(value);
    const family = { kind: 0, tablespace: 0, database: 0, relation: 9, fork: 0 } as const;
    return patternPage(family, Math.floor(index / 2)).slice(0, half);
  }

  #below(bound: number): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#random / 2 ** 32) * bound);
  }
}
