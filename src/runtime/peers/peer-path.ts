/**
 * PeerPath: the address of an actor of another host: `<host>:<behavior>/<name>`.
 */
import { assert } from '../../base/assert.ts';

/** A host's name: what fits a path, a file name and a key of the object store. */
const hostNamePattern = /^[a-z0-9][a-z0-9-]{0,30}$/;

/** The path of an actor of `host`, as this host, `self`, addresses it. */
export function pathOn(host: string, self: string, path: string): string {
  assert(hostNamePattern.test(host), 'a host has a name');
  return host === self ? path : `${host}:${path}`;
}

/** The host a path names, or null for an actor of this one. */
export function hostOfPath(path: string): string | null {
  const colon = path.indexOf(':');
  if (colon < 0) return null;
  const slash = path.indexOf('/');
  return slash >= 0 && slash < colon ? null : path.slice(0, colon);
}

/** The path as the host it names knows it. */
export function localPath(path: string): string {
  const host = hostOfPath(path);
  return host === null ? path : path.slice(host.length + 1);
}
