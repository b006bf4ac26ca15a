/**
 * How fast is a sequential scan when nothing is cached anywhere? Beside a local directory, as cold.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { defaultConfig } from '../src/config.ts';
import { figure, median, timed_ms, type Report, type Size } from './harness.ts';
import { HostProcess } from './host-process.ts';
import { LocalPostgres } from './local-postgres.ts';
import { inPlace } from './place.ts';
import { sql, type Server } from './server.ts';

const rowsPerMegabyte = 7_500;

export function measureScan(size: Size): Promise<Report> {
  const { megabytes, rounds } =
    size === 'full' ? { megabytes: 400, rounds: 3 } : { megabytes: 4, rounds: 1 };
  return inPlace(async (place) => {
    const host = new HostProcess(place, {});
    const local = await LocalPostgres.create(place, defaultConfig);
    let ours = await host.start();
    let theirs = await local.start();
    for (const server of [ours, theirs]) await fill(server, megabytes);
    await host.caughtUp('main', ours);
    const mine: number[] = [];
    const peers: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await host.stop(); // what was frozen gets its images, as a stopped Postgres gets its checkpoint
      await local.stop();
      dropCaches();
      // Both have just been started, so nobody has read the table.
      ours = await host.start();
      mine.push(megabytes / ((await scanned_ms(ours)) / 1_000));
      theirs = await local.start();
      peers.push(megabytes / ((await scanned_ms(theirs)) / 1_000));
    }
    return {
      question: 'cold sequential scan',
      settings: {
        megabytes,
        rounds,
        max_parallel_workers_per_gather: 0,
        before: 'stopped: layers and images are written, the local checkpoint too; caches dropped',
      },
      figures: [
        figure({
          what: 'select sum over the table',
          unit: 'MB/s',
          host: median(mine),
          peer: median(peers),
          goal: { of: 'ratio', bound: 'min', value: 0.4 },
        }),
      ],
    };
  });
}

/** Vacuumed, so that reading it sets no hint bits. */
async function fill(server: Server, megabytes: number): Promise<void> {
  const rows = megabytes * rowsPerMegabyte;
  await sql(
    server,
    'create table scanned (id int, number int, filler char(96))',
    `insert into scanned select i, i % 1000, 'filler' from generate_series(1, ${rows}) i`,
    'vacuum freeze scanned',
    'checkpoint',
  );
}

function scanned_ms(server: Server): Promise<number> {
  return timed_ms(() =>
    sql(server, 'set max_parallel_workers_per_gather = 0', 'select sum(number) from scanned'),
  );
}

function dropCaches(): void {
  spawnSync('sync');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}
