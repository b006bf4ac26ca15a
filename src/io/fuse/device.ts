/**
 * The FUSE device: mounting, the first handshake, and unmounting whatever state a mount is in.
 *
 * Needs root and `/dev/fuse`. `mount(8)` does the system call, with our descriptor inherited.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { ensure, Failure } from '../../base/failure.ts';
import {
  initFlags,
  InitIn,
  InitOut,
  InHeader,
  operations,
  OutHeader,
  protocolMajor,
  protocolMinor,
  requestMin_bytes,
} from './protocol.ts';

/** The largest read or write request: 256 pages, the kernel's own default limit. */
export const transferMax_bytes = 1_048_576;
/** What a buffer for any request must hold: the kernel wants room for the headers of a write. */
export const requestMax_bytes = transferMax_bytes + 4_096;

const device = '/dev/fuse';
const unmountCommand = 'umount';
const fileSystemName = 'stemma';
/** Share of the dirty page limit a mount may fill, in percent; FUSE starts at 1. */
const dirtyShare_percent = 50;

export interface FuseMount {
  readonly mountPoint: string;
  /** Requests are read from it and replies written to it, by any thread. Valid in the process. */
  readonly fd: number;
  /** `major:minor` of the mount's device number. */
  readonly deviceNumber: string;
}

/**
 * Mounts on an existing directory and shakes hands with the kernel; then requests may be read.
 * Fails with `fuse_unavailable`, `fuse_not_permitted`, `fuse_mount_failed`, `fuse_version_unsupported`.
 */
export async function mountFuse(mountPoint: string, readAhead_bytes: number): Promise<FuseMount> {
  const fd = openDevice();
  try {
    const owner = 'rootmode=40000,user_id=0,group_id=0';
    const access = 'allow_other,default_permissions';
    const options = `fd=3,${owner},${access},max_read=${transferMax_bytes}`;
    const ran = await run(
      'mount',
      ['-i', '-t', 'fuse', '-o', options, fileSystemName, mountPoint],
      fd,
    );
    ensure(ran.status === 0, 'fuse_mount_failed', { mountPoint, reason: ran.errors });
    shakeHands(fd, readAhead_bytes);
    const deviceNumber = mountsUnder(mountPoint)[0]?.deviceNumber;
    ensure(deviceNumber !== undefined, 'fuse_mount_failed', { mountPoint, reason: 'not mounted' });
    tuneBacking(deviceNumber, readAhead_bytes);
    detachAtExit(mountPoint);
    return { mountPoint, fd, deviceNumber };
  } catch (error) {
    closeSync(fd);
    await unmountFuse(mountPoint);
    throw error;
  }
}

/**
 * Ends the connection: whoever waits in the mount, or comes to it, gets an error. Unlike detaching it
 * leaves the name: a server of data must not find an empty folder where its files were.
 */
export async function abortFuse(mountPoint: string): Promise<void> {
  for (const { deviceNumber } of mountsUnder(mountPoint)) {
    const connection = `/sys/fs/fuse/connections/${deviceNumber.split(':')[1]!}/abort`;
    try {
      writeFileSync(connection, '1');
    } catch {
      // no control file system here: a forced unmount aborts, and leaves the name while it is in use
      await run('umount', ['-i', '-c', '-f', mountPoint], null);
    }
  }
}

/**
 * Detaches the mount at once, dropping what is dirty in the kernel, also when its server is dead or
 * files are open. Does nothing when nothing is mounted there.
 */
export async function unmountFuse(mountPoint: string): Promise<void> {
  while (isMounted(mountPoint)) {
    const ran = await run(unmountCommand, unmountParameters(mountPoint), null);
    const gone = ran.status === 0 || /not mounted|no mount point/.test(ran.errors);
    ensure(gone, 'fuse_unmount_failed', { mountPoint, reason: ran.errors });
  }
}

/** `-f` aborts the connection, which ends who waits in it; `-l` takes the name away at once. */
function unmountParameters(mountPoint: string): readonly string[] {
  return ['-i', '-c', '-f', '-l', mountPoint];
}

/**
 * A thread that blocks in the device keeps a process from ending (its exit waits for all threads), so
 * whatever the exit's cause, mounts that are left are taken away in it.
 */
function detachAtExit(mountPoint: string): void {
  if (leftAtExit.size === 0)
    process.once('exit', () => {
      for (const left of leftAtExit)
        if (isMounted(left)) spawnSync(unmountCommand, unmountParameters(left), { timeout: 5_000 });
    });
  leftAtExit.add(mountPoint);
}
const leftAtExit = new Set<string>();

function isMounted(mountPoint: string): boolean {
  return mountsUnder(mountPoint).some((mount) => mount.mountPoint === mountPoint);
}

/** Unmounts what a killed predecessor left mounted in or under `directory`. Says which. */
export async function unmountStale(directory: string): Promise<readonly string[]> {
  const stale = mountsUnder(directory).map((mount) => mount.mountPoint);
  for (const mountPoint of stale.toReversed()) await unmountFuse(mountPoint);
  return stale;
}

interface MountEntry {
  readonly mountPoint: string;
  readonly deviceNumber: string;
}

/** Our mounts at or below `directory`, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)). */
function mountsUnder(directory: string): readonly MountEntry[] {
  const found: MountEntry[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mounted, source] = line.split(' - ');
    if (mounted === undefined || source?.startsWith(`fuse ${fileSystemName} `) !== true) continue;
    const fields = mounted.split(' ');
    const mountPoint = unescapeOctal(fields[4]!);
    if (mountPoint !== directory && !mountPoint.startsWith(`${directory}/`)) continue;
    found.push({ mountPoint, deviceNumber: fields[2]! });
  }
  return found;
}

/** Mount tables write blanks and backslashes as `\040`. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8)),
  );
}

function openDevice(): number {
  ensure(process.getuid?.() === 0, 'fuse_not_permitted', { need: 'root' });
  try {
    return openSync(device, 'r+');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM';
    throw new Failure(denied ? 'fuse_not_permitted' : 'fuse_unavailable', { device, code }, error);
  }
}

/** Answers FUSE_INIT, which the kernel has queued when the mount call returns. */
function shakeHands(fd: number, readAhead_bytes: number): void {
  const request = new DataView(new ArrayBuffer(Math.max(requestMax_bytes, requestMin_bytes)));
  readSync(fd, request, 0, request.byteLength, null);
  const operation = InHeader.operation.get(request, 0);
  ensure(operation === operations.init, 'fuse_version_unsupported', { operation });
  const major = InitIn.major.get(request, InHeader.size);
  const minor = InitIn.minor.get(request, InHeader.size);
  ensure(major === protocolMajor && minor >= 28, 'fuse_version_unsupported', { major, minor });

  const reply = new DataView(new ArrayBuffer(OutHeader.size + InitOut.size));
  OutHeader.length.set(reply, 0, reply.byteLength);
  OutHeader.unique.set(reply, 0, InHeader.unique.get(request, 0));
  const at = OutHeader.size;
  InitOut.major.set(reply, at, protocolMajor);
  InitOut.minor.set(reply, at, Math.min(minor, protocolMinor));
  InitOut.maxReadahead.set(reply, at, readAhead_bytes);
  InitOut.flags.set(reply, at, wantedFlags(InitIn.flags.get(request, InHeader.size)));
  InitOut.maxBackground.set(reply, at, 64);
  InitOut.congestionThreshold.set(reply, at, 48);
  InitOut.maxWrite.set(reply, at, transferMax_bytes);
  InitOut.timeGranularity_ns.set(reply, at, 1);
  InitOut.maxPages.set(reply, at, transferMax_bytes / 4_096);
  writeSync(fd, reply);
}

function wantedFlags(offered: number): number {
  let wanted = 0;
  for (const flag of Object.values(initFlags)) wanted |= flag;
  return (wanted & offered) >>> 0;
}

/** Readahead, and how much of the dirty page limit this mount may use (Documentation/ABI bdi). */
function tuneBacking(deviceNumber: string, readAhead_bytes: number): void {
  const directory = `/sys/class/bdi/${deviceNumber}`;
  try {
    writeFileSync(`${directory}/read_ahead_kb`, String(readAhead_bytes / 1024));
    writeFileSync(`${directory}/max_ratio`, String(dirtyShare_percent));
  } catch (error) {
    throw new Failure('fuse_mount_failed', { directory, reason: 'bdi not tunable' }, error);
  }
}

interface Ran {
  readonly status: number | null;
  readonly errors: string;
}

/** Runs a command to its end; `inherited` becomes its descriptor 3. */
function run(
  command: string,
  parameters: readonly string[],
  inherited: number | null,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, {
      stdio: ['ignore', 'ignore', 'pipe', inherited ?? 'ignore'],
    });
    let errors = '';
    child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.on('error', (error) => {
      reject(new Failure('fuse_mount_failed', { command, reason: error.message }, error));
    });
    child.on('close', (status) => {
      resolve({ status, errors: errors.trim() });
    });
  });
}
