/**
 * Populate: the tree of names a mount begins with, from a snapshot of the lower layer.
 *
 * An unlogged relation (one with an init fork) begins as Postgres would reset it: its main fork reads
 * as its init fork, and it has no other.
 */
import { ensure } from '../../base/failure.ts';
import { keyKinds } from '../../base/key.ts';
import {
  forks,
  relationDirectory,
  relationFileName,
  slruDirectories,
  slruFileName,
} from './file-names.ts';
import { type Inode, type Inodes } from './inodes.ts';
import {
  type FileSnapshot,
  type ForkSnapshot,
  type MountSnapshot,
  type SlruSegmentSnapshot,
} from './protocol.ts';
import { segmentBlocks } from './shared-state.ts';

/** What Postgres expects to exist, empty or not. */
const directories = ['base', 'global', ...slruDirectories, 'pg_twophase'];

export function populate(inodes: Inodes, snapshot: MountSnapshot): void {
  for (const path of directories) makeDirectories(inodes, path);
  for (const database of snapshot.databases) makeDirectories(inodes, `base/${database}`);
  const unlogged = new Set<string>();
  for (const fork of snapshot.relations)
    if (fork.fork === forks.init) unlogged.add(relationOf(fork));
  for (const fork of snapshot.relations) {
    if (!unlogged.has(relationOf(fork))) addFork(inodes, fork, fork.fork);
    else if (fork.fork === forks.init) {
      addFork(inodes, fork, forks.init);
      addFork(inodes, fork, forks.main);
    }
  }
  for (const segment of snapshot.slruSegments) addSlruSegment(inodes, segment);
  for (const file of snapshot.files) addFile(inodes, file);
}

function relationOf({ tablespace, database, relation }: ForkSnapshot): string {
  return `${tablespace}/${database}/${relation}`;
}

/** Files of up to 1 GiB. The pages are those of `from`, the names those of fork `as`. */
function addFork(inodes: Inodes, from: ForkSnapshot, as: number): void {
  const path = relationDirectory(from.tablespace, from.database);
  ensure(path !== null, 'filesystem_path_unsupported', { tablespace: from.tablespace });
  const directory = makeDirectories(inodes, path);
  for (let first = 0; first === 0 || first < from.blocks; first += segmentBlocks) {
    const segment = first / segmentBlocks;
    const name = relationFileName({ relation: from.relation, fork: as, segment });
    const lower = { keyKind: keyKinds.relationBlock, ...coordinates(from), firstBlock: first };
    inodes.makeLowerFile(directory, name, lower, Math.min(segmentBlocks, from.blocks - first));
  }
}

function coordinates({ tablespace, database, relation, fork }: ForkSnapshot): ForkCoordinates {
  return { tablespace, database, relation, fork };
}
type ForkCoordinates = Pick<ForkSnapshot, 'tablespace' | 'database' | 'relation' | 'fork'>;

function addSlruSegment(inodes: Inodes, { slru, segment, blocks }: SlruSegmentSnapshot): void {
  const path = slruDirectories[slru];
  ensure(path !== undefined, 'filesystem_path_unsupported', { slru });
  const directory = makeDirectories(inodes, path);
  const keyKind = keyKinds.slruBlock;
  const lower = {
    keyKind,
    tablespace: slru,
    database: 0,
    relation: segment,
    fork: 0,
    firstBlock: 0,
  };
  inodes.makeLowerFile(directory, slruFileName(segment), lower, blocks);
}

function addFile(inodes: Inodes, { path, bytes }: FileSnapshot): void {
  const slash = path.lastIndexOf('/');
  const known = directories.some((one) => path.startsWith(`${one}/`));
  ensure(known, 'filesystem_path_unsupported', { path });
  const directory = makeDirectories(inodes, path.slice(0, slash));
  const inode = inodes.makeFile(directory, path.slice(slash + 1), 0o600);
  ensure(inode.blockFile === null, 'filesystem_path_unsupported', { path });
  inodes.fillPlain(inode, bytes);
}

/** The directory at a path, made where missing. */
function makeDirectories(inodes: Inodes, path: string): Inode {
  let directory = inodes.root;
  for (const name of path.split('/')) {
    const child = directory.children!.get(name);
    directory = child?.inode ?? inodes.makeDirectory(directory, name, 0o700);
  }
  return directory;
}
