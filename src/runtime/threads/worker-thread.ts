/**
 * The entry of every worker thread: a kernel with the behaviours of its registry module, connected to the
 * other threads by rings and to the main thread's roster by its parent port.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../io/clock.ts';
import { systemRandom } from '../../io/random.ts';
import { assert } from '../../base/assert.ts';
import { type FailureData } from '../../base/failure.ts';
import { type Behaviors, type ChildSpec, type LogLevel, type LogValues } from '../actor.ts';
import { connectPeers, type Peers } from '../peers/peers.ts';
import { type Control } from '../kernel/control.ts';
import { ControlPort, type Handlers } from '../kernel/control-port.ts';
import { SharedDirectory } from './directory.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Pulse } from './pulse.ts';
import { RingTransport, type RingPair } from './ring-transport.ts';
import { EventLoopScheduler } from '../kernel/scheduler.ts';
import { type TraceEvent } from '../trace.ts';
import { type WorkerInit } from './worker-init.ts';

await run(workerData as WorkerInit);

async function run(init: WorkerInit): Promise<void> {
  assert(parentPort !== null, 'this module is a worker');
  const { behaviors } = (await import(init.behaviors)) as { readonly behaviors: Behaviors };
  const pulse = new Pulse(init.pulse);
  const transport = new RingTransport(init.threadIndex, pulse);
  for (const pair of init.rings) transport.connect(pair);
  const port = new ControlPort(parentPort);
  const { kernel, peers } = buildKernel(init, { behaviors, port, transport });
  if (peers !== null) await listenAs(init, peers);
  port.serve(handlersOf(kernel, transport));
  transport.listen((thread, frame) => {
    kernel.onFrame(thread, frame);
  });
  // Also what keeps the event loop alive while the thread has nothing to do.
  setInterval(() => {
    pulse.beat(init.threadIndex);
  }, init.heartbeat_ms);
  port.notify('ready');
}

interface Parts {
  readonly behaviors: Behaviors;
  readonly port: ControlPort;
  readonly transport: RingTransport;
}

interface Built {
  readonly kernel: Kernel;
  readonly peers: Peers | null;
}

function buildKernel(init: WorkerInit, { behaviors, port, transport }: Parts): Built {
  function log(level: LogLevel, source: string, text: string, values: LogValues): void {
    const { thread } = init;
    port.notify('log', { time_ms: systemClock.now_ms(), level, thread, source, text, values });
  }
  const within = { directory: new SharedDirectory(init.directory), transport };
  const peers: Peers | null =
    init.peers === null ? null : connectPeers(init.peers, within, log, () => kernel);
  const kernel: Kernel = new Kernel({
    thread: init.thread,
    threadIndex: init.threadIndex,
    hostName: init.peers?.self.host ?? null,
    behaviors,
    scheduler: new EventLoopScheduler(),
    clock: systemClock,
    random: systemRandom,
    directory: peers ?? within.directory,
    transport: peers ?? within.transport,
    control: remoteControl(port),
    stopTimeout_ms: init.stopTimeout_ms,
    log,
    trace: init.traced
      ? (event: TraceEvent): void => {
          port.notify('trace', event);
        }
      : null,
  });
  return { kernel, peers };
}

/** One thread answers the calls of other hosts. */
async function listenAs({ thread, peers: options }: WorkerInit, peers: Peers): Promise<void> {
  const { listen } = options!;
  if (listen.thread === thread) await peers.listen(listen.address, listen.port);
}

/** The roster, through the parent port. */
function remoteControl(port: ControlPort): Control {
  return {
    register: async (thread, path, parent) => {
      await port.call('register', thread, path, parent);
    },
    spawn: async (parent, child) => {
      await port.call('spawn', parent, child);
    },
    stop: async (path) => {
      await port.call('stop', path);
    },
    gone: (path, failure) => {
      port.notify('gone', path, failure);
    },
  };
}

function handlersOf(kernel: Kernel, transport: RingTransport): Handlers {
  return {
    start: (parent: string, child: ChildSpec) => kernel.start(parent, child),
    stop: (path: string) => kernel.stop(path),
    fail: (path: string, failure: FailureData) => {
      kernel.fail(path, failure);
    },
    stats: () => ({ ...kernel.stats(), ...memoryOfThread() }),
    connect: (pair: RingPair) => {
      transport.connect(pair);
    },
    threadDied: (thread: number, name: string) => {
      transport.disconnect(thread);
      kernel.onThreadDied(thread, name);
    },
    hang: () => {
      for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
    exit: () => process.exit(1),
  };
}

function memoryOfThread(): { readonly heap_bytes: number } {
  return { heap_bytes: process.memoryUsage().heapUsed };
}
