/**
 * How long does a branch take, and does it matter how large its parent is? Beside what stock Postgres
 * has: CREATE DATABASE with a template.
 */
import { defaultConfig } from '../src/config.ts';
import { figure, median, timed_ms, type Figure, type Report, type Size } from './harness.ts';
import { HostProcess } from './host-process.ts';
import { LocalPostgres } from './local-postgres.ts';
import { inPlace } from './place.ts';
import { sql, type Server } from './server.ts';

/** A row of `filler` takes this much, about. */
const row_bytes = 1_024;
const mebibyte = 2 ** 20;

interface Parent {
  readonly branch: string;
  readonly size_mb: number;
}

export function measureBranch(size: Size): Promise<Report> {
  const rounds = size === 'full' ? 20 : 2;
  const peerRounds = size === 'full' ? 3 : 1;
  const parents: readonly Parent[] = [
    { branch: 'little', size_mb: size === 'full' ? 8 : 1 },
    { branch: 'large', size_mb: size === 'full' ? 800 : 4 },
  ];
  return inPlace(async (place) => {
    const host = new HostProcess(place, {});
    await host.start();
    const local = await LocalPostgres.create(place, defaultConfig);
    const peer = await local.start();
    for (const { branch, size_mb } of parents) {
      await host.createBranch(branch, 'main');
      const server = await host.startEndpoint(branch);
      await fill(server, size_mb);
      await host.caughtUp(branch, server);
      await sql(peer, `create database ${branch}`);
      await fill({ ...peer, database: branch }, size_mb);
    }
    const ours = new Map<string, number[]>(parents.map(({ branch }) => [branch, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const { branch } of parents) {
        ours.get(branch)!.push(await timed_ms(() => host.createBranch('made', branch)));
        await host.deleteBranch('made');
      }
    }
    const figures: Figure[] = [];
    for (const { branch, size_mb } of parents) {
      figures.push(
        figure({
          what: `create, parent of ${size_mb} MB, p50`,
          unit: 'ms',
          host: median(ours.get(branch)!),
          peer: await copyDatabase(peer, branch, peerRounds),
          goal: { of: 'host', bound: 'max', value: 30 },
        }),
      );
    }
    return { question: 'creating a branch', settings: { rounds, peerRounds }, figures };
  });
}

async function fill(server: Server, size_mb: number): Promise<void> {
  const rows = Math.ceil((size_mb * mebibyte) / row_bytes);
  const filler = `repeat(md5(i::text), ${row_bytes / 32 - 2})`;
  await sql(
    server,
    'create table filler (id int, text text)',
    'alter table filler alter text set storage plain',
    `insert into filler select i, ${filler} from generate_series(1, ${rows}) i`,
    'checkpoint',
  );
}

async function copyDatabase(server: Server, template: string, rounds: number): Promise<number> {
  const took: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const create = `create database made template ${template} strategy file_copy`;
    took.push(await timed_ms(() => sql(server, create)));
    await sql(server, 'drop database made');
  }
  return median(took);
}
