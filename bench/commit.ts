/**
 * What does a commit of a single row cost on a host of its own? Beside a local Postgres that waits for
 * one `pg_receivewal --synchronous`: what stock Postgres offers for a second copy.
 */
import { figure, median, type Figure, type Report, type Size } from './harness.ts';
import { HostProcess } from './host-process.ts';
import { driverFor, prepareLoad, runLoad } from './load.ts';
import { inPlace } from './place.ts';
import { receiverMajor, startReceivedPostgres } from './received-postgres.ts';

export function measureCommit(size: Size): Promise<Report> {
  const { seconds, rounds } =
    size === 'full' ? { seconds: 3, rounds: 3 } : { seconds: 0.2, rounds: 1 };
  return inPlace(async (place) => {
    const host = new HostProcess(place, {});
    const ours = await host.start();
    await prepareLoad(ours, 1);
    const theirs = size === 'full' ? await startReceivedPostgres(place, 1) : null;
    if (theirs !== null) await prepareLoad(theirs, 1);
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
