/**
 * RelationPath: the names of versioned files in a data directory, both ways
 * (src/common/relpath.c, src/backend/storage/file/reinit.c, slru.c, twophase.c).
 *
 * Paths are relative to the data directory, with `/`. A name that Postgres would not make itself
 * (leading zeros, an unknown fork) is no name, so each file has exactly one.
 */
import { assert } from '../base/assert.ts';
import { slruKinds, type SlruKind } from './ingest/slru-store.ts';
import { catalogVersion, type Major } from './major.ts';
import { epochOf, xidOf } from './xid.ts';

/** OIDs of the built-in tablespaces: `base/` and `global/`. */
export const builtinTablespaces = { default: 1_663, global: 1_664 } as const;
/** Fork numbers, and their suffixes in file names, by number. */
export const relationForks = { main: 0, freeSpaceMap: 1, visibilityMap: 2, init: 3 } as const;
const forkSuffixes = ['', '_fsm', '_vm', '_init'] as const;

/** One segment file, of up to 1 GiB, of one fork of a relation. */
export interface RelationFile {
  readonly kind: 'relation';
  readonly tablespace: number;
  /** 0 in the global tablespace. */
  readonly database: number;
  /** The relfilenumber. */
  readonly relation: number;
  readonly fork: number;
  /** 0 for the file without a number. */
  readonly segment: number;
  /** The number of the backend whose temporary relation it is; null for an ordinary one. */
  readonly backend: number | null;
}

/** A segment of an SLRU: 32 pages. */
interface SlruFile {
  readonly kind: 'slru';
  readonly slru: SlruKind;
  readonly segment: number;
}

/** The state file of a prepared transaction. */
interface TwoPhaseFile {
  readonly kind: 'twoPhase';
  readonly xid: number;
  /** Null before major 17, whose names do not tell. */
  readonly epoch: number | null;
}

/** `pg_filenode.map` or `PG_VERSION` of a database; database 0 is `global/`. */
interface DatabaseFile {
  readonly kind: 'relationMap' | 'databaseVersion';
  readonly tablespace: number;
  readonly database: number;
}

export type VersionedFile = RelationFile | SlruFile | TwoPhaseFile | DatabaseFile;

const slruDirectories: Readonly<Record<SlruKind, string>> = {
  [slruKinds.clog]: 'pg_xact',
  [slruKinds.multixactMembers]: 'pg_multixact/members',
  [slruKinds.multixactOffsets]: 'pg_multixact/offsets',
  [slruKinds.commitTimestamps]: 'pg_commit_ts',
};
/** Whether the names of two-phase state files have an epoch before the xid. */
const twoPhaseEpochs: Readonly<Record<Major, boolean>> = {
  15: false,
  16: false,
  17: true,
  18: true,
};

const relationName = /^(?:t(\d+)_)?([1-9]\d*)(_fsm|_vm|_init)?(?:\.([1-9]\d*))?$/;
const slruName = /^(?:[0-9A-F]{4}|[1-9A-F][0-9A-F]{4,5})$/;
const oidMax = 0xffff_ffff;

/** The file a path names, or null when it is none of ours. */
export function parseVersionedPath(path: string, major: Major): VersionedFile | null {
  const slash = path.lastIndexOf('/');
  const directory = path.slice(0, Math.max(slash, 0));
  const name = path.slice(slash + 1);
  if (directory === 'pg_twophase') return parseTwoPhase(name, major);
  const slru = Object.values(slruKinds).find((kind) => slruDirectories[kind] === directory);
  if (slru !== undefined) return parseSlru(slru, name);
  const place = parseDatabaseDirectory(directory, major);
  return place === null ? null : parseInDatabase(place, name);
}

/** The path of a file. */
export function formatVersionedPath(file: VersionedFile, major: Major): string {
  switch (file.kind) {
    case 'relation':
      return formatRelation(file, major);
    case 'slru':
      return `${slruDirectories[file.slru]}/${hex(file.segment, 4)}`;
    case 'twoPhase':
      return `pg_twophase/${formatTwoPhase(file, major)}`;
    case 'relationMap':
      return `${databaseDirectory(file, major)}/pg_filenode.map`;
    case 'databaseVersion':
      return `${databaseDirectory(file, major)}/PG_VERSION`;
  }
}

/** Where the files of a database in a tablespace are: `base/5`, `global`, `pg_tblspc/…`. */
interface DatabasePlace {
  readonly tablespace: number;
  readonly database: number;
}

/** The directory of a database in a tablespace. */
function databaseDirectory(place: DatabasePlace, major: Major): string {
  const { tablespace, database } = place;
  if (tablespace === builtinTablespaces.global) return 'global';
  if (tablespace === builtinTablespaces.default) return `base/${database}`;
  return `pg_tblspc/${tablespace}/${tablespaceVersion(major)}/${database}`;
}

/** The place a directory is, or null when no database's files are in it. */
function parseDatabaseDirectory(directory: string, major: Major): DatabasePlace | null {
  if (directory === 'global') return { tablespace: builtinTablespaces.global, database: 0 };
  const parts = directory.split('/');
  const [root, first, version, last] = parts;
  if (root === 'base' && parts.length === 2) {
    const database = parseOid(first);
    return database === null ? null : { tablespace: builtinTablespaces.default, database };
  }
  const ours = root === 'pg_tblspc' && parts.length === 4 && version === tablespaceVersion(major);
  const tablespace = parseOid(first);
  const database = parseOid(last);
  return ours && tablespace !== null && database !== null ? { tablespace, database } : null;
}

/** `TABLESPACE_VERSION_DIRECTORY`. */
function tablespaceVersion(major: Major): string {
  return `PG_${major}_${catalogVersion(major)}`;
}

function parseInDatabase(place: DatabasePlace, name: string): VersionedFile | null {
  if (name === 'pg_filenode.map') return { kind: 'relationMap', ...place };
  if (name === 'PG_VERSION' && place.database !== 0) return { kind: 'databaseVersion', ...place };
  const match = relationName.exec(name);
  if (match === null) return null;
  const [, backend, relation, suffix, segment] = match;
  const fork = forkSuffixes.findIndex((each) => each === (suffix ?? ''));
  const number = parseOid(relation);
  if (number === null) return null;
  return {
    kind: 'relation',
    ...place,
    relation: number,
    fork,
    segment: segment === undefined ? 0 : Number(segment),
    backend: backend === undefined ? null : Number(backend),
  };
}

function formatRelation(file: RelationFile, major: Major): string {
  const temporary = file.backend === null ? '' : `t${file.backend}_`;
  const suffix = forkSuffixes[file.fork];
  assert(suffix !== undefined, 'a relation has four forks');
  const segment = file.segment === 0 ? '' : `.${file.segment}`;
  return `${databaseDirectory(file, major)}/${temporary}${file.relation}${suffix}${segment}`;
}

/** `SlruFileName`: at least four digits; no SLRU of ours has long names. */
function parseSlru(slru: SlruKind, name: string): SlruFile | null {
  return slruName.test(name) ? { kind: 'slru', slru, segment: parseInt(name, 16) } : null;
}

/** `TwoPhaseFilePath`. */
function parseTwoPhase(name: string, major: Major): TwoPhaseFile | null {
  const hasEpoch = twoPhaseEpochs[major];
  if (!/^[0-9A-F]+$/.test(name) || name.length !== (hasEpoch ? 16 : 8)) return null;
  const xid = parseInt(name.slice(-8), 16);
  return { kind: 'twoPhase', xid, epoch: hasEpoch ? parseInt(name.slice(0, 8), 16) : null };
}

/** The state file of a prepared transaction, by its full xid. */
export function twoPhaseFile(fullXid: number, major: Major): TwoPhaseFile {
  const epoch = twoPhaseEpochs[major] ? epochOf(fullXid) : null;
  return { kind: 'twoPhase', xid: xidOf(fullXid), epoch };
}

function formatTwoPhase(file: TwoPhaseFile, major: Major): string {
  assert((file.epoch !== null) === twoPhaseEpochs[major], 'names have an epoch from 17 on');
  return (file.epoch === null ? '' : hex(file.epoch, 8)) + hex(file.xid, 8);
}

function parseOid(text: string | undefined): number | null {
  if (text === undefined || !/^[1-9]\d{0,9}$/.test(text)) return null;
  const oid = Number(text);
  return oid <= oidMax ? oid : null;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
