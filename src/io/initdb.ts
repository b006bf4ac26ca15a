/**
 * Initdb: a new data directory.
 */
import { chownSync } from 'node:fs';
import { makeReachable } from './mounts.ts';
import { postgresHome } from './postgres-binaries.ts';
import { runInitdb, type Identity, type NewCluster } from './postgres-process.ts';

/** Runs `initdb` in the empty folder `path`. Fails with `initdb_failed` or `postgres_missing`. */
export function makeDataDirectory(path: string, cluster: NewCluster, identity: Identity): void {
  chownSync(path, identity.uid, identity.gid);
  const home = makeReachable(
    postgresHome(cluster.major),
    identity,
    `postgres-initdb-${process.pid}`,
  );
  const folder = makeReachable(path, identity, `initdb-${process.pid}`);
  try {
    runInitdb(home.path, folder.path, identity, cluster);
  } finally {
    folder.release();
    home.release();
  }
}
