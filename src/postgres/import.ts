/**
 * Import: what a file of a data directory becomes on a timeline. Pure: whoever walks the directory
 * asks here for every file, and reads and stores what the answer says.
 *
 * A directory is imported whole, into a timeline that has nothing, at the redo position of its
 * control file; WAL from there on makes it consistent. Files that are page arrays end at their last
 * whole page: a base backup may catch one while it grows.
 */
import { ensure } from '../base/failure.ts';
import { keyKinds, type KeyFamily, type KeyKind } from '../base/key.ts';
import { type Major } from './major.ts';
import { pageSize } from './page.ts';
import { parseVersionedPath, type RelationFile, type VersionedFile } from './relation-path.ts';
import { replicationOriginsPath } from './replication-origins.ts';
import { epochOf, fullXidBefore } from './xid.ts';

/**
 * What to do with a file:
 * - `pages`: block `firstBlock + n` of `blocks` is the file's n-th page, an image. The value of
 *   `size`, block 0, is one past the last block of all files with the same family.
 * - `value`: the file is the value of `family`, block `block`.
 * - `controlFile`: the value of the controlFile key, and within it the checkpoint key's.
 * - `replicationOrigins`: `readReplicationOrigins` takes it apart.
 * - `ignored`: it has no place on a timeline, for the reason given.
 */
export type ImportAction =
  | {
      readonly kind: 'pages';
      readonly blocks: KeyFamily;
      readonly size: KeyFamily;
      readonly firstBlock: number;
    }
  | { readonly kind: 'value'; readonly family: KeyFamily; readonly block: number }
  | { readonly kind: 'controlFile' }
  | { readonly kind: 'replicationOrigins' }
  | { readonly kind: 'ignored'; readonly why: string };

/** What the meaning of some file names depends on. */
export interface ImportContext {
  readonly major: Major;
  /** Full xid, of the control file's checkpoint. */
  readonly nextXid: number;
}

/** `RELSEG_SIZE`, in blocks: a relation fork is split into files of 1 GiB. */
const relationSegmentBlocks = 131_072;

/** `path` is relative to the data directory, with `/`. Fails with `tablespace_unsupported`. */
export function importAction(path: string, context: ImportContext): ImportAction {
  ensure(!path.startsWith('pg_tblspc/'), 'tablespace_unsupported', { path });
  if (path === 'global/pg_control') return { kind: 'controlFile' };
  if (path === replicationOriginsPath) return { kind: 'replicationOrigins' };
  const file = parseVersionedPath(path, context.major);
  if (file === null) return ignored('not part of the versioned state');
  switch (file.kind) {
    case 'relation':
      return file.backend === null ? relationFile(file) : ignored('a temporary relation');
    case 'slru': {
      const coordinates = { tablespace: file.slru, database: 0, relation: file.segment, fork: 0 };
      return pages([keyKinds.slruBlock, keyKinds.slruSize], coordinates, 0);
    }
    case 'twoPhase':
      return twoPhaseFile(file, context);
    case 'relationMap':
      return value(keyKinds.relationMap, file);
    case 'databaseVersion':
      return value(keyKinds.database, file);
  }
}

/** Whole pages in a file of `size` bytes. */
export function importedPages(size: number): number {
  return Math.floor(size / pageSize);
}

function relationFile({
  tablespace,
  database,
  relation,
  fork,
  segment,
}: RelationFile): ImportAction {
  const coordinates = { tablespace, database, relation, fork };
  const kinds = [keyKinds.relationBlock, keyKinds.relationSize] as const;
  return pages(kinds, coordinates, segment * relationSegmentBlocks);
}

type TwoPhaseFile = Extract<VersionedFile, { kind: 'twoPhase' }>;

function twoPhaseFile({ xid, epoch }: TwoPhaseFile, { nextXid }: ImportContext): ImportAction {
  const relation = epoch ?? epochOf(fullXidBefore(xid, nextXid));
  return value(keyKinds.twoPhase, { tablespace: 0, database: 0, relation }, xid);
}

type Coordinates = Omit<KeyFamily, 'kind'>;

/** `kinds`: of the blocks, and of their size. */
function pages(
  [block, size]: readonly [KeyKind, KeyKind],
  coordinates: Coordinates,
  firstBlock: number,
): ImportAction {
  const blocks = { kind: block, ...coordinates };
  return { kind: 'pages', blocks, size: { kind: size, ...coordinates }, firstBlock };
}

interface Place {
  readonly tablespace: number;
  readonly database: number;
  readonly relation?: number;
}

function value(kind: KeyKind, place: Place, block = 0): ImportAction {
  const { tablespace, database, relation = 0 } = place;
  return { kind: 'value', family: { kind, tablespace, database, relation, fork: 0 }, block };
}

function ignored(why: string): ImportAction {
  return { kind: 'ignored', why };
}
