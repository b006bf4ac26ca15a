/**
 * Compare: the blocks of a mount against the same blocks rebuilt from storage, under the masks that
 * Postgres's own consistency checks use. Blocking and heavy: runs on a pool, never on a thread that
 * the mount needs.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { keyKinds, type KeyFamily } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';
import { PageHeader, pageSize } from '../../postgres/page.ts';
import { maskPage, maskUnlogged } from '../../postgres/redo/mask-page.ts';
import { relationForks } from '../../postgres/relation-path.ts';
import { pageManager } from '../../postgres/redo/page-manager.ts';
import { PageAsker } from '../../runtime/page-channel.ts';

/** One file of a mount: a segment of a relation fork or of an SLRU. */
export interface FileToCompare {
  /** Relative to the mount. */
  readonly path: string;
  readonly family: KeyFamily;
  /** Of the file's first page, in the family. */
  readonly firstBlock: number;
  /** How many storage has. */
  readonly blocks: number;
  /** Look at these only, counted in the file; null for all. */
  readonly only: readonly number[] | null;
}

export interface CompareTask {
  readonly mountPoint: string;
  readonly timeline: number;
  readonly channel: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
  readonly floor: Lsn;
  readonly files: readonly FileToCompare[];
}

export interface BlockDifference {
  readonly file: FileToCompare;
  /** In the file. */
  readonly block: number;
  /** First byte that differs, and both values, in words. */
  readonly what: string;
}

export interface CompareResult {
  readonly blocks: number;
  /** Files that are missing, or shorter than storage says, in words. */
  readonly sizes: readonly string[];
  readonly differences: readonly BlockDifference[];
}

const pagesAtOnce = 64;
const askTimeout_ms = 60_000;

export function compareFiles(task: CompareTask): CompareResult {
  const asker = new PageAsker(task.channel, task.bell);
  const sizes: string[] = [];
  const differences: BlockDifference[] = [];
  let blocks = 0;
  for (const file of task.files) {
    const path = join(task.mountPoint, file.path);
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? -1;
    // A longer file is right: it ends in pages that were never logged, which are zeros.
    if (size < file.blocks * pageSize) {
      sizes.push(`${file.path}: postgres has ${size} bytes, storage ${file.blocks} blocks`);
    }
    if (size < 0) continue;
    blocks += compareFile(asker, { task, file, path }, differences);
  }
  return { blocks, sizes, differences };
}

interface OpenedFile {
  readonly task: CompareTask;
  readonly file: FileToCompare;
  readonly path: string;
}

/** How many blocks were compared. */
function compareFile(
  asker: PageAsker,
  { task, file, path }: OpenedFile,
  differences: BlockDifference[],
): number {
  const { timeline, floor } = task;
  const handle = openSync(path, 'r');
  let blocks = 0;
  try {
    for (const run of runsOf(file)) {
      const theirs = readPages(handle, run);
      const { family } = file;
      const place = { firstBlock: file.firstBlock + run.block, count: run.count };
      const ours = asker.ask({ timeline, family, floor, ...place }, askTimeout_ms);
      blocks += run.count;
      compareRun({ file, run, theirs, ours }, differences);
    }
  } finally {
    closeSync(handle);
  }
  return blocks;
}

interface Run {
  /** In the file. */
  readonly block: number;
  readonly count: number;
}

interface RunPages {
  readonly file: FileToCompare;
  readonly run: Run;
  readonly theirs: Uint8Array;
  readonly ours: Uint8Array;
}

function compareRun({ file, run, theirs, ours }: RunPages, differences: BlockDifference[]): void {
  for (let index = 0; index < run.count; index += 1) {
    const begin = index * pageSize;
    const their = theirs.slice(begin, begin + pageSize);
    const our = ours.slice(begin, begin + pageSize);
    const what = differenceOf(file.family, file.firstBlock + run.block + index, { their, our });
    if (what !== null) differences.push({ file, block: run.block + index, what });
  }
}

interface PagePair {
  readonly their: Uint8Array;
  readonly our: Uint8Array;
}

/** What differs after masking, in words, or null. */
function differenceOf(family: KeyFamily, block: number, { their, our }: PagePair): string | null {
  if (Buffer.compare(their, our) === 0) return null;
  if (family.kind === keyKinds.relationBlock) {
    const theirManager = mask(their, family.fork, block);
    const ourManager = mask(our, family.fork, block);
    if (theirManager !== ourManager) {
      return `postgres has a page of manager ${theirManager ?? 'none'}, storage of ${ourManager ?? 'none'}`;
    }
  }
  const isMap =
    family.kind === keyKinds.relationBlock && family.fork === relationForks.visibilityMap;
  const differs = isMap ? hasMoreBits : isOtherByte;
  const at = their.findIndex((byte, index) => differs(byte, our[index]!));
  if (at === -1) return null;
  return `byte ${at}: postgres ${hex(their[at]!)}, storage ${hex(our[at]!)}`;
}

function isOtherByte(their: number, our: number): boolean {
  return their !== our;
}

/**
 * Of a visibility map: a bit that is not set is always right, and storage may lack some. CREATE
 * DATABASE logs the maps it copies as if they were standard pages (`RelationCopyStorageUsingBuffer`),
 * whose bytes all lie in the hole that the log leaves out.
 */
function hasMoreBits(their: number, our: number): boolean {
  return (our & ~their) !== 0;
}

function mask(bytes: Uint8Array, fork: number, block: number): number | null {
  const page = new DataView(bytes.buffer, bytes.byteOffset, pageSize);
  const rmgr = fork === 0 || fork === 3 ? pageManager(page) : null;
  const isEmpty = PageHeader.upper.get(page, 0) === 0;
  if (!isEmpty) maskPage(page, { rmgr: rmgr ?? 0, fork, block });
  if (rmgr !== null) maskUnlogged(page, rmgr);
  return rmgr;
}

/** Stretches of blocks to read at once. */
function* runsOf({ blocks, only }: FileToCompare): Generator<Run> {
  if (only !== null) {
    for (const block of only) yield { block, count: 1 };
    return;
  }
  for (let block = 0; block < blocks; block += pagesAtOnce) {
    yield { block, count: Math.min(pagesAtOnce, blocks - block) };
  }
}

/** Pages past the end of the file are zeros. */
function readPages(handle: number, { block, count }: Run): Uint8Array {
  const pages = new Uint8Array(count * pageSize);
  for (let at = 0; at < pages.length;) {
    const got = readSync(handle, pages, at, pages.length - at, block * pageSize + at);
    if (got === 0) break;
    at += got;
  }
  return pages;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** What the pool runs. */
export const tasks = { compareFiles } as const;
export type CompareTasks = typeof tasks;
