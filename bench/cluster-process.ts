/**
 * ClusterProcess: three hosts on this machine, as people run them: each a process, with an object store
 * that they share.
 */
import { join } from 'node:path';
import { type Config } from '../src/config.ts';
import { unmountStale } from '../src/io/fuse/device.ts';
import { takeFreePort } from '../src/io/ports.ts';
import { HostProcess } from './host-process.ts';
import { type Place } from './place.ts';
import { type Server } from './server.ts';

const names = ['a', 'b', 'c'];

export class ClusterProcess {
  readonly hosts: readonly HostProcess[];

  private constructor(hosts: readonly HostProcess[]) {
    this.hosts = hosts;
  }

  /** None of them runs yet. */
  static async create(place: Place, changed: Partial<Config>): Promise<ClusterProcess> {
    const hosts = await Promise.all(
      names.map(async (name) => `${name}=127.0.0.1:${await takeFreePort('127.0.0.1')}`),
    );
    const object_store = join(place.folder, 'store');
    const shared = { hosts, cluster_secret: 'the-secret-of-a-benchmark', object_store };
    // A host that was killed leaves its mount. This runs when all have ended: last first.
    place.later(async () => {
      for (const name of names) await unmountStale(join(place.folder, name));
    });
    const processes = names.map(
      (host_name) => new HostProcess(place, { ...changed, ...shared, host_name }, host_name),
    );
    return new ClusterProcess(processes);
  }

  /** Starts all. Returns the endpoint of `main`, which runs on the first. */
  async start(): Promise<Server> {
    const [first, ...others] = this.hosts;
    const [server] = await Promise.all([first!.start(), ...others.map((host) => host.launch())]);
    return server;
  }
}
