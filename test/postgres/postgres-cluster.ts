/**
 * PostgresCluster: a throwaway cluster made by a real `initdb`, for tests that need Postgres's own
 * files or want to see it start. Everything is under one temporary directory.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stockHome } from './stock-home.ts';

/** Postgres refuses to run as root: then we run it as nobody. */
const nobody = 65_534;
const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

export interface PostgresCluster {
  readonly directory: string;
  /** Ran a statement in a single-user Postgres, which starts and stops cleanly: what it printed. */
  readonly run: (statement: string) => string;
  readonly remove: () => void;
}

/** `initdb` of the major, with extra arguments. */
export function makeCluster(major: number, ...args: readonly string[]): PostgresCluster {
  const root = mkdtempSync(join(tmpdir(), `postgres-${major}-`));
  const directory = join(root, 'data');
  chmodSync(root, 0o755);
  if (identity.uid !== undefined) chownSync(root, identity.uid, identity.gid);
  const initdb = ['-D', directory, '-U', 'postgres', '-A', 'trust', '-N', '--locale=C'];
  runProgram(major, 'initdb', [...initdb, '-E', 'UTF8', ...args], root);
  const single = [
    '--single',
    '-D',
    directory,
    '-c',
    'fsync=off',
    '-c',
    'wal_keep_size=64MB',
    'postgres',
  ];
  return {
    directory,
    run: (statement) => runProgram(major, 'postgres', single, root, `${statement}\n`),
    remove: () => {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Copies files into the cluster, readable by its owner. */
export function ownedBy(cluster: PostgresCluster, path: string): void {
  const full = join(cluster.directory, path);
  if (identity.uid !== undefined) chownSync(full, identity.uid, identity.gid);
}

// eslint-disable-next-line max-params -- a program, its arguments, place and input
function runProgram(
  major: number,
  program: string,
  args: readonly string[],
  cwd: string,
  input = '',
): string {
  const bin = join(stockHome(major), 'bin', program);
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  const result = spawnSync(bin, args, {
    cwd,
    input,
    env,
    encoding: 'utf8',
    timeout: 60_000,
    ...identity,
  });
  if (result.status !== 0)
    throw new Error(`${program} exited with ${String(result.status)}: ${result.stderr}`);
  return result.stdout + result.stderr;
}
