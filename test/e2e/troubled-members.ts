/**
 * TroubledMembers: what befalls the acceptors of a branch in a cluster while its Postgres, on host b, works:
 * each in turn is away, or is replaced. Who follows the branch from host d, which has no acceptor of it at
 * first, reads from a.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { type Bank } from './bank.ts';
import { type TestCluster } from './cluster.ts';
import { connectTo, type TestHost } from './host.ts';

export interface Troubled {
  readonly cluster: TestCluster;
  /** Its members are a, b and c, and its Postgres runs on b. */
  readonly branch: string;
  readonly connectionString: string;
  readonly bank: Bank;
  /** Waits until whoever follows has all up to there, while the trouble goes on. */
  readonly reach: (end: Lsn) => Promise<void>;
}

const clients = 3;
const transfers = 20;

export async function troubleMembers(troubled: Troubled): Promise<void> {
  const { cluster, branch } = troubled;
  const { a, b, c } = cluster;
  await work(troubled, () => Promise.resolve());
  await work(troubled, () => killed(c));
  await c.start();
  await work(troubled, () => {
    a.kill('SIGSTOP');
    return Promise.resolve();
  });
  a.kill('SIGCONT');
  await work(troubled, async () => {
    await b.json('acceptor', 'replace', branch, 'c', '--with', 'd');
  });
  await work(troubled, () => killed(a));
}

/** The bank works before and after something happens, and whoever follows has all that it did. */
async function work(troubled: Troubled, happens: () => Promise<void>): Promise<void> {
  const { bank, connectionString, reach } = troubled;
  bank.open(clients);
  await acknowledged(bank);
  await happens();
  await acknowledged(bank);
  await bank.close();
  await reach(await endOf(connectionString));
}

async function acknowledged(bank: Bank): Promise<void> {
  const before = bank.acknowledged;
  while (bank.acknowledged < before + transfers) await sleep(5);
}

/** The end of what its Postgres has written. */
export async function endOf(connectionString: string): Promise<Lsn> {
  const client = await connectTo(connectionString);
  const { rows } = await client.query('select pg_current_wal_flush_lsn()::text');
  await client.end();
  return parseLsn(rows[0]![0]!);
}

async function killed(host: TestHost): Promise<void> {
  host.kill('SIGKILL');
  await host.ended;
}
