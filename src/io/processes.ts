/**
 * Processes: what /proc says of them, and the end of all that belong to one Postgres.
 *
 * Every process of a server leads a session of its own, so no signal to a group reaches them all. Left
 * alone they end with their postmaster, but for one that waits for a lock: when the holder died, it
 * waits for ever. They share a parent, while that lives, their command, and the working directory, which
 * is the data directory; seeing it in others takes CAP_SYS_PTRACE. A shell that somebody has there is
 * none of them.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Name of the program, up to 15 bytes of it. */
  readonly command: string;
  /** A letter of proc_pid_stat(5). */
  readonly state: string;
  /** Clock ticks since boot: with the pid, it names a process for ever. */
  readonly startTime: string;
}

export interface Server {
  /** Null when it is not running any more. */
  readonly postmaster: number | null;
  readonly dataDirectory: string;
  /** Frees those that wait in a file system: without its answer they cannot even be killed. */
  readonly unblock: (() => Promise<void>) | null;
}

const serverCommand = 'postgres';
const poll_ms = 2;
/** Whoever waits longer in its last system call waits for an answer that may never come. */
const unblockAfter_ms = 1_000;

/** The process, or null when there is none. */
export function findProcess(pid: number): Process | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const end = stat.lastIndexOf(')');
  const command = stat.slice(stat.indexOf('(') + 1, end);
  const fields = stat.slice(end + 2).split(' ');
  return { pid, state: fields[0]!, parent: Number(fields[1]), command, startTime: fields[19]! };
}

/** Kills every process of a server, and returns when none of them is left. */
export async function killServer(server: Server): Promise<void> {
  if (server.postmaster !== null) await suspend(server.postmaster);
  const killed = processesOf(server);
  for (const { pid } of killed) sendSignal(pid, 'SIGKILL');
  for (let waited_ms = 0; killed.some(isAlive); waited_ms += poll_ms) {
    if (waited_ms === unblockAfter_ms) await server.unblock?.();
    await sleep(poll_ms);
  }
}

/** From when this returns on, it starts no more processes. */
async function suspend(pid: number): Promise<void> {
  sendSignal(pid, 'SIGSTOP');
  for (let waited_ms = 0; waited_ms < unblockAfter_ms; waited_ms += poll_ms) {
    if (['T', 'Z', 'X', undefined].includes(findProcess(pid)?.state)) return;
    await sleep(poll_ms);
  }
}

function processesOf({ postmaster, dataDirectory }: Server): readonly Process[] {
  const folder = realPath(dataDirectory);
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .map(findProcess)
    .filter((one) => one !== null)
    .filter(({ pid, parent, command }) => {
      if (postmaster !== null && (pid === postmaster || parent === postmaster)) return true;
      return command === serverCommand && folder !== null && workingDirectory(pid) === folder;
    });
}

function isAlive({ pid, startTime }: Process): boolean {
  const now = findProcess(pid);
  return now?.startTime === startTime && now.state !== 'Z' && now.state !== 'X';
}

function workingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null; // it has just ended, or may not be looked at
  }
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null; // not there, so nobody works in it
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ESRCH'].includes((cause as NodeJS.ErrnoException).code ?? '')) return null;
    throw cause;
  }
}
