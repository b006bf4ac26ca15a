/**
 * Leftovers: what a host that was killed leaves behind, and how a test takes it down.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { mountsBelow, unmountBelow } from '../../src/io/mounts.ts';
import { processesOf } from './host.ts';

/** Ends the processes that name `folder`, detaches the mounts below it and removes it. */
export async function clearFolder(folder: string): Promise<void> {
  for (const pid of processesOf(folder)) endProcess(pid);
  for (const mount of mountsBelow(folder)) abortConnection(mount);
  unmountBelow(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whoever waits for a file system that nobody serves gets an error. */
function abortConnection(mountPoint: string): void {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((each) => each.split(' ')[4] === mountPoint);
  const [, minor] = (line?.split(' ')[2] ?? '').split(':');
  try {
    writeFileSync(`/sys/fs/fuse/connections/${minor ?? ''}/abort`, '1');
  } catch (error) {
    // not a FUSE mount, or already gone
    if (!['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
