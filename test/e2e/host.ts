/**
 * TestHost: a real host process in a folder of its own, and everything it may leave behind.
 *
 * The host is a child that dies with the test's process. After the test, whether it failed or not,
 * its processes are ended, its mounts detached and its folder removed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext } from 'node:test';
import { connectPostgres, type PostgresClient } from '../../src/io/postgres-client.ts';
import { mountsBelow } from '../../src/io/mounts.ts';
import { clearFolder } from './leftovers.ts';

export interface TestHostOptions {
  /** Settings beside the ports, which are free ones. */
  readonly settings: Readonly<Record<string, number | string | readonly string[]>>;
  /** The data directory; null makes one below a new temporary folder. */
  readonly directory: string | null;
  /** The program, where it is not the command line's: it is given the same arguments, and a channel. */
  readonly program: string;
  /** Of the process, beside this one's. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Ready {
  readonly api: string;
  readonly replication: string;
  /** null on a host that does not serve `main`. */
  readonly connectionString: string | null;
  readonly mainIs: string;
}

interface Launched {
  readonly ready: Promise<Ready>;
  /** It waits for another host to make the project. */
  readonly waiting: Promise<undefined>;
  readonly ended: Promise<HostEnd>;
}

export interface Endpoint {
  readonly branch: string;
  readonly host: string;
  readonly state: string;
  readonly connectionString: string | null;
  readonly pid: number | null;
  readonly restarts: number;
  readonly lastFailure: string | null;
}

/** How a host ended: its exit code, and everything it printed. */
export type HostEnd = CommandResult;

const main = join(import.meta.dirname, '../../src/main.ts');
const connectTimeout_ms = 20_000;
const commandTimeout_ms = 120_000;

/** A host that is ready to serve. */
export async function startTestHost(
  test: TestContext,
  options: Partial<TestHostOptions>,
): Promise<TestHost> {
  const host = prepareTestHost(test, options);
  await host.start();
  return host;
}

/** A folder and a configuration, cleaned up after the test; nothing runs yet. */
export function prepareTestHost(test: TestContext, options: Partial<TestHostOptions>): TestHost {
  const root = mkdtempSync(join(tmpdir(), 'stemma-e2e-'));
  chmodSync(root, 0o755);
  const settings = {
    api_port: 0,
    replication_port: 0,
    postgres_first_port: 0,
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${toml(value)}\n`);
  const config = join(root, 'stemma.toml');
  writeFileSync(config, lines.join(''));
  const directory = options.directory ?? join(root, 'data');
  const { program = main, environment = {} } = options;
  const host = new TestHost({ directory, config, program, environment });
  test.after(async () => {
    host.kill('SIGKILL');
    const { stderr } = await host.ended;
    if (!test.passed) test.diagnostic(stderr);
    await clearFolder(directory);
    await clearFolder(root);
    rmSync(root, { recursive: true, force: true });
  });
  return host;
}

interface Prepared extends Omit<TestHostOptions, 'settings' | 'directory'> {
  readonly directory: string;
  readonly config: string;
}

export class TestHost {
  readonly directory: string;
  readonly config: string;
  readonly #program: string;
  readonly #environment: Readonly<Record<string, string>>;
  ended: Promise<HostEnd> = Promise.resolve({ code: 0, stdout: '', stderr: '' });
  #child: ChildProcess | null = null;
  #ready: Ready | null = null;

  constructor({ directory, config, program, environment }: Prepared) {
    this.directory = directory;
    this.config = config;
    this.#program = program;
    this.#environment = environment;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Whether its process has been started and has not ended. */
  get runs(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get api(): string {
    return this.#ready!.api;
  }

  /** Where followers get WAL. */
  get replication(): string {
    return this.#ready!.replication;
  }

  /** Of `main`, which runs here. */
  get connectionString(): string {
    const { connectionString, mainIs } = this.#ready!;
    if (connectionString === null) throw new Error(`main is not served here: ${mainIs}`);
    return connectionString;
  }

  /** Starts the host; resolves once it serves and fails, with what it printed, when it ends instead. */
  async start(): Promise<void> {
    const { ready, ended } = this.launch();
    const outcome = await Promise.race([ready, ended]);
    if ('code' in outcome) throw new Error(`host ended: ${JSON.stringify(outcome)}`);
    this.#ready = outcome;
  }

  /** Starts the host without waiting for anything. */
  launch(): Launched {
    const up = ['up', '--config', this.config, '--data', this.directory, '--json'];
    const child = spawnProgram(this.#program, up, [], this.#environment);
    this.#child = child;
    this.ended = collect(child);
    const ready = Promise.withResolvers<Ready>();
    const waiting = Promise.withResolvers<undefined>();
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const event = JSON.parse(line) as { readonly event: string } & Ready;
      if (event.event === 'ready') ready.resolve(event);
      if (event.event === 'waiting') waiting.resolve(undefined);
    });
    return { ready: ready.promise, waiting: waiting.promise, ended: this.ended };
  }

  /** Asks the host to stop, as Ctrl-C does, and waits for its end. */
  async stop(): Promise<HostEnd> {
    this.kill('SIGINT');
    return this.ended;
  }

  /** Says something to a program that has a channel. */
  send(message: object): void {
    this.#child!.send(message);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Runs a command of the command line against this host. */
  cli(...args: readonly string[]): Promise<CommandResult> {
    return runCommand([...args, '--data', this.directory]);
  }

  /** What a command prints with `--json`; fails when the command does. */
  async json<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.cli(...args, '--json');
    if (code !== 0) throw new Error(`${args.join(' ')}: exit ${code}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  }

  endpoints(): Promise<readonly Endpoint[]> {
    return this.json<readonly Endpoint[]>('endpoint', 'list');
  }

  async endpoint(branch: string): Promise<Endpoint> {
    return (await this.endpoints()).find((one) => one.branch === branch)!;
  }

  /** A client of `main`. */
  connect(): Promise<PostgresClient> {
    return connectTo(this.connectionString);
  }

  /** Mount points below the data directory. */
  mounts(): readonly string[] {
    return mountsBelow(this.directory);
  }
}

/** Connects to what a connection string names; `database` instead of the one it names. */
export function connectTo(connectionString: string, database?: string): Promise<PostgresClient> {
  const url = new URL(connectionString);
  return connectPostgres({
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    database: database ?? url.pathname.slice(1),
    parameters: {},
    timeout_ms: connectTimeout_ms,
  });
}

/** Runs the command line to its end; `wrapper` is a command to run it with. */
export function runCommand(
  args: readonly string[],
  wrapper: readonly string[] = [],
): Promise<CommandResult> {
  const child = spawnProgram(main, args, wrapper, {});
  const timer = setTimeout(() => child.kill('SIGKILL'), commandTimeout_ms);
  return collect(child).finally(() => {
    clearTimeout(timer);
  });
}

/** Starts a command that runs until it is told to stop. */
export function startCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): { readonly child: ChildProcess; readonly ended: Promise<CommandResult> } {
  const child = spawnProgram(main, args, [], environment);
  return { child, ended: collect(child) };
}

// four parameters: a process has that many
function spawnProgram(
  program: string,
  args: readonly string[],
  wrapper: readonly string[],
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  const [command, ...rest] = ['setpriv', '--pdeathsig', 'KILL', ...wrapper, process.execPath];
  return spawn(command, [...rest, program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', ...(program === main ? [] : (['ipc'] as const))],
    cwd: tmpdir(),
    env: { ...process.env, ...environment },
  });
}

function collect(child: ChildProcess): Promise<CommandResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on('data', (bytes: Buffer) => stdout.push(bytes));
  child.stderr!.on('data', (bytes: Buffer) => stderr.push(bytes));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({
        code,
        stdout: String(Buffer.concat(stdout)),
        stderr: String(Buffer.concat(stderr)),
      });
    });
  });
}

function toml(value: number | string | readonly string[]): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

/** Processes whose command line names `folder`, by pid. */
export function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => commandLine(pid).some((arg) => arg.startsWith(folder)))
    .map(Number);
}

function commandLine(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it has just ended
  }
}
