/** Stock pg_receivewal follows branches: `npm run test:tools`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Bank } from '../e2e/bank.ts';
import { startTestHost } from '../e2e/host.ts';
import {
  checkRecords,
  endpointWal,
  fill,
  finished,
  folder,
  positionOf,
  read,
  receivableMajor,
  receive,
  receiveUpTo,
  sameBytes,
  segmentSize,
  wholeSegments,
} from './receiving/receiving.ts';

const limits = { timeout: 300_000 };

test(
  'pg_receivewal: main and a branch of it, under load and after being killed',
  limits,
  async (t) => {
    const host = await startTestHost(t, { settings: { postgres_major: receivableMajor } });
    const bank = new Bank(5, () => host.connect());
    await bank.setUp();
    const started = await positionOf(host.connectionString);
    const mainFolder = folder(t);

    await t.test('pg_receivewal: it gets whole segments while they are written', async () => {
      bank.open(3);
      const first = receive(host, 'main', mainFolder, ['--synchronous', '--verbose']);
      await fill(host.connectionString, 3);
      await finished(first, 2);
      first.kill('SIGKILL');
      await once(first, 'close');

      await fill(host.connectionString, 2);
      await bank.close();
      const end = await positionOf(host.connectionString);
      await receiveUpTo(host, 'main', mainFolder, end);

      assert.ok(wholeSegments(mainFolder).length >= 5);
      const received = read(mainFolder);
      checkRecords(received, end);
      const theirs = await endpointWal(host, 'main');
      assert.ok(sameBytes(received, theirs, started, end));
    });

    await t.test('pg_receivewal: a branch has its ancestor’s WAL, and then its own', async () => {
      const point = await positionOf(host.connectionString);
      await host.json('branch', 'create', 'dev');
      await fill(host.connectionString, 1);
      const { connectionString } = await host.json<{ connectionString: string }>(
        'endpoint',
        'start',
        'dev',
      );
      const devStarted = await positionOf(connectionString);
      await fill(connectionString, 2);
      const end = await positionOf(connectionString);
      const devFolder = folder(t);

      await receiveUpTo(host, 'dev', devFolder, end);

      assert.notEqual(point % segmentSize, 0);
      const received = read(devFolder);
      checkRecords(received, end);
      assert.ok(sameBytes(received, read(mainFolder), received.begin, point));
      assert.ok(sameBytes(received, await endpointWal(host, 'dev'), devStarted, end));
    });
  },
);
