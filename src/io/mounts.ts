/**
 * Mounts: bind mounts that make a folder reachable for an unprivileged user, and the list of what
 * is mounted below a folder.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../base/failure.ts';
import { type Identity } from './postgres-process.ts';

/** A path an unprivileged user can walk to, and how to take it down. */
export interface ReachablePath {
  readonly path: string;
  release(): void;
}

const reachableRoot = '/run/stemma';

/**
 * `path` itself when every folder above it lets `identity` through; else a bind mount of it under
 * `/run/stemma` (a checkout below /root, say). Fails with `mount_failed`.
 */
export function makeReachable(path: string, identity: Identity, name: string): ReachablePath {
  if (isReachable(path, identity)) return { path, release: () => undefined };
  const target = reachableAs(name);
  unmountBelow(target);
  mkdirSync(target, { recursive: true, mode: 0o755 });
  run('mount', ['--bind', path, target]);
  return {
    path: target,
    release: () => {
      unmountBelow(target);
      rmdirSync(target);
    },
  };
}

/** Where `makeReachable` mounts what it is given under `name`, if it has to. */
export function reachableAs(name: string): string {
  return join(reachableRoot, name);
}

/** Detaches everything mounted at or below `folder`, deepest first. Never fails on a dead mount. */
export function unmountBelow(folder: string): void {
  for (const point of mountsBelow(folder)) run('umount', ['-l', point]);
}

/** Mount points at or below `folder`, deepest first. */
export function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .reverse();
}

function isReachable(path: string, identity: Identity): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const shift = uid === identity.uid ? 6 : gid === identity.gid ? 3 : 0;
    if (((mode >> shift) & 1) === 0) return false;
    if (folder === '/') return true;
  }
}

/** mountinfo(5) writes blanks in paths as octal escapes. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 8)),
  );
}

function run(command: string, args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  if (done.status === 0) return;
  const output = done.error === undefined ? done.stderr.trim() : String(done.error);
  throw new Failure('mount_failed', { command: [command, ...args].join(' '), output });
}
