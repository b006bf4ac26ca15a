/**
 * Cluster: what a configuration says of the hosts it names.
 */
import { join } from 'node:path';
import { ensure } from './base/failure.ts';
import { type Config } from './config.ts';
import { type PeersOptions } from './runtime/peers/peer-world.ts';

/** Commits wait for acceptors, which live on this thread: so do the calls of other hosts. */
const listeningThread = 'wal';
const secretLength_min = 16;

interface NamedHost {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

/** The hosts of the cluster, in the order of the configuration; this one alone when there is none. */
export function hostNames({ hosts, host_name }: Config): readonly string[] {
  return hosts.length === 0 ? [host_name] : hosts.map((entry) => parseHost(entry).host);
}

/** How this host and the others reach each other; null for a host on its own. Fails with `config_invalid`. */
export function clusterPeers(config: Config): PeersOptions | null {
  const { host_name: self, hosts, cluster_secret: secret } = config;
  if (hosts.length === 0) return null;
  const named = hosts.map(parseHost);
  const own = named.find(({ host }) => host === self);
  ensure(own !== undefined, 'config_invalid', { reason: `hosts lacks host_name = ${self}` });
  const unique = new Set(named.map(({ host }) => host)).size === named.length;
  ensure(unique, 'config_invalid', { reason: 'hosts names one twice' });
  const long = secret.length >= secretLength_min;
  ensure(long, 'config_invalid', { reason: `cluster_secret is shorter than ${secretLength_min}` });
  const { address, port } = own;
  return {
    self: { host: self, secret },
    listen: { thread: listeningThread, address, port },
    hosts: named.filter((one) => one !== own),
  };
}

/** Where the object store is: of a host on its own, in its data directory. Fails with `config_invalid`. */
export function objectStoreOf(directory: string, { object_store, hosts }: Config): string {
  const shared = object_store !== '' || hosts.length === 0;
  ensure(shared, 'config_invalid', { reason: 'hosts of a cluster share an object_store' });
  return object_store === '' ? join(directory, 'store') : object_store;
}

/** `name=address:port`, as the setting's pattern has checked. */
function parseHost(entry: string): NamedHost {
  const [host, place] = entry.split('=');
  const [address, port] = place!.split(':');
  return { host: host!, address: address!, port: Number(port) };
}
