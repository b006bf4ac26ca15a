/**
 * Where the Postgres binaries of a major are: the npm package `postgres-<major>`.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ensure, Failure } from '../base/failure.ts';

/** Folder with `bin`, `lib` and `share`. Fails with `postgres_missing`. */
export function postgresHome(major: number): string {
  const home = join(dirname(resolvePackage(major)), '..', 'native');
  ensure(existsSync(join(home, 'bin', 'postgres')), 'postgres_missing', { major, path: home });
  return home;
}

/** The package's only export, `dist/index.js`: its package.json cannot be resolved. */
function resolvePackage(major: number): string {
  try {
    return createRequire(import.meta.url).resolve(`postgres-${major}`);
  } catch (cause) {
    throw new Failure('postgres_missing', { major, path: null }, cause);
  }
}
