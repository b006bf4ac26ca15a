/**
 * What does a quorum of three hosts cost? Commits of a single row and bulk WAL beside a local Postgres that
 * waits for two of three `pg_receivewal --synchronous`; how the times of single commits are spread,
 * pipelined and not; and how long it takes until another host goes on for one that was killed.
 */
import { ClusterProcess } from './cluster-process.ts';
import { figure, median, timed_ms, type Figure, type Report, type Size } from './harness.ts';
import { driverFor, prepareLoad, runLoad } from './load.ts';
import { timedCommits } from './pipelined-commits.ts';
import { inPlace, type Place } from './place.ts';
import { receiverMajor, startReceivedPostgres } from './received-postgres.ts';
import { sql, type Server } from './server.ts';

const mebibyte = 2 ** 20;
const receivers = 3;
const statement = `insert into commits (text) values ('one row, committed by itself')`;
const depths = [1, 4] as const;

interface Extent {
  readonly seconds: number;
  readonly rounds: number;
  readonly single: number;
  readonly bulk_mb: number;
  readonly takeovers: number;
}

const extents: Readonly<Record<Size, Extent>> = {
  full: { seconds: 3, rounds: 5, single: 3_000, bulk_mb: 512, takeovers: 5 },
  small: { seconds: 0.2, rounds: 1, single: 20, bulk_mb: 2, takeovers: 1 },
};

/** The same for both sides, by turns. */
interface Sides {
  readonly place: Place;
  readonly ours: Server;
  readonly theirs: Server | null;
}

export function measureQuorum(size: Size): Promise<Report> {
  const extent = extents[size];
  return inPlace(async (place) => {
    const cluster = await ClusterProcess.create(place, {});
    const ours = await cluster.start();
    await prepareLoad(ours, 1);
    const theirs = size === 'full' ? await startReceivedPostgres(place, receivers) : null;
    if (theirs !== null) await prepareLoad(theirs, 1);
    const sides = { place, ours, theirs };
    const figures = [
      ...(await commitFigures(sides, extent)),
      ...(await spreadFigures(sides, extent)),
      await bulkFigure(sides, extent),
      await takeoverFigure(cluster, extent),
    ];
    const { seconds, rounds } = extent;
    const peer = `Postgres ${receiverMajor}, ANY 2 of ${receivers} pg_receivewal`;
    const settings = { driver: driverFor(seconds), seconds, rounds, hosts: 3, peer };
    return { question: 'a quorum of three', settings, figures };
  });
}

async function commitFigures({ place, ours, theirs }: Sides, extent: Extent): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const clients of [1, 8]) {
    const load = { script: 'commit', clients, seconds: extent.seconds, scale: 1 } as const;
    const mine: number[] = [];
    const peers: number[] = [];
    for (let round = 0; round < extent.rounds; round += 1) {
      mine.push((await runLoad(place, ours, load)).perSecond);
      if (theirs !== null) peers.push((await runLoad(place, theirs, load)).perSecond);
    }
    const peer = theirs === null ? null : median(peers);
    figures.push(
      clients === 1
        ? figure({
            what: 'commits, 1 client, mean latency',
            unit: 'ms',
            host: 1_000 / median(mine),
            peer: peer === null ? null : 1_000 / peer,
            goal: { of: 'ratio', bound: 'max', value: 1.3 },
          })
        : figure({
            what: `commits, ${clients} clients`,
            unit: '/s',
            host: median(mine),
            peer,
            goal: { of: 'ratio', bound: 'min', value: 0.8 },
          }),
    );
  }
  return figures;
}

/** A timer on the way of a commit would show as a step at its period. */
async function spreadFigures({ ours, theirs }: Sides, extent: Extent): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const depth of depths) {
    const times = { statement, count: extent.single, depth };
    const mine = await timedCommits(ours, times);
    const peers = theirs === null ? null : await timedCommits(theirs, times);
    for (const share of [0.5, 0.9, 0.99, 0.999]) {
      const peer = peers === null ? null : quantile(peers, share);
      const what = `1 client, ${depth} under way, p${share * 100}`;
      const note = share === 0.5 ? histogram(mine) : '';
      figures.push(figure({ what, unit: 'ms', host: quantile(mine, share), peer, note }));
    }
  }
  return figures;
}

/** WAL that is little else: what the quorum takes, not what Postgres makes. */
async function bulkFigure({ ours, theirs }: Sides, { bulk_mb }: Extent): Promise<Figure> {
  const message = `pg_logical_emit_message(false, 'bench', repeat('x', ${mebibyte}))`;
  const emit = `do $$ begin for i in 1..${bulk_mb} loop perform ${message}; end loop; end $$`;
  async function speed(server: Server): Promise<number> {
    // The commit of a row behind it waits for all of it.
    return bulk_mb / ((await timed_ms(() => sql(server, emit, statement))) / 1_000);
  }
  return figure({
    what: 'bulk WAL',
    unit: 'MB/s',
    host: await speed(ours),
    peer: theirs === null ? null : await speed(theirs),
    goal: { of: 'host', bound: 'min', value: 100 },
  });
}

/** From asking another host for the endpoint to the answer of the first commit there. */
async function takeoverFigure({ hosts }: ClusterProcess, { takeovers }: Extent): Promise<Figure> {
  const times: number[] = [];
  for (let round = 0; round < takeovers; round += 1) {
    const from = hosts[round % 2]!;
    const to = hosts[(round + 1) % 2]!;
    await from.kill();
    times.push(await timed_ms(async () => sql(await to.startEndpoint('main'), statement)));
    await from.launch();
  }
  return figure({
    what: 'takeover, slowest',
    unit: 'ms',
    host: Math.max(...times),
    peer: null,
    goal: { of: 'host', bound: 'max', value: 1_000 },
    note: `${times.length} times, p50 ${Math.round(median(times))} ms`,
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Counts by powers of two of a millisecond. */
function histogram(values: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const value of values) {
    const bound = 2 ** Math.ceil(Math.log2(value));
    counts.set(bound, (counts.get(bound) ?? 0) + 1);
  }
  const bounds = [...counts.keys()].sort((a, b) => a - b);
  return bounds.map((bound) => `<=${bound}: ${counts.get(bound)!}`).join(', ');
}
