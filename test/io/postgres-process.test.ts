/**
 * A server process and its end: whatever its processes are doing, none is left.
 *
 * A process that is stopped stands for one that waits for a lock whose holder died: neither sees that
 * the postmaster has gone.
 */
import { equal } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connectPostgres, type PostgresClient } from '../../src/io/postgres-client.ts';
import { Failure } from '../../src/base/failure.ts';
import {
  killPostgresOf,
  runInitdb,
  startPostgres,
  type PostgresProcess,
} from '../../src/io/postgres-process.ts';
import { findProcess } from '../../src/io/processes.ts';
import { stockHome } from '../postgres/stock-home.ts';

const nobody = { uid: 65_534, gid: 65_534 };
const major = 18;
const limit_ms = { timeout: 30_000 };

interface RunningServer {
  readonly postgres: PostgresProcess;
  readonly data: string;
  /** Settles when the server has ended. */
  readonly ended: Promise<void>;
  /** Of a process of it that is stopped. */
  readonly stopped: number;
}

test(
  'postgres process: a kill ends a process that does not see the postmaster end',
  limit_ms,
  async (t) => {
    const { postgres, stopped } = await startServer(t);

    await postgres.kill();

    equal(isAlive(stopped), false);
  },
);

test('postgres process: what a killed postmaster left behind is ended', limit_ms, async (t) => {
  const { postgres, stopped, ended } = await startServer(t);

  process.kill(postgres.pid, 'SIGKILL');
  await ended;

  equal(isAlive(stopped), false);
});

test('postgres process: a server is killed by its data directory alone', limit_ms, async (t) => {
  const { postgres, stopped, data, ended } = await startServer(t);

  await killPostgresOf(data);

  equal(isAlive(postgres.pid), false);
  equal(isAlive(stopped), false);
  await ended;
});

test('postgres process: another program in the data directory lives on', limit_ms, async (t) => {
  const { data, ended } = await startServer(t);
  const other = spawn('sleep', ['60'], { cwd: data });
  t.after(() => other.kill());
  await once(other, 'spawn');

  await killPostgresOf(data);
  await ended;

  equal(isAlive(other.pid!), true);
});

async function startServer(t: TestContext): Promise<RunningServer> {
  const root = mkdtempSync(join(tmpdir(), 'stemma-process-'));
  t.after(() => {
    rmSync(root, { recursive: true, force: true });
  });
  chmodSync(root, 0o755);
  chownSync(root, nobody.uid, nobody.gid);
  const data = join(root, 'data');
  runInitdb(stockHome(major), data, nobody, { major, segment_bytes: 2 ** 24 });
  const settings = ["listen_addresses = ''", `unix_socket_directories = '${data}'`, 'fsync = off'];
  appendFileSync(join(data, 'postgresql.conf'), settings.map((line) => `${line}\n`).join(''));
  const { promise: ended, resolve } = Promise.withResolvers<undefined>();
  const postgres = await startPostgres({
    home: stockHome(major),
    dataDirectory: data,
    identity: nobody,
    startTimeout_ms: 20_000,
    unblock: null,
    onExit: () => {
      resolve(undefined);
    },
  });
  t.after(() => postgres.kill());
  const client = await connect(data);
  const { rows } = await client.query('select pg_backend_pid()');
  const stopped = Number(rows[0]![0]);
  process.kill(stopped, 'SIGSTOP');
  t.after(() => {
    client.destroy(new Failure('postgres_stream_closed', {}));
    if (isAlive(stopped)) process.kill(stopped, 'SIGKILL');
  });
  return { postgres, data, ended, stopped };
}

function connect(data: string): Promise<PostgresClient> {
  const who = { user: 'postgres', database: 'postgres', parameters: {}, timeout_ms: 5_000 };
  return connectPostgres({ host: data, port: 5_432, ...who });
}

function isAlive(pid: number): boolean {
  const found = findProcess(pid);
  return found !== null && found.state !== 'Z';
}
