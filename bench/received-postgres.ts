/**
 * ReceivedPostgres: the peer of commits: a local Postgres that waits until `pg_receivewal --synchronous` has
 * its WAL on disk: one of one, or two of three. What stock Postgres offers for further copies.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { defaultConfig } from '../src/config.ts';
import { isInstalled } from './load.ts';
import { LocalPostgres } from './local-postgres.ts';
import { type Place } from './place.ts';
import { sql, type Server } from './server.ts';

const receiver = '/usr/lib/postgresql/15/bin/pg_receivewal';
/** It follows no server newer than itself. */
export const receiverMajor = 15;
const poll_ms = 50;

/** A server whose commits wait for a majority of so many receivers; null where there is no pg_receivewal. */
export async function startReceivedPostgres(place: Place, count: number): Promise<Server | null> {
  if (!isInstalled(receiver)) return null;
  const names = Array.from({ length: count }, (_, index) => `receiver${index}`);
  const majority = Math.floor(count / 2) + 1;
  // A receiver has no slot: what it has not got yet must not be removed.
  const waiting = {
    synchronous_standby_names: `ANY ${majority} (${names.join()})`,
    wal_keep_size: '8GB',
  };
  const local = await LocalPostgres.create(place, defaultConfig, waiting, receiverMajor);
  const server = await local.start();
  for (const name of names) startReceiver(place, server, name);
  const connected = `select count(*) from pg_stat_replication where sync_state = 'quorum'`;
  while ((await sql(server, connected))[0]![0] !== `${count}`)
    await new Promise((resolve) => setTimeout(resolve, poll_ms));
  return server;
}

function startReceiver(place: Place, { host, port }: Server, name: string): void {
  const folder = join(place.folder, name);
  mkdirSync(folder);
  const where = `host=${host} port=${port} user=postgres application_name=${name}`;
  const child = spawn(receiver, ['--synchronous', '-D', folder, '-d', where], { stdio: 'ignore' });
  place.later(async () => {
    child.kill('SIGINT');
    if (child.exitCode === null) await once(child, 'exit');
  });
}
