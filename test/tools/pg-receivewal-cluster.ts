/**
 * Stock pg_receivewal and a hot standby follow a branch of a cluster, whatever befalls single acceptors:
 * `npm run test:tools`.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Bank } from '../e2e/bank.ts';
import { startTestCluster } from '../e2e/cluster.ts';
import { connectTo } from '../e2e/host.ts';
import { prepareStandby } from '../e2e/standby.ts';
import { endOf, troubleMembers } from '../e2e/troubled-members.ts';
import {
  checkRecords,
  endpointWal,
  fill,
  folder,
  read,
  receivableMajor,
  receive,
  receivedUpTo,
  receiveUpTo,
  sameBytes,
  segmentSize,
  wholeSegments,
} from './receiving/receiving.ts';

test(
  'pg_receivewal: one session lasts while acceptors are killed, stopped and replaced',
  { timeout: 400_000 },
  async (t) => {
    const settings = { postgres_major: receivableMajor };
    const cluster = await startTestCluster(t, { spare: true, settings });
    const { a, b, d } = cluster;
    const mainStarted = await endOf(a.connectionString);
    await fill(a.connectionString, 2);
    const point = await endOf(a.connectionString);
    await a.json('branch', 'create', 'dev');
    const mainWal = await endpointWal(a, 'main');
    const { connectionString } = await b.json<{ connectionString: string }>(
      'endpoint',
      'start',
      'dev',
    );
    const devStarted = await endOf(connectionString);
    const bank = new Bank(17, () => connectTo(connectionString));
    await bank.setUp();
    const standby = await prepareStandby(t, { major: receivableMajor, branch: 'dev' });
    await standby.backUp(b, 'dev', connectionString);
    await standby.start(d.replication);
    const into = folder(t);
    const session = receive(d, 'dev', into, ['--slot', 'of_any_name', '--synchronous']);
    session.stderr!.on('data', (bytes: Buffer) => {
      t.diagnostic(String(bytes));
    });

    await troubleMembers({
      ...{ cluster, branch: 'dev', connectionString, bank },
      reach: async (end) => {
        await Promise.all([standby.reach(end), receivedUpTo(into, end)]);
        await bank.check(() => standby.connect());
      },
    });

    assert.equal(session.exitCode, null);
    session.kill('SIGKILL');
    await once(session, 'close');
    await fill(connectionString, 2);
    const end = await endOf(connectionString);
    await receiveUpTo(d, 'dev', into, end);
    await standby.reach(end);
    await bank.check(() => standby.connect());
    const received = read(into);
    checkRecords(received, end);
    assert.ok(wholeSegments(into).length >= 4);
    assert.notEqual(point % segmentSize, 0);
    assert.ok(sameBytes(received, mainWal, mainStarted, point));
    assert.ok(sameBytes(received, await endpointWal(b, 'dev'), devStarted, end));
  },
);
