/**
 * Compares a tip with a data directory that was shut down: each function answers with what differs, in
 * words, so that an empty list means equality.
 */
import { keyKinds, type Key, type KeyFamily, type KeyKind } from '../../../src/base/key.ts';
import { type ImportAction } from '../../../src/postgres/import.ts';
import { sizeFrom } from '../../../src/postgres/ingest/block-store.ts';
import { type Major } from '../../../src/postgres/major.ts';
import { isNewPage, PageHeader, pageSize } from '../../../src/postgres/page.ts';
import { maskPage, maskUnlogged } from '../../../src/postgres/redo/mask-page.ts';
import { pageManager } from '../../../src/postgres/redo/page-manager.ts';
import { listFiles } from './data-directory.ts';

const mainFork = 0;
const freeSpaceFork = 1;
const visibilityFork = 2;
const initFork = 3;

/** A timeline's newest state. */
export interface ComparedTip {
  key(family: KeyFamily, block: number): Key;
  page(key: Key): Uint8Array | null;
  value(family: KeyFamily, block?: number): Uint8Array | null;
  live(kind: KeyKind): readonly { readonly family: KeyFamily; readonly block: number }[];
}

interface PageFile {
  readonly action: Extract<ImportAction, { kind: 'pages' }>;
  readonly bytes: Uint8Array;
}

/** All page files of a kind; unlogged relations, which are not versioned, left out. */
function pageFiles(directory: string, major: Major, kind: KeyKind): PageFile[] {
  const files = listFiles(directory, major).flatMap(({ action, bytes }) =>
    action.kind === 'pages' && action.blocks.kind === kind ? [{ action, bytes: bytes() }] : [],
  );
  const unlogged = new Set(
    files.filter(({ action }) => action.blocks.fork === initFork).map(relationName),
  );
  return files.filter(
    (file) => file.action.blocks.fork === initFork || !unlogged.has(relationName(file)),
  );
}

function relationName({ action }: PageFile): string {
  return `${action.blocks.database}/${action.blocks.relation}`;
}

function name({ kind, tablespace, database, relation, fork }: KeyFamily): string {
  return `${kind}:${tablespace}/${database}/${relation}.${fork}`;
}

/**
 * Which forks exist, and how long they are. On disk a fork may be longer: Postgres extends files
 * ahead without logging it, with pages that hold nothing. The free-space map is never logged.
 */
export function relationSizeDifferences(
  tip: ComparedTip,
  directory: string,
  major: Major,
): string[] {
  const differences: string[] = [];
  const onDisk = new Set<string>();
  for (const file of pageFiles(directory, major, keyKinds.relationBlock)) {
    const { size, blocks } = file.action;
    if (blocks.fork === freeSpaceFork) continue;
    onDisk.add(name(size));
    const value = tip.value(size);
    const ours = value === null || value.length === 0 ? -1 : sizeFrom(value);
    const theirs = file.bytes.length / pageSize;
    const tail = file.bytes.subarray(Math.max(0, ours) * pageSize);
    if (ours < 0 || ours > theirs || !holdsNothing(tail)) {
      differences.push(`${name(size)} ours=${ours} theirs=${theirs}`);
    }
  }
  for (const { family } of tip.live(keyKinds.relationSize)) {
    const isCompared = family.fork !== freeSpaceFork && !isUnlogged(tip, family);
    if (isCompared && !onDisk.has(name(family))) differences.push(`${name(family)} only ours`);
  }
  return differences;
}

/** Whether all pages are zeros but for a header. */
function holdsNothing(pages: Uint8Array): boolean {
  return pages.every((byte, at) => byte === 0 || at % pageSize < PageHeader.size);
}

function isUnlogged(tip: ComparedTip, family: KeyFamily): boolean {
  const init = tip.value({ ...family, fork: initFork });
  return family.fork !== initFork && init !== null && init.length > 0;
}

/** Every page of every SLRU, to the byte. */
export function slruDifferences(tip: ComparedTip, directory: string, major: Major): string[] {
  const files = pageFiles(directory, major, keyKinds.slruBlock);
  const differences = files.flatMap((file) => pageDifferences(tip, file, 0));
  for (const { family } of tip.live(keyKinds.slruSize)) {
    const file = files.find(({ action }) => name(action.size) === name(family));
    const ours = sizeFrom(tip.value(family)!);
    const theirs = (file?.bytes.length ?? 0) / pageSize;
    if (ours !== theirs) differences.push(`${name(family)} ours=${ours} theirs=${theirs}`);
  }
  return differences;
}

/**
 * Every bit of every visibility map, but for those of database `byLog`: when Postgres logs a database's
 * pages to copy it, it takes a map's bits for the hole in the middle of a page and leaves them out. A
 * standby of it has no bits there either, which is always safe.
 */
export function visibilityDifferences(
  tip: ComparedTip,
  directory: string,
  major: Major,
  byLog: number,
): string[] {
  return pageFiles(directory, major, keyKinds.relationBlock)
    .filter(({ action: { blocks } }) => blocks.fork === visibilityFork && blocks.database !== byLog)
    .flatMap((file) => pageDifferences(tip, file, PageHeader.size));
}

/**
 * Pages of main forks that differ under the mask of the resource manager they belong to, but for
 * those of the relation `sequence`, which is ahead in WAL.
 */
export function pageContentDifferences(
  tip: ComparedTip,
  directory: string,
  major: Major,
  sequence: number,
): string[] {
  return pageFiles(directory, major, keyKinds.relationBlock)
    .filter(({ action: { blocks } }) => blocks.fork === mainFork && blocks.relation !== sequence)
    .flatMap((file) => maskedDifferences(tip, file));
}

function maskedDifferences(tip: ComparedTip, { action, bytes }: PageFile): string[] {
  const differences: string[] = [];
  for (let block = 0; block < bytes.length / pageSize; block += 1) {
    const theirs = bytes.slice(block * pageSize, (block + 1) * pageSize);
    const ours = tip.page(tip.key(action.blocks, action.firstBlock + block));
    if (ours === null) continue;
    const view = new DataView(theirs.buffer);
    if (isNewPage(view)) continue;
    const rmgr = pageManager(view)!;
    for (const page of [view, new DataView(ours.buffer)]) {
      if (isNewPage(page)) continue;
      maskPage(page, { rmgr, fork: mainFork, block });
      maskUnlogged(page, rmgr);
    }
    const at = theirs.findIndex((byte, index) => byte !== ours[index]);
    if (at !== -1) differences.push(`${name(action.blocks)} block ${block} byte ${at}`);
  }
  return differences;
}

/** Pages whose bytes from `from` on differ. */
function pageDifferences(tip: ComparedTip, { action, bytes }: PageFile, from: number): string[] {
  const differences: string[] = [];
  for (let block = 0; block < bytes.length / pageSize; block += 1) {
    const theirs = bytes.subarray(block * pageSize + from, (block + 1) * pageSize);
    const page = tip.page(tip.key(action.blocks, action.firstBlock + block));
    const ours = (page ?? new Uint8Array(pageSize)).subarray(from);
    const at = theirs.findIndex((byte, index) => byte !== ours[index]);
    if (at === -1) continue;
    const values = `ours=${ours[at]!} theirs=${theirs[at]!}`;
    differences.push(`${name(action.blocks)} block ${block} byte ${at + from} ${values}`);
  }
  return differences;
}

/** Files that are values: relation maps, PG_VERSION, state files; and what should be gone. */
export function valueDifferences(
  tip: ComparedTip,
  directory: string,
  major: Major,
  kind: KeyKind,
): string[] {
  const differences: string[] = [];
  const onDisk = new Set<string>();
  for (const { action, bytes } of listFiles(directory, major)) {
    if (action.kind !== 'value' || action.family.kind !== kind) continue;
    const key = `${name(action.family)} ${action.block}`;
    onDisk.add(key);
    const ours = tip.value(action.family, action.block);
    if (Buffer.compare(ours ?? Buffer.alloc(0), bytes()) !== 0) differences.push(key);
  }
  for (const { family, block } of tip.live(kind)) {
    const key = `${name(family)} ${block}`;
    if (!onDisk.has(key)) differences.push(`${key} only ours`);
  }
  return differences;
}
