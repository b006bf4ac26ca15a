/**
 * Import: what a file of a data directory becomes on a timeline. Pure: whoever walks the directory
 * asks here for every file, and reads and stores what the answer says.
 *
 * A directory is imported whole, into a timeline that has nothing, at the redo position of its
 * control file; WAL from there on makes it consistent. Files that are page arrays end at their last
 * whole page: a base backup may catch one while it grows.
 */
import { Failure } from '../base/failure.ts';
import { keyKinds, type KeyFamily, type KeyKind } from '../base/key.ts';
import { forks } from './ingest/storage.ts';
import { slruKinds, type SlruKind } from './ingest/slru-store.ts';
import { tablespaces } from './ingest/tablespace.ts';
import { type Major } from './major.ts';
import { pageSize } from './page.ts';
import { epochOf, fullXidBefore, xidOf } from './xid.ts';

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
export const relationSegmentBlocks = 131_072;

const forkNumbers: Readonly<Record<string, number>> = {
  '': forks.main,
  _fsm: forks.freeSpaceMap,
  _vm: forks.visibilityMap,
  _init: forks.init,
};
const slruDirectories: Readonly<Record<string, SlruKind>> = {
  pg_xact: slruKinds.clog,
  'pg_multixact/members': slruKinds.multixactMembers,
  'pg_multixact/offsets': slruKinds.multixactOffsets,
  pg_commit_ts: slruKinds.commitTimestamps,
};
/** Digits of a state file's name: an xid, from 17 on a full xid. */
const twoPhaseDigits: Readonly<Record<Major, number>> = { 15: 8, 16: 8, 17: 16, 18: 16 };

const relationPattern = /^(\d{1,10})(_fsm|_vm|_init)?(?:\.(\d{1,6}))?$/;
const slruPattern = /^[0-9A-F]{4,6}$/;
const directoryPattern = /^base\/(\d{1,10})$/;

/** `path` is relative to the data directory, with `/`. Fails with `tablespace_unsupported`. */
export function importAction(path: string, context: ImportContext): ImportAction {
  const slash = path.lastIndexOf('/');
  const directory = slash === -1 ? '' : path.slice(0, slash);
  const name = path.slice(slash + 1);
  if (path.startsWith('pg_tblspc/')) throw new Failure('tablespace_unsupported', { path });
  if (path === 'global/pg_control') return { kind: 'controlFile' };
  if (path === 'pg_logical/replorigin_checkpoint') return { kind: 'replicationOrigins' };
  if (directory === 'pg_twophase') return twoPhaseFile(name, context);
  const slru = slruDirectories[directory];
  if (slru !== undefined) return slruFile(slru, name);
  if (directory === 'global') return databaseFile(name, tablespaces.global, 0);
  const database = directoryPattern.exec(directory);
  if (database !== null) return databaseFile(name, tablespaces.default, Number(database[1]));
  return ignored('not part of the versioned state');
}

/** Whole pages in a file of `size` bytes. */
export function importedPages(size: number): number {
  return Math.floor(size / pageSize);
}

function databaseFile(name: string, tablespace: number, database: number): ImportAction {
  if (name === 'PG_VERSION' && database !== 0) {
    return value(keyKinds.database, { tablespace, database });
  }
  if (name === 'pg_filenode.map') return value(keyKinds.relationMap, { tablespace, database });
  const match = relationPattern.exec(name);
  if (match === null) return ignored('no relation: a cache or a temporary file');
  const [, relation, fork, segment] = match;
  return pages(keyKinds.relationBlock, keyKinds.relationSize, {
    coordinates: {
      tablespace,
      database,
      relation: Number(relation),
      fork: forkNumbers[fork ?? '']!,
    },
    firstBlock: Number(segment ?? 0) * relationSegmentBlocks,
  });
}

function slruFile(kind: SlruKind, name: string): ImportAction {
  if (!slruPattern.test(name)) return ignored('no segment of an SLRU');
  const relation = parseInt(name, 16);
  return pages(keyKinds.slruBlock, keyKinds.slruSize, {
    coordinates: { tablespace: kind, database: 0, relation, fork: 0 },
    firstBlock: 0,
  });
}

function twoPhaseFile(name: string, { major, nextXid }: ImportContext): ImportAction {
  const digits = twoPhaseDigits[major];
  if (name.length !== digits || !/^[0-9A-F]+$/.test(name)) return ignored('no state file');
  const named = parseInt(name, 16);
  const fullXid = digits === 16 ? named : fullXidBefore(named, nextXid);
  const place = { tablespace: 0, database: 0, relation: epochOf(fullXid) };
  return value(keyKinds.twoPhase, place, xidOf(fullXid));
}

type Coordinates = Omit<KeyFamily, 'kind'>;

function pages(
  block: KeyKind,
  size: KeyKind,
  { coordinates, firstBlock }: { coordinates: Coordinates; firstBlock: number },
): ImportAction {
  return {
    kind: 'pages',
    blocks: { kind: block, ...coordinates },
    size: { kind: size, ...coordinates },
    firstBlock,
  };
}

function value(kind: KeyKind, place: Partial<Coordinates>, block = 0): ImportAction {
  const none = { tablespace: 0, database: 0, relation: 0, fork: 0 };
  return { kind: 'value', family: { kind, ...none, ...place }, block };
}

function ignored(why: string): ImportAction {
  return { kind: 'ignored', why };
}
