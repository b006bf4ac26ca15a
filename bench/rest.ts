/**
 * How much memory does a host hold when nothing happens? Postgres's own is not counted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { figure, type Report, type Size } from './harness.ts';
import { HostProcess } from './host-process.ts';
import { inPlace } from './place.ts';

const mebibyte = 2 ** 20;

export function measureRest(size: Size): Promise<Report> {
  const rest_s = size === 'full' ? 20 : 0.2;
  return inPlace(async (place) => {
    const host = new HostProcess(place, {});
    await host.start();
    await sleep(rest_s * 1_000);
    const running = host.resident_bytes() / mebibyte;
    await host.stopEndpoint('main');
    await sleep(rest_s * 1_000);
    const stopped = host.resident_bytes() / mebibyte;
    const goal = { of: 'host', bound: 'max', value: 250 } as const;
    return {
      question: 'resident memory at rest',
      settings: { rest_s },
      figures: [
        figure({ what: 'one endpoint runs', unit: 'MB', host: running, peer: null, goal }),
        figure({ what: 'none runs', unit: 'MB', host: stopped, peer: null }),
      ],
    };
  });
}
