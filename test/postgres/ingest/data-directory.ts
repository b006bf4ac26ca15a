/**
 * A data directory on disk, seen as the keys it would be imported under.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { keyKinds, type Key, type KeyFamily } from '../../../src/base/key.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { lsnField } from '../../../src/base/struct.ts';
import {
  checkpointSize,
  decodeCheckpoint,
  type Checkpoint,
} from '../../../src/postgres/checkpoint.ts';
import { importAction, importedPages, type ImportAction } from '../../../src/postgres/import.ts';
import { originClass } from '../../../src/postgres/ingest/replication-origin.ts';
import { ensureMajor, type Major } from '../../../src/postgres/major.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import { readReplicationOrigins } from '../../../src/postgres/replication-origins.ts';

/** `checkPointCopy` in pg_control, the same in majors 15 to 18. */
const checkpointAt = 40;

export interface ImportedFile {
  readonly path: string;
  readonly action: ImportAction;
  readonly bytes: () => Uint8Array;
}

/** All files of the directory, with what import says of them. */
export function listFiles(directory: string, major: Major): ImportedFile[] {
  const { nextXid } = readCheckpoint(directory, major).checkpoint;
  return walk(directory, '').map((path) => ({
    path,
    action: importAction(path, { major, nextXid }),
    bytes: () => new Uint8Array(readFileSync(join(directory, path))),
  }));
}

/** The checkpoint in a directory's control file. */
export function readCheckpoint(
  directory: string,
  major: number,
): { readonly checkpoint: Checkpoint; readonly bytes: Uint8Array } {
  const file = new Uint8Array(readFileSync(join(directory, 'global', 'pg_control')));
  const bytes = file.slice(checkpointAt, checkpointAt + checkpointSize);
  const view = new DataView(bytes.buffer);
  return { checkpoint: decodeCheckpoint(view, 0, ensureMajor(major)), bytes };
}

/** What a directory is imported into. */
export interface ImportTarget {
  key(family: KeyFamily, block: number): Key;
  put(key: Key, at: Lsn, init: boolean, bytes: Uint8Array): void;
}

/** Imports a directory no server runs on; the LSN where WAL goes on. */
export function importDirectory(directory: string, major: Major, tip: ImportTarget): Lsn {
  const at = lsn(readCheckpoint(directory, major).checkpoint.redo);
  importFiles(directory, major, { tip, at, relationPages: true });
  return at;
}

/** Imports the files of a directory, as of `at`; the pages of relations only if wanted. */
export function importFiles(
  directory: string,
  major: Major,
  { tip, at, relationPages }: { tip: ImportTarget; at: Lsn; relationPages: boolean },
): void {
  const { bytes } = readCheckpoint(directory, major);
  const sizes = new Map<string, { family: KeyFamily; blocks: number }>();
  for (const { path, action, bytes: read } of listFiles(directory, major)) {
    if (action.kind === 'value') tip.put(tip.key(action.family, action.block), at, true, read());
    if (action.kind === 'replicationOrigins') importOrigins(tip, at, read());
    if (action.kind !== 'pages') continue;
    const count = importedPages(statSync(join(directory, path)).size);
    const wanted = relationPages || action.blocks.kind !== keyKinds.relationBlock;
    const file = wanted ? read() : new Uint8Array(0);
    for (let page = 0; page < importedPages(file.length); page += 1) {
      const image = new Uint8Array(8 + pageSize);
      image[0] = valueTags.image;
      image.set(file.subarray(page * pageSize, (page + 1) * pageSize), 8);
      tip.put(tip.key(action.blocks, action.firstBlock + page), at, true, image);
    }
    const name = JSON.stringify(action.size);
    const blocks = Math.max(action.firstBlock + count, sizes.get(name)?.blocks ?? 0);
    sizes.set(name, { family: action.size, blocks });
  }
  for (const { family, blocks } of sizes.values()) {
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, blocks, true);
    tip.put(tip.key(family, 0), at, true, value);
  }
  const family = { kind: keyKinds.checkpoint, tablespace: 0, database: 0, relation: 0, fork: 0 };
  tip.put(tip.key(family, 0), at, true, bytes);
}

function importOrigins(tip: ImportTarget, at: Lsn, file: Uint8Array): void {
  for (const { origin, remote } of readReplicationOrigins(file)) {
    const place = { tablespace: originClass, database: 0, relation: origin, fork: 0 };
    const value = new Uint8Array(lsnField.size);
    lsnField.write(new DataView(value.buffer), 0, remote);
    tip.put(tip.key({ kind: keyKinds.auxFile, ...place }, 0), at, true, value);
  }
}

/** Progress of replication origins by id, in the directory's own file. */
export function readOrigins(directory: string): ReadonlyMap<number, Lsn> {
  const file = readFileSync(join(directory, 'pg_logical', 'replorigin_checkpoint'));
  return new Map(readReplicationOrigins(file).map(({ origin, remote }) => [origin, remote]));
}

function walk(directory: string, prefix: string): string[] {
  return readdirSync(join(directory, prefix)).flatMap((name) => {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    return statSync(join(directory, path)).isDirectory() ? walk(directory, path) : [path];
  });
}
