/**
 * HostDirectory: the folder a host keeps everything in, and who has it open.
 *
 * ```
 * VERSION     format of the folder: a number
 * host.json   pid, start time and HTTP address of the host that has it open
 * ```
 *
 * A host that was killed leaves host.json behind: its pid is dead, or belongs to another process
 * (told by the start time of the process, /proc/<pid>/stat field 22), so the folder is free.
 */
import {
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ensure, Failure } from '../base/failure.ts';
import { findProcess } from './processes.ts';

const hostDirectoryVersion = 1;

export interface HostAddress {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: string;
  /** null until the HTTP interface listens. */
  readonly api: string | null;
}

/**
 * Opens `directory` for this process, making it when it is not there. Fails with
 * `data_directory_in_use`, `data_directory_version` or `data_directory_unusable`. Returns its path
 * without symbolic links, which is how the kernel lists what is mounted below it.
 */
export function openHostDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    checkVersion(directory);
    claim(directory);
    return realpathSync(directory);
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure('data_directory_unusable', { directory, reason: String(cause) }, cause);
  }
}

/** Says where this process listens. */
export function announceApi(directory: string, api: string): void {
  const file = join(directory, 'host.json');
  writeFileSync(file, JSON.stringify({ ...thisProcess(), api } satisfies HostAddress));
}

export function closeHostDirectory(directory: string): void {
  rmSync(join(directory, 'host.json'), { force: true });
}

/** The living host that has `directory` open, or null. */
export function findHost(directory: string): HostAddress | null {
  const text = readIfThere(join(directory, 'host.json'));
  if (text === null) return null;
  const address = parseAddress(text);
  return address !== null && startTime(address.pid) === address.startTime ? address : null;
}

function checkVersion(directory: string): void {
  const file = join(directory, 'VERSION');
  const text = readIfThere(file);
  if (text === null) {
    const others = readdirSync(directory);
    ensure(others.length === 0, 'data_directory_unusable', { directory, reason: 'not empty' });
    writeFileSync(file, `${hostDirectoryVersion}\n`);
    return;
  }
  const found = text.trim();
  const expected = hostDirectoryVersion;
  ensure(found === String(expected), 'data_directory_version', { directory, found, expected });
}

/** Atomic among hosts that start at once: link(2) fails when the name exists. */
function claim(directory: string): void {
  const file = join(directory, 'host.json');
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify({ ...thisProcess(), api: null } satisfies HostAddress));
  try {
    const other = findHost(directory);
    if (other !== null) throw new Failure('data_directory_in_use', { directory, pid: other.pid });
    rmSync(file, { force: true });
    linkSync(mine, file);
  } finally {
    rmSync(mine, { force: true });
  }
}

function thisProcess(): { readonly pid: number; readonly startTime: string } {
  return { pid: process.pid, startTime: startTime(process.pid) ?? '' };
}

function startTime(pid: number): string | null {
  return findProcess(pid)?.startTime ?? null;
}

function parseAddress(text: string): HostAddress | null {
  try {
    return JSON.parse(text) as HostAddress;
  } catch {
    return null; // a host died while it wrote its first lines: it is not alive
  }
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ESRCH'].includes((cause as NodeJS.ErrnoException).code ?? '')) return null;
    throw cause;
  }
}
