/**
 * FileNames: which paths of a data directory are made of pages, and of which.
 *
 * `storage/file/reinit.c`, `common/relpath.c` and `access/transam/slru.c` name the files.
 */
import { type KeyKind, keyKinds } from '../../base/key.ts';
import { segmentBlocks } from './shared-state.ts';

/** What a block file's blocks are: a key family, and the family's block its first one is. */
export interface BlockFile {
  readonly keyKind: KeyKind;
  readonly tablespace: number;
  readonly database: number;
  readonly relation: number;
  readonly fork: number;
  readonly firstBlock: number;
}

const defaultTablespace = 1663;
const globalTablespace = 1664;
const forkNames = ['', '_fsm', '_vm', '_init'] as const;
export const forks = { main: 0, fsm: 1, vm: 2, init: 3 } as const;
const relationName = /^([1-9][0-9]*)(_fsm|_vm|_init)?(?:\.([1-9][0-9]*))?$/;
const slruName = /^[0-9A-F]{4,15}$/;

/** Directories of the SLRUs, by number. */
export const slruDirectories = [
  'pg_xact',
  'pg_multixact/members',
  'pg_multixact/offsets',
  'pg_commit_ts',
] as const;

/** What a path is made of; null for a plain file, temporary relations included. */
export function parseBlockFile(path: string): BlockFile | null {
  const slash = path.lastIndexOf('/');
  const directory = path.slice(0, slash);
  const name = path.slice(slash + 1);
  const slru = slruDirectories.findIndex((one) => one === directory);
  if (slru >= 0) return slruName.test(name) ? slruFile(slru, parseInt(name, 16)) : null;
  const database = /^base\/([1-9][0-9]*)$/.exec(directory)?.[1];
  if (database === undefined && directory !== 'global') return null;
  const match = relationName.exec(name);
  if (match === null) return null;
  return {
    keyKind: keyKinds.relationBlock,
    tablespace: database === undefined ? globalTablespace : defaultTablespace,
    database: database === undefined ? 0 : Number(database),
    relation: Number(match[1]),
    fork: forkNames.indexOf((match[2] ?? '') as (typeof forkNames)[number]),
    firstBlock: Number(match[3] ?? 0) * segmentBlocks,
  };
}

function slruFile(slru: number, segment: number): BlockFile {
  const keyKind = keyKinds.slruBlock;
  return { keyKind, tablespace: slru, database: 0, relation: segment, fork: 0, firstBlock: 0 };
}

/** Where a relation's files lie; null when its tablespace is not mounted. */
export function relationDirectory(tablespace: number, database: number): string | null {
  if (tablespace === globalTablespace) return 'global';
  return tablespace === defaultTablespace ? `base/${database}` : null;
}

export interface RelationFile {
  readonly relation: number;
  readonly fork: number;
  readonly segment: number;
}

export function relationFileName({ relation, fork, segment }: RelationFile): string {
  return `${relation}${forkNames[fork]!}${segment === 0 ? '' : `.${segment}`}`;
}

/** From major 17 on, multixact segments may have longer names; four digits are the least. */
export function slruFileName(segment: number): string {
  return segment.toString(16).toUpperCase().padStart(4, '0');
}
