/**
 * Replay: what a recovery does: decodes a log and redoes its pages where they are, in memory. On a
 * thread of its own it takes a share of the pages; as a process of its own it says what it holds.
 *
 * A page is read from the directory when it is first needed, and put back as it was for every round.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { inspectDirectory } from '../src/actors/control/imported-directory.ts';
import { FamilyTable, keyKinds, makeKey, type Key } from '../src/base/key.ts';
import { ensureMajor } from '../src/postgres/major.ts';
import { pageSize } from '../src/postgres/page.ts';
import { recordValueSize, writeRecordValue } from '../src/postgres/page-value.ts';
import { redoTables } from '../src/postgres/redo/redo-tables.ts';
import { PageRebuilder } from '../src/postgres/redo/rebuild.ts';
import { formatVersionedPath } from '../src/postgres/relation-path.ts';
import { imageValueSize, writeImageValue } from '../src/postgres/wal-image.ts';
import { type RecordBlock, type WalRecord } from '../src/postgres/wal-record.ts';
import { forEachRecord, stopwatch, streamWal, type Start } from './wal.ts';

export interface ReplayTask {
  /** The data directory as it was where the log begins. */
  readonly before: string;
  /** The one whose `pg_wal` has the log. */
  readonly after: string;
  /** Every block whose number is `share.index` modulo `share.of`. */
  readonly share: { readonly index: number; readonly of: number };
  /** The first one is for compiling. */
  readonly rounds: number;
}

export interface Replayed {
  /** CPU time of the last round. */
  readonly seconds: number;
  readonly pages: number;
  /** Bytes of WAL in all rounds. */
  readonly bytes: number;
  /** Of the process, after the second round and after the last. */
  readonly resident_bytes: readonly [number, number];
}

const blocksPerFile = 131_072;

/** Runs the task on a thread of its own. */
export function replayOnThread(task: ReplayTask): Promise<Replayed> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Runs the task in a process of its own. */
export function replayInProcess(task: ReplayTask): Replayed {
  const run = spawnSync(process.execPath, [import.meta.filename, JSON.stringify(task)]);
  if (run.status !== 0) throw new Error(`replay failed: ${String(run.stderr)}`);
  return JSON.parse(String(run.stdout)) as Replayed;
}

function replay({ before, after, share, rounds }: ReplayTask): Replayed {
  const start = inspectDirectory(before);
  const pages = new Pages(start);
  let seconds = 0;
  let bytes = 0;
  let settled = 0;
  for (let round = 0; round < rounds; round += 1) {
    pages.reset();
    const used = stopwatch();
    const end = forEachRecord(start, streamWal(after, start), (record) => {
      redoBlocks(record, pages, share);
    });
    seconds = used();
    bytes += end - start.startLsn;
    if (round === 1) settled = process.memoryUsage.rss();
  }
  const resident_bytes = [settled, process.memoryUsage.rss()] as const;
  return { seconds, pages: pages.count, bytes, resident_bytes };
}

function redoBlocks(record: WalRecord, pages: Pages, { index, of }: ReplayTask['share']): void {
  for (let id = 0; id < record.blockCount; id += 1) {
    const block = record.blocks[id]!;
    if (!block.present || block.block % of !== index) continue;
    if (redoTables[record.rmgr] !== undefined) pages.redo(record, id, block);
  }
}

interface HeldPage {
  /** As the directory has it. */
  readonly first: Uint8Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

class Pages {
  readonly #start: Start;
  readonly #rebuilder: PageRebuilder;
  readonly #families = new FamilyTable();
  readonly #pages = new Map<Key, HeldPage>();
  readonly #value = new Uint8Array(2 ** 20);
  readonly #view = new DataView(this.#value.buffer);

  constructor(start: Start) {
    this.#start = start;
    this.#rebuilder = new PageRebuilder(start.major);
  }

  get count(): number {
    return this.#pages.size;
  }

  reset(): void {
    for (const { first, bytes } of this.#pages.values()) bytes.set(first);
  }

  redo(record: WalRecord, id: number, block: RecordBlock): void {
    const image = block.hasImage && block.applyImage;
    const size = image ? imageValueSize(record, id) : recordValueSize(record, id);
    if (image) writeImageValue(record, id, this.#value, 0);
    else writeRecordValue(record, id, this.#view, 0);
    const { bytes, view } = this.#page(block);
    this.#rebuilder.resume(bytes, view);
    this.#rebuilder.apply(this.#view, 0, size, record.end);
  }

  #page({ tablespace, database, relation, fork, block }: RecordBlock): HeldPage {
    const kind = keyKinds.relationBlock;
    const key = makeKey(this.#families.id(kind, tablespace, database, relation, fork), block);
    const held = this.#pages.get(key);
    if (held !== undefined) return held;
    const segment = Math.floor(block / blocksPerFile);
    const file = { kind: 'relation', tablespace, database, relation, fork, segment } as const;
    const path = formatVersionedPath({ ...file, backend: null }, ensureMajor(this.#start.major));
    const first = readPage(join(this.#start.path, path), (block % blocksPerFile) * pageSize);
    const bytes = first.slice();
    const page = { first, bytes, view: new DataView(bytes.buffer) };
    this.#pages.set(key, page);
    return page;
  }
}

/** Zeros where the file, or the page in it, does not exist yet. */
function readPage(path: string, at: number): Uint8Array {
  const page = new Uint8Array(pageSize);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return page;
  }
  readSync(file, page, 0, pageSize, at);
  closeSync(file);
  return page;
}

if (!isMainThread) parentPort!.postMessage(replay(workerData as ReplayTask));
else if (import.meta.main) {
  const task = JSON.parse(process.argv[2]!) as ReplayTask;
  process.stdout.write(JSON.stringify(replay(task)));
}
