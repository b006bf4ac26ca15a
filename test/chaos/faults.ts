/**
 * Faults: everything of a host that can break by itself, and whether the Postgres of a branch
 * goes on meanwhile or is replaced by another one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../src/base/failure.ts';
import { type Endpoint, type TestHost } from '../e2e/host.ts';
import { type Fault } from './faulty-host.ts';

export interface Breakage {
  readonly what: string;
  /** Commits wait, and go on. Else Postgres ends, and another one is started from storage. */
  readonly postgresGoesOn: boolean;
  readonly inject: (host: TestHost) => Promise<void>;
}

const actorsThatReturn = [
  'acceptor',
  'archiver',
  'timeline',
  'wal-receiver',
  'wal-sender',
  'page-reader',
  'api',
] as const;
const actorsThatEndPostgres = ['proposer', 'filesystem', 'compute', 'control'] as const;

export const breakages: readonly Breakage[] = [
  ...actorsThatReturn.map((behavior) => sent(behavior, true, { kind: 'actor', behavior })),
  ...actorsThatEndPostgres.map((behavior) => sent(behavior, false, { kind: 'actor', behavior })),
  sent('thread storage', true, { kind: 'thread', name: 'storage' }),
  sent('thread wal', false, { kind: 'thread', name: 'wal' }),
  sent('thread wal, by itself', false, { kind: 'threadExit', name: 'wal' }),
  { what: 'reader thread', postgresGoesOn: false, inject: endReader },
  { what: 'Postgres', postgresGoesOn: false, inject: killPostgres },
  { what: 'host', postgresGoesOn: false, inject: killHost },
];

/** What the host says of main's endpoint; null while nobody answers. */
export async function mainEndpoint(host: TestHost): Promise<Endpoint | null> {
  try {
    const { api } = JSON.parse(readFileSync(join(host.directory, 'host.json'), 'utf8')) as {
      readonly api: string;
    };
    const response = await fetch(`${api}/v1/endpoints`, { signal: AbortSignal.timeout(2_000) });
    const endpoints = (await response.json()) as readonly Endpoint[];
    return endpoints.find(({ branch }) => branch === 'main') ?? null;
  } catch {
    return null; // whatever it is, the next look tells
  }
}

function sent(what: string, postgresGoesOn: boolean, fault: Fault): Breakage {
  return {
    what,
    postgresGoesOn,
    inject: (host) => {
      host.send(fault);
      return Promise.resolve();
    },
  };
}

/** A reader that waits for a request ends when it has got one: so there must be some. */
async function endReader(host: TestHost): Promise<void> {
  host.send({ kind: 'worker', name: 'fuse-reader-0' } satisfies Fault);
  try {
    const client = await host.connect();
    for (;;) await client.query('create table short_lived (a int); drop table short_lived');
  } catch (error) {
    if (!(error instanceof Failure)) throw error; // else its Postgres is gone, or going
  }
}

async function killPostgres(host: TestHost): Promise<void> {
  process.kill((await mainEndpoint(host))!.pid!, 'SIGKILL');
}

async function killHost(host: TestHost): Promise<void> {
  host.kill('SIGKILL');
  await host.ended;
  await host.start();
}
