/**
 * ChangedMaps: the pages of a mount's free-space maps that are not what storage has. Blocking: runs on
 * a pool, never on a thread that the mount needs.
 *
 * Only of permanent relations: an unlogged one begins empty when its Postgres starts again.
 */
import { closeSync, openSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { keyKinds } from '../../base/key.ts';
import { Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { asDiskFailure } from '../../io/disk.ts';
import { type NewImage } from '../../postgres/image-record.ts';
import { type Major } from '../../postgres/major.ts';
import { PageHeader, pageSize } from '../../postgres/page.ts';
import {
  parseVersionedPath,
  relationForks,
  type RelationFile,
} from '../../postgres/relation-path.ts';
import { PageAsker } from '../../runtime/page-channel.ts';

export interface ChangedMapsTask {
  readonly mountPoint: string;
  readonly major: Major;
  readonly timeline: number;
  readonly channel: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
  readonly floor: Lsn;
  /** No more pages than this are answered. */
  readonly pagesMax: number;
}

const pagesAtOnce = 64;
const askTimeout_ms = 10_000;
/** Blocks of a 1 GiB file (`RELSEG_SIZE`). */
const blocksPerFile = 131_072;
const mapName = /^\d+_fsm/;
/** LSN and checksum are whoever's wrote the page last. */
const comparedFrom = PageHeader.flags.offset;

/** Fails with `disk_failed` when the mount does not answer, and as `PageAsker.ask` does. */
export function changedMaps(task: ChangedMapsTask): readonly NewImage[] {
  try {
    return compareMaps(task);
  } catch (error) {
    throw error instanceof Failure ? error : asDiskFailure('read', error);
  }
}

function compareMaps(task: ChangedMapsTask): readonly NewImage[] {
  const asker = new PageAsker(task.channel, task.bell);
  const changed: NewImage[] = [];
  for (const directory of ['global', ...databaseDirectories(task.mountPoint)]) {
    const names = new Set(readdirSync(join(task.mountPoint, directory)));
    for (const name of names) {
      if (changed.length >= task.pagesMax) return changed.slice(0, task.pagesMax);
      if (!mapName.test(name)) continue;
      const file = parseVersionedPath(`${directory}/${name}`, task.major);
      if (file?.kind !== 'relation' || names.has(`${file.relation}_init`)) continue;
      compareMap(asker, task, { file, path: join(task.mountPoint, directory, name) }, changed);
    }
  }
  return changed.slice(0, task.pagesMax);
}

function databaseDirectories(mountPoint: string): readonly string[] {
  return readdirSync(join(mountPoint, 'base')).map((database) => `base/${database}`);
}

interface MapFile {
  readonly file: RelationFile;
  readonly path: string;
}

/** Adds the file's pages that differ to `changed`. */
function compareMap(
  asker: PageAsker,
  task: ChangedMapsTask,
  { file, path }: MapFile,
  changed: NewImage[],
): void {
  const { tablespace, database, relation, segment } = file;
  const fork = relationForks.freeSpaceMap;
  const family = { kind: keyKinds.relationBlock, tablespace, database, relation, fork };
  const { timeline, floor } = task;
  const pages = new Uint8Array(pagesAtOnce * pageSize);
  const handle = openSync(path, 'r');
  try {
    for (let first = 0; ; first += pagesAtOnce) {
      const count = Math.floor(
        readSync(handle, pages, 0, pages.length, first * pageSize) / pageSize,
      );
      if (count === 0) return;
      const firstBlock = segment * blocksPerFile + first;
      const stored = asker.ask({ timeline, family, floor, firstBlock, count }, askTimeout_ms);
      for (let index = 0; index < count; index += 1) {
        const page = pages.subarray(index * pageSize, (index + 1) * pageSize);
        if (isSame(page, stored.subarray(index * pageSize, (index + 1) * pageSize))) continue;
        const block = firstBlock + index;
        changed.push({ tablespace, database, relation, fork, block, page: page.slice() });
      }
    }
  } finally {
    closeSync(handle);
  }
}

function isSame(page: Uint8Array, stored: Uint8Array): boolean {
  return Buffer.compare(page.subarray(comparedFrom), stored.subarray(comparedFrom)) === 0;
}

/** What the pool runs. */
export const tasks = { changedMaps } as const;
export type ChangedMapsTasks = typeof tasks;
