/**
 * Host: one process: its folder, its threads, and the actors at the top of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { readProject } from './actors/control/project-store.ts';
import { DirectoryStore } from './io/directory-store.ts';
import { Failure } from './base/failure.ts';
import { clusterPeers, hostNames, objectStoreOf } from './cluster.ts';
import { type Config } from './config.ts';
import { closeHostDirectory, openHostDirectory } from './io/host-directory.ts';
import { logToStandardError } from './io/log.ts';
import { unmountStale } from './io/fuse/device.ts';
import { type ApiMessage } from './actors/api/protocol.ts';
import { type ControlMessage, type ControlOptions } from './actors/control/protocol.ts';
import { type WalSenderMessage, type WalSenderOptions } from './actors/wal-sender/protocol.ts';
import { startMain, type MainEndpoint } from './main-endpoint.ts';
import { allocatePageCache } from './runtime/page-cache.ts';
import { startRuntime, type Runtime } from './runtime/runtime.ts';
import { type ActorRef } from './runtime/actor.ts';

export interface HostOptions {
  readonly config: Config;
  /** Absolute path of the folder everything is kept in. */
  readonly directory: string;
  /** Print one JSON line per event instead of text. */
  readonly json: boolean;
}

/** A host that runs. */
export interface Host extends MainEndpoint {
  readonly runtime: Runtime;
  readonly api: string;
  /** Where followers of branches get WAL: `127.0.0.1:7433`. */
  readonly replication: string;
  /** Stops everything in order. */
  stop(): Promise<void>;
}

const limits = { timeout_ms: 600_000 };
const threads = ['wal', 'storage'].map((name) => ({ name, behaviors: registryFor(name) }));
const projectPoll_ms = 100;
const archiverLook_ms = 1_000;

function registryFor(thread: string): URL {
  return new URL(`./actors/registry/${thread}.ts`, import.meta.url);
}

/** Runs a host until it is told to stop by SIGINT or SIGTERM, or cannot go on. */
export async function runHost(options: HostOptions): Promise<void> {
  const signals = listenForSignals();
  const stopWaiting = new AbortController();
  const made = projectMade(options, stopWaiting.signal);
  if ((await Promise.race([signals.asked, made])) === 'asked') {
    stopWaiting.abort();
    signals.stopListening();
    return;
  }
  const host = await startHost(options);
  const { api, replication, connectionString, mainIs } = host;
  const text = connectionString ?? `main is not served here: ${mainIs}`;
  print(options, { event: 'ready', api, replication, connectionString, mainIs }, text);
  const reason = await Promise.race([signals.asked, host.runtime.ended]);
  if (reason === 'asked') print(options, { event: 'stopping' }, 'stopping');
  await host.stop();
  signals.stopListening();
  if (reason instanceof Failure) throw reason;
  print(options, { event: 'stopped' }, 'stopped');
}

/** Fails with what opening the folder, starting a thread or starting Postgres fails with. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { config } = options;
  if (process.getuid?.() !== 0) throw new Failure('not_root', { needed: 'to mount a file system' });
  const directory = openHostDirectory(options.directory);
  let runtime: Runtime | null = null;
  try {
    await unmountStale(directory);
    const peers = clusterPeers(config);
    runtime = await startRuntime({
      behaviors: registryFor('main'),
      threads,
      ...(peers === null ? {} : { peers }),
      log: logToStandardError({ level: 'warn', format: options.json ? 'json' : 'text' }),
    });
    return await startActors(runtime, directory, config);
  } catch (error) {
    await runtime?.stop();
    closeHostDirectory(directory);
    throw error;
  }
}

async function startActors(runtime: Runtime, directory: string, config: Config): Promise<Host> {
  const options = controlOptions(directory, config);
  await spawnHere(runtime, 'control', options);
  const control = runtime.ref<ControlMessage>('control/host');
  const walSender = await startWalSender(runtime, config, control);
  const { api_address: address, api_port: port } = config;
  const asked = { control: control.path, walSender: walSender.path };
  await spawnHere(runtime, 'api', { address, port, directory, ...asked });
  const { url } = await runtime.ask(
    runtime.ref<ApiMessage>('api/host'),
    { kind: 'describeApi' },
    limits,
  );
  const replication = await runtime.ask(walSender, { kind: 'describeWalSender' }, limits);
  const main = await startMain({
    ...{ runtime, control, host: config.host_name, hosts: hostNames(config) },
    now_ms: () => performance.now(),
    pause: (delay_ms) => sleep(delay_ms),
  });
  await runtime.ask(control, { kind: 'resumeEndpoints' }, limits);
  return {
    runtime,
    api: url,
    replication: replication.address,
    ...main,
    stop: async () => {
      await stopComputes(runtime, control);
      await runtime.stop();
      closeHostDirectory(directory);
    },
  };
}

/** Beside the acceptors, whose WAL it sends. */
async function startWalSender(
  runtime: Runtime,
  config: Config,
  control: ActorRef<ControlMessage>,
): Promise<ActorRef<WalSenderMessage>> {
  const options: WalSenderOptions = {
    address: config.replication_address,
    port: config.replication_port,
    clientsMax: config.max_wal_senders,
    timeout_ms: config.wal_sender_timeout_ms,
    control: control.path,
    host: config.host_name,
  };
  await runtime.spawn({ behavior: 'wal-sender', name: 'host', options, thread: 'wal' });
  return runtime.ref('wal-sender/host');
}

/** The first host makes the project, on its first start; the others wait for that. */
async function projectMade(options: HostOptions, signal: AbortSignal): Promise<void> {
  const { config, directory } = options;
  const [first] = hostNames(config);
  if (first === config.host_name) return;
  const store = new DirectoryStore(objectStoreOf(directory, config));
  if ((await readProject(store)) !== null) return;
  print(options, { event: 'waiting', host: first }, `waiting for host ${first ?? ''}`);
  while (!signal.aborted && (await readProject(store)) === null) await sleep(projectPoll_ms);
}

/** Before anything else: a Postgres shuts down in order only while its proposer and its mount live. */
async function stopComputes(runtime: Runtime, control: ActorRef<ControlMessage>): Promise<void> {
  try {
    await runtime.ask(control, { kind: 'stopComputes' }, limits);
  } catch (error) {
    // The runtime is going down by itself: what is left is killed with it, and nothing is lost.
    if (!(error instanceof Failure)) throw error;
  }
}

async function spawnHere(runtime: Runtime, behavior: string, options: object): Promise<void> {
  await runtime.spawn({ behavior, name: 'host', options, thread: 'main' });
}

function controlOptions(directory: string, config: Config): ControlOptions {
  const pageCache = allocatePageCache(config.page_cache_bytes);
  return {
    directory,
    host: config.host_name,
    hosts: hostNames(config),
    objectStore: objectStoreOf(directory, config),
    pageCopies: config.page_copies,
    major: config.postgres_major,
    segment_bytes: config.wal_segment_bytes,
    uid: config.postgres_uid,
    gid: config.postgres_gid,
    firstPort: config.postgres_first_port,
    address: config.postgres_address,
    compute: {
      sharedBuffers_bytes: config.shared_buffers_bytes,
      maxConnections: config.max_connections,
      startTimeout_ms: config.postgres_start_timeout_ms,
      stopTimeout_ms: config.postgres_stop_timeout_ms,
      readerThreads: config.filesystem_reader_threads,
      upperTarget_bytes: config.overlay_target_bytes,
      upperMax_bytes: config.overlay_max_bytes,
      trimSample_ms: config.trim_sample_ms,
      pageCache,
    },
    archiver: {
      keep_bytes: config.wal_keep_bytes,
      look_ms: archiverLook_ms,
      idle_ms: config.wal_idle_ms,
    },
    timeline: {
      openLayerMax_bytes: config.open_layer_max_bytes,
      imagePagesMin: config.image_min_pages,
      pageCache,
    },
  };
}

interface Signals {
  readonly asked: Promise<'asked'>;
  readonly stopListening: () => void;
}

/** From now on SIGINT and SIGTERM are requests. */
function listenForSignals(): Signals {
  const { promise: asked, resolve } = Promise.withResolvers<'asked'>();
  function ask(): void {
    resolve('asked');
  }
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, ask);
  return {
    asked,
    stopListening: () => {
      for (const signal of signals) process.off(signal, ask);
    },
  };
}

function print(options: HostOptions, event: object, text: string): void {
  process.stdout.write(`${options.json ? JSON.stringify(event) : text}\n`);
}
