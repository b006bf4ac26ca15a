/**
 * How long from asking for an endpoint to its first row? Beside a local Postgres started on its
 * directory.
 */
import { defaultConfig } from '../src/config.ts';
import { figure, median, timed_ms, type Report, type Size } from './harness.ts';
import { HostProcess } from './host-process.ts';
import { LocalPostgres } from './local-postgres.ts';
import { inPlace } from './place.ts';
import { sql } from './server.ts';

export function measureStart(size: Size): Promise<Report> {
  const rounds = size === 'full' ? 20 : 1;
  return inPlace(async (place) => {
    const host = new HostProcess(place, {});
    await host.start();
    const local = await LocalPostgres.create(place, defaultConfig);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await host.stopEndpoint('main');
      ours.push(await timed_ms(async () => sql(await host.startEndpoint('main'), 'select 1')));
      theirs.push(await timed_ms(async () => sql(await local.start(), 'select 1')));
      await local.stop();
    }
    return {
      question: 'endpoint start to first row',
      settings: { rounds, database: 'as initdb leaves it' },
      figures: [
        figure({
          what: 'p50',
          unit: 'ms',
          host: median(ours),
          peer: median(theirs),
          goal: { of: 'host', bound: 'max', value: 400 },
        }),
        figure({ what: 'slowest', unit: 'ms', host: Math.max(...ours), peer: Math.max(...theirs) }),
      ],
    };
  });
}
