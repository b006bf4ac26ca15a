/**
 * DevCluster: several hosts on this machine, each a process of its own, for trials and tests.
 *
 * ```
 * <data>/cluster.toml     names, ports and secret: made once, so that a host finds the others again
 * <data>/store/           the object store they share
 * <data>/<host>/          data directory of each
 * ```
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hostNames } from './cluster.ts';
import { readConfig } from './config.ts';
import { ensure, Failure } from './base/failure.ts';
import { takeFreePort } from './io/ports.ts';

export interface DevClusterOptions {
  /** Absolute path. */
  readonly directory: string;
  /** How many, when there is none yet. */
  readonly hosts: number;
  readonly json: boolean;
}

interface RunningHost {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ready: Promise<ReadyEvent>;
  readonly ended: Promise<void>;
}
interface ReadyEvent {
  readonly event: string;
  readonly api: string;
  readonly connectionString: string | null;
}

const address = '127.0.0.1';
const namesInOrder = 'abcdefghi';

/** Runs them until SIGINT or SIGTERM, or until they have all ended. */
export async function runDevCluster(options: DevClusterOptions): Promise<void> {
  const config = await clusterConfig(options);
  const hosts = hostNames(readConfig(config)).map((name) => startHost(options, config, name));
  function stop(): void {
    void stopInTurn(hosts);
  }
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const ended = Promise.all(hosts.map((host) => host.ended));
  for (const host of hosts) {
    const ready = await Promise.race([host.ready, host.ended]);
    if (ready === undefined) stop();
    else report(options, host, ready);
  }
  await ended;
}

/** One after the other: an endpoint writes its last WAL to a majority. */
async function stopInTurn(hosts: readonly RunningHost[]): Promise<void> {
  for (const { child, ended } of hosts) {
    child.kill('SIGINT');
    await ended;
  }
}

/** Path of the file; an existing one is kept. */
async function clusterConfig({ directory, hosts }: DevClusterOptions): Promise<string> {
  const path = join(directory, 'cluster.toml');
  if (existsSync(path)) return path;
  ensure(hosts >= 1 && hosts <= namesInOrder.length, 'config_invalid', { hosts });
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755); // Postgres's user passes through
  const places: string[] = [];
  for (const name of namesInOrder.slice(0, hosts))
    places.push(`${name}=${address}:${await takeFreePort(address)}`);
  const settings = {
    hosts: places,
    cluster_secret: randomBytes(24).toString('hex'),
    object_store: join(directory, 'store'),
    api_port: 0,
    postgres_first_port: 0,
    replication_port: 0,
  };
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = ${JSON.stringify(value)}\n`,
  );
  writeFileSync(path, lines.join(''), { mode: 0o600 });
  return path;
}

function startHost({ directory }: DevClusterOptions, config: string, name: string): RunningHost {
  const main = process.argv[1];
  if (main === undefined) throw new Failure('internal_error', { reason: 'no program' });
  const up = ['up', '--config', config, '--host', name, '--data', join(directory, name), '--json'];
  const child = spawn(process.execPath, [...process.execArgv, main, ...up], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // the terminal's Ctrl-C is for us: they are stopped in turn
  });
  const ready = new Promise<ReadyEvent>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parseEvent(line);
      if (event === null) process.stderr.write(`${name}: ${line}\n`);
      if (event?.event === 'ready') resolve(event);
    });
  });
  const ended = once(child, 'exit').then(() => undefined);
  return { name, child, ready, ended };
}

/** null when it is none: whatever a process runs may print something. */
function parseEvent(line: string): ReadyEvent | null {
  try {
    return JSON.parse(line) as ReadyEvent;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null;
  }
}

function report(options: DevClusterOptions, { name, child }: RunningHost, ready: ReadyEvent): void {
  const data = join(options.directory, name);
  const { api, connectionString } = ready;
  const event = { event: 'ready', host: name, pid: child.pid, data, api, connectionString };
  const text = `${name}  pid ${child.pid ?? '?'}  --data ${data}  ${connectionString ?? ''}`;
  process.stdout.write(`${options.json ? JSON.stringify(event) : text.trimEnd()}\n`);
}
