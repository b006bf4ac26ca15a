/**
 * How many transactions per second, reading and writing, with data smaller and larger than
 * shared_buffers? Beside the same Postgres on a local directory.
 */
import { figure, median, type Figure, type Goal, type Report, type Size } from './harness.ts';
import { HostProcess } from './host-process.ts';
import { driverFor, prepareLoad, runLoad, warm, type Load } from './load.ts';
import { LocalPostgres, peerSettings } from './local-postgres.ts';
import { inPlace, type Place } from './place.ts';
import { type Server } from './server.ts';

const mebibyte = 2 ** 20;

interface Amounts {
  readonly scales: readonly number[];
  readonly sharedBuffers_bytes: number;
  readonly seconds: number;
  readonly rounds: number;
}

const amounts: Readonly<Record<Size, Amounts>> = {
  full: { scales: [5, 50], sharedBuffers_bytes: 128 * mebibyte, seconds: 5, rounds: 3 },
  small: { scales: [1], sharedBuffers_bytes: 4 * mebibyte, seconds: 0.2, rounds: 1 },
};

export async function measurePgbench(size: Size): Promise<Report> {
  const { scales, sharedBuffers_bytes, seconds, rounds } = amounts[size];
  const figures: Figure[] = [];
  for (const scale of scales) figures.push(...(await atScale(scale, amounts[size])));
  return {
    question: 'transactions per second',
    settings: {
      driver: driverFor(seconds),
      seconds,
      rounds,
      shared_buffers: `${sharedBuffers_bytes / mebibyte} MB`,
      peer: Object.entries(peerSettings)
        .map(([name, value]) => `${name}='${value}'`)
        .join(' '),
    },
    figures,
  };
}

function atScale(scale: number, { sharedBuffers_bytes, ...amount }: Amounts): Promise<Figure[]> {
  return inPlace(async (place) => {
    const config = { shared_buffers_bytes: sharedBuffers_bytes };
    const host = new HostProcess(place, config);
    const ours = await host.start();
    const theirs = await (await LocalPostgres.create(place, config)).start();
    for (const server of [ours, theirs]) await prepareLoad(server, scale);
    await host.caughtUp('main', ours);
    const figures: Figure[] = [];
    for (const script of ['select', 'tpcb'] as const) {
      for (const clients of [1, 4]) {
        const load = { script, clients, scale, seconds: amount.seconds };
        const what = `${script} scale ${scale} (${scale * 15} MB), ${clients} clients`;
        const servers = { place, ours, theirs };
        const measured = await compare(servers, load, amount.rounds);
        figures.push(figure({ what, unit: 'tps', ...measured, goal: goalFor(load) }));
      }
    }
    return figures;
  });
}

interface Servers {
  readonly place: Place;
  readonly ours: Server;
  readonly theirs: Server;
}

/** In turns, so that what else the machine does falls on both. */
async function compare(
  { place, ours, theirs }: Servers,
  load: Load,
  rounds: number,
): Promise<{ readonly host: number; readonly peer: number }> {
  const host: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round === 0) for (const server of [ours, theirs]) await warm(server);
    host.push((await runLoad(place, ours, load)).perSecond);
    peer.push((await runLoad(place, theirs, load)).perSecond);
  }
  return { host: median(host), peer: median(peer) };
}

function goalFor({ script, clients, scale }: Load): Goal | null {
  const fits = scale < 10;
  if (script === 'select' && fits) return { of: 'ratio', bound: 'min', value: 0.95 };
  const asked = script === 'tpcb' && clients === 4 && scale === 50;
  return asked ? { of: 'ratio', bound: 'min', value: 0.6 } : null;
}
