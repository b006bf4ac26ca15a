/**
 * What does a commit of a single row cost? Beside a local Postgres that waits for one
 * `pg_receivewal --synchronous`: what stock Postgres offers for a second copy.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { defaultConfig } from '../src/config.ts';
import { figure, median, type Figure, type Report, type Size } from './harness.ts';
import { HostProcess } from './host-process.ts';
import { driverFor, isInstalled, prepareLoad, runLoad } from './load.ts';
import { LocalPostgres } from './local-postgres.ts';
import { inPlace, type Place } from './place.ts';
import { sql, type Server } from './server.ts';

const receiver = '/usr/lib/postgresql/15/bin/pg_receivewal';
/** It follows no server newer than itself. */
const receiverMajor = 15;
const standby = 'receiver';
const poll_ms = 50;

export function measureCommit(size: Size): Promise<Report> {
  const { seconds, rounds } =
    size === 'full' ? { seconds: 3, rounds: 3 } : { seconds: 0.2, rounds: 1 };
  return inPlace(async (place) => {
    const host = new HostProcess(place, {});
    const ours = await host.start();
    await prepareLoad(ours, 1);
    const theirs = size === 'full' && isInstalled(receiver) ? await startPeer(place) : null;
    const figures: Figure[] = [];
    for (const clients of [1, 8]) {
      const load = { script: 'commit', clients, seconds, scale: 1 } as const;
      const mine: number[] = [];
      const peers: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        mine.push((await runLoad(place, ours, load)).latency_ms);
        if (theirs !== null) peers.push((await runLoad(place, theirs, load)).latency_ms);
      }
      const peer = theirs === null ? null : median(peers);
      const note = peer === null ? 'no pg_receivewal to compare with' : '';
      const what = `mean latency, ${clients} clients`;
      figures.push(figure({ what, unit: 'ms', host: median(mine), peer, note }));
    }
    return {
      question: 'commits of one row',
      settings: { driver: driverFor(seconds), seconds, rounds, peer: `Postgres ${receiverMajor}` },
      figures,
    };
  });
}

/** A server whose commits are on two disks: its own and the receiver's. */
async function startPeer(place: Place): Promise<Server> {
  const waiting = { synchronous_standby_names: standby };
  const local = await LocalPostgres.create(place, defaultConfig, waiting, receiverMajor);
  const server = await local.start();
  const folder = join(place.folder, 'received');
  mkdirSync(folder);
  const where = `host=${server.host} port=${server.port} user=postgres application_name=${standby}`;
  const child = spawn(receiver, ['--synchronous', '-D', folder, '-d', where], { stdio: 'ignore' });
  place.later(async () => {
    child.kill('SIGINT');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const connected = 'select count(*) from pg_stat_replication where sync_state = $$sync$$';
  while ((await sql(server, connected))[0]![0] !== '1') {
    if (child.exitCode !== null) throw new Error('pg_receivewal ended');
    await new Promise((resolve) => setTimeout(resolve, poll_ms));
  }
  await prepareLoad(server, 1);
  return server;
}
