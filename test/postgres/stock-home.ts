/**
 * Where tests find a stock Postgres that an unprivileged user can run, also from a checkout below a
 * folder that only root may enter: then it is mounted elsewhere for as long as the process lives.
 */
import { makeReachable, type ReachablePath } from '../../src/io/mounts.ts';
import { postgresHome } from '../../src/io/postgres-binaries.ts';
import { type Identity } from '../../src/io/postgres-process.ts';

/** `nobody` and `nogroup`. */
const nobody: Identity = { uid: 65_534, gid: 65_534 };
const homes = new Map<number, ReachablePath>();

/** Folder with `bin`, `lib` and `share`. */
export function stockHome(major: number): string {
  const known = homes.get(major);
  if (known !== undefined) return known.path;
  const made = makeReachable(postgresHome(major), nobody, `postgres-${major}-test-${process.pid}`);
  homes.set(major, made);
  return made.path;
}

process.once('exit', () => {
  for (const home of homes.values()) home.release();
});
