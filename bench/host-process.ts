/**
 * HostProcess: a host as people run it: a process of its own, asked over HTTP.
 *
 * `BENCH_NODE_OPTIONS` are given to its Node, so that it can be profiled (`--cpu-prof`).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Config } from '../src/config.ts';
import { askHost, type HostRequest } from '../src/io/host-client.ts';
import { type Place } from './place.ts';
import { connect, type Server } from './server.ts';

const main = fileURLToPath(new URL('../bin/stemma.js', import.meta.url));
const poll_ms = 20;

/** Settings of a host that gets along with others on its machine. */
const settings: Partial<Config> = {
  api_port: 0,
  replication_port: 0,
  postgres_first_port: 0,
};

interface StartedEndpoint {
  readonly connectionString: string;
}
interface ListedBranch {
  readonly name: string;
  readonly endLsn: string;
}

export class HostProcess {
  readonly directory: string;
  readonly #config: string;
  #child: ChildProcess | null = null;

  /** `directory`, in the place's folder, is kept from one start to the next. */
  constructor(place: Place, changed: Partial<Config>, name = 'host') {
    this.directory = join(place.folder, name);
    this.#config = join(place.folder, `${name}.toml`);
    const lines = Object.entries({ ...settings, ...changed });
    const text = lines.map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`);
    writeFileSync(this.#config, text.join(''));
    place.later(() => this.stop());
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Starts it and waits until it serves. Returns the endpoint of `main`, which is to run on it. */
  async start(): Promise<Server> {
    const connectionString = await this.launch();
    if (connectionString === null) throw new Error('main is served elsewhere');
    return asServer(connectionString);
  }

  /** Starts it and waits until it serves. Returns the connection string of `main` if it runs here. */
  async launch(): Promise<string | null> {
    const options = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean);
    const args = [...options, main, 'up', '--data', this.directory, '--config', this.#config];
    const child = spawn(process.execPath, [...args, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as { event: string; connectionString: string | null };
      if (event.event === 'ready') return event.connectionString;
    }
    throw new Error(`the host ended before it was ready: ${child.exitCode ?? ''}`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    child.stdout?.resume();
    child.kill('SIGINT');
    await once(child, 'exit');
  }

  /** As a machine that loses its power: its Postgres goes with it. */
  async kill(): Promise<void> {
    const child = this.#child!;
    this.#child = null;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async createBranch(name: string, parent: string): Promise<void> {
    await this.#ask('POST', '/v1/branches', { name, parent });
  }

  async deleteBranch(name: string): Promise<void> {
    await this.#ask('DELETE', `/v1/branches/${name}`, null);
  }

  async startEndpoint(branch: string): Promise<Server> {
    const started = await this.#ask('POST', `/v1/branches/${branch}/start`, null);
    return asServer((started as StartedEndpoint).connectionString);
  }

  async stopEndpoint(branch: string): Promise<void> {
    await this.#ask('POST', `/v1/branches/${branch}/stop`, null);
  }

  /** Waits until storage has everything that `server`, the endpoint of `branch`, has written. */
  async caughtUp(branch: string, server: Server): Promise<void> {
    const client = await connect(server);
    const { rows } = await client.query('select pg_current_wal_insert_lsn()');
    await client.end();
    const wanted = lsnNumber(rows[0]![0]!);
    for (;;) {
      const branches = (await this.#ask('GET', '/v1/branches', null)) as ListedBranch[];
      const { endLsn } = branches.find(({ name }) => name === branch)!;
      if (lsnNumber(endLsn) >= wanted) return;
      await new Promise((resolve) => setTimeout(resolve, poll_ms));
    }
  }

  /** Resident memory of the process in bytes: its own, not that of any Postgres. */
  resident_bytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1_024;
  }

  #ask(method: HostRequest['method'], path: string, body: object | null): Promise<unknown> {
    return askHost(this.directory, { method, path, body });
  }
}

function asServer(connectionString: string): Server {
  const { hostname, port } = new URL(connectionString);
  return { host: hostname, port: Number(port), database: 'postgres' };
}

function lsnNumber(text: string): number {
  const [high, low] = text.split('/');
  return parseInt(high!, 16) * 2 ** 32 + parseInt(low!, 16);
}
