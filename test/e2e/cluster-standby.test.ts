/** A stock hot standby follows a branch of a cluster, whatever befalls single acceptors. */
import { test } from 'node:test';
import { Bank } from './bank.ts';
import { startTestCluster } from './cluster.ts';
import { connectTo } from './host.ts';
import { prepareStandby } from './standby.ts';
import { troubleMembers } from './troubled-members.ts';

test(
  'standby: it has every acknowledged commit while acceptors are killed, stopped and replaced',
  { timeout: 300_000 },
  async (t) => {
    const cluster = await startTestCluster(t, { spare: true });
    const { a, b, d } = cluster;
    await a.json('branch', 'create', 'dev');
    const started = await b.json<{ connectionString: string }>('endpoint', 'start', 'dev');
    const { connectionString } = started;
    const bank = new Bank(17, () => connectTo(connectionString));
    await bank.setUp();
    const standby = await prepareStandby(t, { major: 18, branch: 'dev' });
    await standby.backUp(b, 'dev', connectionString);
    await standby.start(d.replication);

    await troubleMembers({
      ...{ cluster, branch: 'dev', connectionString, bank },
      reach: async (end) => {
        await standby.reach(end);
        await bank.check(() => standby.connect());
      },
    });

    await bank.check();
  },
);
