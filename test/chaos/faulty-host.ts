/**
 * FaultyHost: a host as `stemma up` runs it, that breaks where it is told to: a fault arrives as a message
 * on the process's channel. Run with the arguments of `stemma up`.
 */
import { parseArgs } from 'node:util';
import { type Worker } from 'node:worker_threads';
import { readConfig } from '../../src/config.ts';
import { startHost, type Host } from '../../src/host.ts';

/** Something to break, and what of. */
export type Fault =
  | { readonly kind: 'actor'; readonly behavior: string }
  | { readonly kind: 'thread' | 'threadExit'; readonly name: string }
  /** A thread that is ended from outside in whatever it does: a mount's reader. */
  | { readonly kind: 'worker'; readonly name: string };

const workers = new Set<Worker>();

if (import.meta.main) await main();

async function main(): Promise<void> {
  process.on('worker', (worker) => {
    workers.add(worker);
    worker.once('exit', () => workers.delete(worker));
  });
  const { values } = parseArgs({
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      config: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  const config = readConfig(values.config!);
  const host = await startHost({ config, directory: values.data!, json: true });
  const { api, replication, connectionString } = host;
  process.on('message', (fault: Fault) => {
    inject(host, fault);
  });
  const ready = { event: 'ready', api, replication, connectionString };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  const asked = new Promise<null>((resolve) => {
    process.once('SIGINT', () => {
      resolve(null);
    });
  });
  const failure = await Promise.race([asked, host.runtime.ended]);
  await host.stop();
  process.disconnect?.();
  if (failure !== null) throw failure;
}

function inject({ runtime }: Host, fault: Fault): void {
  switch (fault.kind) {
    case 'actor':
      for (const path of runtime.faults.actors())
        if (path.startsWith(`${fault.behavior}/`)) runtime.faults.killActor(path);
      return;
    case 'thread':
      void runtime.faults.killThread(fault.name);
      return;
    case 'threadExit':
      runtime.faults.exitThread(fault.name);
      return;
    case 'worker':
      for (const worker of workers) if (worker.threadName === fault.name) void worker.terminate();
  }
}
