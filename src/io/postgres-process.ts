/**
 * PostgresProcess: one Postgres server process and `initdb`, run as an unprivileged user.
 *
 * The server is killed by the kernel when the thread that started it ends, so a host that dies
 * leaves no Postgres behind (`PR_SET_PDEATHSIG`, through setpriv of util-linux).
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Failure } from '../base/failure.ts';
import { killServer } from './processes.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresOptions {
  /** Folder with `bin/postgres`. */
  readonly home: string;
  readonly dataDirectory: string;
  readonly identity: Identity;
  readonly startTimeout_ms: number;
  /** Frees processes that wait in a file system of ours: else they cannot be killed. */
  readonly unblock: (() => Promise<void>) | null;
  /** Called once, when the server has ended for whatever reason, and no process of it is left. */
  readonly onExit: (exit: PostgresExit) => void;
}

export interface PostgresExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last lines the server logged. */
  readonly log: readonly string[];
}

export interface PostgresProcess {
  readonly pid: number;
  /** Fast shutdown (SIGINT), then SIGQUIT and SIGKILL when it takes longer. Waits for the end. */
  stop(timeout_ms: number): Promise<PostgresExit>;
  /** Ends it now with all its processes, without a checkpoint. Waits for the end. */
  kill(): Promise<PostgresExit>;
}

const logLinesKept = 40;
/** How long the log is read on when the server has ended: a program it started may hold it open. */
const logDrain_ms = 500;
/** ENOSPC in words. */
const noSpaceText = 'No space left on device';
const readyLine = 'database system is ready to accept connections';

/**
 * Starts a server and waits until it accepts connections. Fails with `postgres_start_failed`, or
 * `disk_full` when that is why.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresProcess> {
  const child = spawnAs(options.identity, join(options.home, 'bin', 'postgres'), [
    '-D',
    options.dataDirectory,
  ]);
  const log: string[] = [];
  const ended = watchEnd(child, log, options);
  const ready = watchReady(child, log);
  async function kill(): Promise<PostgresExit> {
    const { dataDirectory, unblock } = options;
    const postmaster = hasEnded(child) ? null : (child.pid ?? null);
    await killServer({ postmaster, dataDirectory, unblock });
    return ended;
  }
  const outcome = await Promise.race([ready, ended, deadline(options.startTimeout_ms)]);
  if (outcome !== 'ready') {
    await kill();
    const reason = outcome === 'late' ? 'timeout' : 'exited';
    const words = lastWords(log) ?? '';
    if (words.includes(noSpaceText)) throw new Failure('disk_full', { operation: 'start', words });
    throw new Failure('postgres_start_failed', { reason, log: log.slice(-5).join(' | ') });
  }
  return {
    pid: child.pid!,
    stop: async (timeout_ms) => {
      child.kill('SIGINT');
      if ((await Promise.race([ended, deadline(timeout_ms)])) !== 'late') return ended;
      child.kill('SIGQUIT');
      if ((await Promise.race([ended, deadline(timeout_ms)])) !== 'late') return ended;
      return kill();
    },
    kill,
  };
}

/** The line of a server's log that says why it had to end: a panic, or no space; null without one. */
export function lastWords(log: readonly string[]): string | null {
  return (
    log.findLast((line) => line.includes(' PANIC: ')) ??
    log.findLast((line) => line.includes(noSpaceText)) ??
    null
  );
}

/** What cannot be changed of a cluster once it is made. */
export interface NewCluster {
  readonly major: number;
  readonly segment_bytes: number;
}

/** Makes a data directory. Fails with `initdb_failed`. */
export function runInitdb(
  home: string,
  directory: string,
  identity: Identity,
  { major, segment_bytes }: NewCluster,
): void {
  const args = ['-D', directory, '-U', 'postgres', '-A', 'trust', '--no-sync'];
  args.push('--encoding=UTF8', '--locale=C.UTF-8', '--no-instructions');
  args.push(`--wal-segsize=${segment_bytes / 2 ** 20}`);
  if (major >= 18) args.push('--no-data-checksums');
  const initdb = join(home, 'bin', 'initdb');
  const [command, commandArgs] = commandAs(identity, initdb, args);
  const done = spawnSync(command, commandArgs, { encoding: 'utf8', cwd: '/' });
  if (done.status !== 0)
    throw new Failure('initdb_failed', { output: `${done.stdout}${done.stderr}` });
}

/**
 * Kills what is left of the server that had `dataDirectory` open: one that outlived whoever started it.
 * Waits until it is gone.
 */
export async function killPostgresOf(dataDirectory: string): Promise<void> {
  const pid = Number(readIfThere(join(dataDirectory, 'postmaster.pid'))?.split('\n')[0] ?? 0);
  const postmaster = pid > 0 && isServerOf(pid, dataDirectory) ? pid : null;
  await killServer({ postmaster, dataDirectory, unblock: null });
}

function isServerOf(pid: number, dataDirectory: string): boolean {
  return readIfThere(`/proc/${pid}/cmdline`)?.split('\0').includes(dataDirectory) ?? false;
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // no such file, or its process has just ended
  }
}

function watchReady(child: ChildProcess, log: string[]): Promise<'ready'> {
  return new Promise((resolve) => {
    createInterface({ input: child.stderr! }).on('line', (line) => {
      log.push(line);
      if (log.length > logLinesKept) log.shift();
      if (line.includes(readyLine)) resolve('ready');
    });
  });
}

/** The end of the postmaster is the end of them all, and then of the log. */
function watchEnd(
  child: ChildProcess,
  log: readonly string[],
  { dataDirectory, unblock, onExit }: PostgresOptions,
): Promise<PostgresExit> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      end({ code: null, signal: null, log: [String(error)] });
    });
    child.once('exit', (code, signal) => {
      const closed = new Promise((close) => child.once('close', close));
      void killServer({ postmaster: null, dataDirectory, unblock })
        .then(() => Promise.race([closed, deadline(logDrain_ms)]))
        .finally(() => {
          child.stderr!.destroy();
          end({ code, signal, log });
        });
    });
    function end(exit: PostgresExit): void {
      onExit(exit);
      resolve(exit);
    }
  });
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function deadline(timeout_ms: number): Promise<'late'> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve('late');
    }, timeout_ms).unref();
  });
}

function spawnAs(identity: Identity, binary: string, args: readonly string[]): ChildProcess {
  const [command, commandArgs] = commandAs(identity, binary, args);
  return spawn(command, commandArgs, {
    cwd: '/',
    detached: true, // a terminal's Ctrl-C is for the host, which then stops Postgres in order
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  });
}

function commandAs(
  { uid, gid }: Identity,
  binary: string,
  args: readonly string[],
): [string, readonly string[]] {
  const drop = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--pdeathsig', 'KILL'];
  return ['setpriv', [...drop, binary, ...args]];
}
