/**
 * Run: one Postgres from election to its end.
 *
 * The order is the point: elected first, so that nobody else can write; the log's end agreed; the
 * state at that end read from storage; a shutdown checkpoint appended there; the mount; Postgres.
 */
import { basename, dirname, join } from 'node:path';
import { crc32 } from '../../base/crc32.ts';
import { Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { makeReachable, reachableAs, unmountBelow, type ReachablePath } from '../../io/mounts.ts';
import {
  ensureRoom,
  makeFolder,
  makeLink,
  makeOwnedFile,
  makeOwnedFolder,
  removeFolder,
  scratchExists,
} from '../../io/scratch-directory.ts';
import { abortFuse, unmountStale } from '../../io/fuse/device.ts';
import { postgresHome } from '../../io/postgres-binaries.ts';
import {
  killPostgresOf,
  lastWords,
  startPostgres,
  type PostgresProcess,
} from '../../io/postgres-process.ts';
import { connectPostgres, type PostgresClient } from '../../io/postgres-client.ts';
import {
  replicationOriginsPath,
  writeReplicationOrigins,
} from '../../postgres/replication-origins.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { allocateBell, allocatePageChannel } from '../../runtime/page-channel.ts';
import {
  type FilesystemMessage,
  type FilesystemOptions,
  type TimelinePagesOptions,
} from '../filesystem/protocol.ts';
import { type ProposerMessage, type ProposerOptions } from '../proposer/protocol.ts';
import {
  type PageReaderMessage,
  type PageReaderOptions,
  type TimelineMessage,
} from '../timeline/protocol.ts';
import {
  hostBasedAuthentication,
  localDirectories,
  mountedDirectories,
  mountSnapshot,
  postgresConf,
  refusedDirectory,
  standbyName,
} from './data-directory.ts';
import { storeFreeSpace } from './free-space.ts';
import { type ComputeOptions } from './protocol.ts';
import { type ComputeMessage } from './protocol.ts';
import { startPoint, type StartPoint } from './start-point.ts';

export interface Run {
  readonly number: number;
  /** Monotonic. */
  readonly began_ms: number;
  /** The end of the log it was started from. */
  readonly startLsn: Lsn;
  readonly postgres: PostgresProcess;
  readonly proposer: ActorRef<ProposerMessage>;
  readonly filesystem: ActorRef<FilesystemMessage>;
  readonly mountPoint: string;
  /** How the mount reads storage; the last channel is for comparing. */
  readonly pages: TimelinePagesOptions;
  readonly pageReader: ActorRef<PageReaderMessage>;
  /** For samples and verification: not a user's. Opened again by `openSql` when somebody ended it. */
  sql: PostgresClient;
  readonly connectSql: () => Promise<PostgresClient>;
  /** To be undone, last first, when the run ends. */
  readonly reachable: readonly ReachablePath[];
}

const lowerModule = new URL('../filesystem/timeline-pages.ts', import.meta.url).href;
/** What users set for the role or the database is not for us, nor to wait for locks they hold. */
const sqlParameters = {
  application_name: 'stemma samples',
  search_path: 'pg_catalog',
  lock_timeout: '1000',
  statement_timeout: '0',
  idle_session_timeout: '0',
};
const electionTimeout_ms = 10_000;
const ingestTimeout_ms = 600_000;
const limits = { timeout_ms: 60_000 };
const connectTimeout_ms = 5_000;
/** With less, a Postgres would end soon: its start would only have added to the log. */
const roomToStart_bytes = 16 * 2 ** 20;
const readAhead_bytes = 4 * 2 ** 20;

/** Fails with what any step fails with, after undoing the steps before it. */
export async function startRun(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  number: number,
): Promise<Run> {
  await clearScratch(options);
  makeFolder(options.folder);
  ensureRoom(options.folder, roomToStart_bytes);
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await takeSteps(context, options, { number, undo });
  } catch (error) {
    await undoAll(context, undo);
    throw error;
  }
}

/** The connection of our own, opened anew when a user has terminated it. */
export async function openSql(run: Run): Promise<PostgresClient> {
  if (!run.sql.isOpen) run.sql = await run.connectSql();
  return run.sql;
}

/** A clean end: Postgres shuts down; its last WAL and its free-space map are with the quorum. */
export async function endRun(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: Run,
): Promise<void> {
  try {
    await run.sql.end();
    await run.postgres.stop(options.stopTimeout_ms);
    await storeFreeSpace(context, options, run);
    const release = { kind: 'release', timeout_ms: options.stopTimeout_ms } as const;
    await context.ask(run.proposer, release, limits);
  } finally {
    await cleanUp(context, options, run);
  }
}

/** Last first; one that fails does not keep the others from being undone. */
async function undoAll(context: Context<ComputeMessage>, undo: Steps['undo']): Promise<void> {
  for (const step of undo.reverse()) {
    try {
      await step();
    } catch (error) {
      context.log('error', 'compute: not undone', { reason: String(error) });
    }
  }
}

/**
 * A hard end: whatever Postgres had not got acknowledged is lost, as in any crash. Says why it had ended
 * by itself, if it had.
 */
export async function discardRun(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: Run,
): Promise<string | null> {
  run.sql.destroy(new Failure('compute_stopping', { run: run.number }));
  const { log } = await run.postgres.kill();
  await cleanUp(context, options, run);
  return lastWords(log);
}

/** Whether a run was not ended: its actor, its thread or its host died. */
export function hasLeftovers(options: ComputeOptions): boolean {
  return scratchExists(options.folder);
}

/** Takes down what a run, or a predecessor that was killed, left behind. */
export async function clearScratch(options: ComputeOptions): Promise<void> {
  const folders = [options.folder, reachableAs(scratchName(options))];
  for (const folder of folders) await abortFuse(join(folder, 'mount')); // who waits in it cannot die
  for (const folder of folders) await killPostgresOf(join(folder, 'data'));
  for (const folder of folders) await unmountStale(folder);
  for (const folder of [...folders, reachableAs(binariesName(options))]) unmountBelow(folder);
  removeFolder(options.folder);
  removeFolder(socketDirectory(options));
}

interface Steps {
  readonly number: number;
  /** What to undo when a later step fails; last first. */
  readonly undo: (() => Promise<void> | void)[];
}

async function takeSteps(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  { number, undo }: Steps,
): Promise<Run> {
  const proposer = await spawnProposer(context, options, undo);
  const point = await agreeOnStart(context, options, proposer, number);
  const places = makePlaces(options, undo);
  const pages = await spawnPageReader(context, options, undo);
  const filesystem = await mount(context, options, { point, places, pages, undo });
  layOut(options, places, point);
  const postgres = await startPostgres({
    home: places.home,
    dataDirectory: places.data,
    identity: options,
    startTimeout_ms: options.startTimeout_ms,
    unblock: () => abortFuse(places.mountPoint),
    onExit: ({ code, signal, log }) => {
      const words = lastWords(log) ?? log.slice(-3).join(' | ');
      const reason = `exit ${code ?? signal ?? '?'}: ${words}`;
      context.tell(context.self, { kind: 'postgresExited', run: number, reason });
    },
  });
  undo.push(async () => {
    await postgres.kill();
  });
  const address = { host: places.sockets, port: options.port, user: 'postgres' };
  const follow = { kind: 'follow', address, applicationName: standbyName, slot: 'stemma' } as const;
  const connect = { ...address, database: 'postgres', parameters: sqlParameters };
  function connectSql(): Promise<PostgresClient> {
    return connectPostgres({ ...connect, timeout_ms: connectTimeout_ms });
  }
  const [sql] = await Promise.all([
    connectPostgres({ ...connect, timeout_ms: options.startTimeout_ms }),
    context.ask(proposer, follow, limits),
  ]);
  const { mountPoint, reachable } = places;
  const { startLsn } = point;
  return {
    number,
    began_ms: context.clock.monotonic_ms(),
    startLsn,
    postgres,
    proposer,
    filesystem,
    mountPoint,
    pages,
    pageReader: context.ref(pageReaderPath(context)),
    sql,
    connectSql,
    reachable,
  };
}

async function spawnProposer(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  undo: Steps['undo'],
): Promise<ActorRef<ProposerMessage>> {
  const name = proposerName(context);
  const proposerOptions: ProposerOptions = {
    acceptorPath: options.acceptorPath,
    answerTimeout_ms: 10_000,
    reconnect_ms: 500,
    followTimeout_ms: options.startTimeout_ms,
  };
  const child = { behavior: 'proposer', name, options: proposerOptions };
  const proposer = await context.spawn({ ...child, thread: 'wal', significant: true });
  undo.push(() => context.stop(proposer));
  return context.ref(proposer.path);
}

/** Wins a term, reads the state at the log's end, and closes the log with a shutdown checkpoint. */
async function agreeOnStart(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  proposer: ActorRef<ProposerMessage>,
  run: number,
): Promise<StartPoint> {
  const { timeline: id, major, systemId, segmentSize } = options;
  const timeline = context.ref<TimelineMessage>(`timeline/${id}`);
  const { startLsn } = await context.ask(timeline, { kind: 'describeTimeline' }, limits);
  const identity = { timeline: id, major, systemId, segmentSize, startLsn };
  const { configuration } = options;
  const owner = context.self.path;
  const elect = {
    kind: 'elect',
    identity,
    configuration,
    owner,
    run,
    timeout_ms: electionTimeout_ms,
  } as const;
  const { endOfLog } = await context.ask(proposer, elect, limits);
  const wait = { kind: 'waitForLsn', at: endOfLog, timeout_ms: ingestTimeout_ms } as const;
  await context.ask(timeline, wait, wait);
  const state = await context.ask(timeline, { kind: 'describeState', at: endOfLog }, limits);
  const point = startPoint({ ...options, state, now_ms: context.clock.now_ms() });
  const append = { kind: 'appendRecord', begin: point.startLsn, bytes: point.wal } as const;
  await context.ask(proposer, append, limits);
  return point;
}

/** Paths of a run, as Postgres's user reaches them. */
interface Places {
  readonly data: string;
  readonly mountPoint: string;
  readonly upper: string;
  readonly sockets: string;
  /** The binaries. */
  readonly home: string;
  readonly reachable: readonly ReachablePath[];
}

function makePlaces(options: ComputeOptions, undo: Steps['undo']): Places {
  const { folder, major } = options;
  const scratch = makeReachable(folder, options, scratchName(options));
  const home = makeReachable(postgresHome(major), options, binariesName(options));
  undo.push(() => {
    releaseAll([scratch, home]);
  });
  const sockets = socketDirectory(options);
  const places = {
    data: join(scratch.path, 'data'),
    mountPoint: join(scratch.path, 'mount'),
    upper: join(scratch.path, 'upper'),
    sockets,
    home: home.path,
    reachable: [scratch, home],
  };
  makeFolder(dirname(sockets));
  for (const path of [places.data, places.mountPoint, places.upper, sockets])
    makeOwnedFolder(path, options);
  return places;
}

interface MountPlan {
  readonly pages: TimelinePagesOptions;
  readonly point: StartPoint;
  readonly places: Places;
  readonly undo: Steps['undo'];
}

/** The server's end of the mount's page channels, one for each reader and one for comparing. */
async function spawnPageReader(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  undo: Steps['undo'],
): Promise<TimelinePagesOptions> {
  const channels = Array.from({ length: options.readerThreads + 1 }, allocatePageChannel);
  const bell = allocateBell();
  const pageReader: PageReaderOptions = { channels, bell };
  const child = { behavior: 'page-reader', name: proposerName(context), options: pageReader };
  const spawned = await context.spawn({ ...child, thread: 'storage' });
  undo.push(() => context.stop(spawned));
  const timeline = context.ref<TimelineMessage>(`timeline/${options.timeline}`);
  const { number } = await context.ask(timeline, { kind: 'describeTimeline' }, limits);
  return { timeline: number, cache: options.pageCache, channels, bell };
}

async function mount(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  { point, places, pages, undo }: MountPlan,
): Promise<ActorRef<FilesystemMessage>> {
  const mountOptions: FilesystemOptions = {
    mountPoint: places.mountPoint,
    scratchDirectory: places.upper,
    uid: options.uid,
    gid: options.gid,
    snapshot: mountSnapshot(point.state, options.major, point.startLsn, point.controlFile),
    lower: { moduleUrl: lowerModule, options: pages },
    readers: options.readerThreads,
    upperMax_bytes: options.upperMax_bytes,
    upperTarget_bytes: options.upperTarget_bytes,
    readAhead_bytes,
    owner: context.self.path,
  };
  const filesystem = await context.spawn({
    behavior: 'filesystem',
    name: proposerName(context),
    options: mountOptions,
    thread: null,
    significant: true,
  });
  undo.push(() => context.stop(filesystem));
  return context.ref(filesystem.path);
}

/** Everything of the data directory that is not on the mount. */
function layOut(options: ComputeOptions, places: Places, point: StartPoint): void {
  const { major, address, port, sharedBuffers_bytes, maxConnections, segmentSize } = options;
  const { data, mountPoint, sockets: socketDirectory } = places;
  for (const folder of localDirectories) makeOwnedFolder(join(data, folder), options);
  makeFolder(join(data, refusedDirectory));
  for (const folder of mountedDirectories) makeLink(join(data, folder), join(mountPoint, folder));
  const ours = { major, address, port, socketDirectory };
  const settings = { ...ours, sharedBuffers_bytes, maxConnections, segmentSize };
  const files: readonly (readonly [string, string | Uint8Array])[] = [
    ['PG_VERSION', `${major}\n`],
    ['postgresql.conf', postgresConf(settings)],
    ['pg_hba.conf', hostBasedAuthentication],
    ['pg_ident.conf', ''],
    [replicationOriginsPath, writeReplicationOrigins(point.state.replicationOrigins)],
  ];
  for (const [name, content] of files)
    makeOwnedFile(join(data, name), Buffer.from(content), options);
  for (const { name, bytes } of point.segments)
    makeOwnedFile(join(data, 'pg_wal', name), bytes, options);
}

async function cleanUp(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: Run,
): Promise<void> {
  await context.stop(context.ref(run.filesystem.path));
  await context.stop(context.ref(run.pageReader.path));
  await context.stop(context.ref(run.proposer.path));
  releaseAll(run.reachable);
  await clearScratch(options);
}

function releaseAll(paths: readonly ReachablePath[]): void {
  for (const path of [...paths].reverse()) path.release();
}

function binariesName({ folder }: ComputeOptions): string {
  return `postgres-${placeName(folder)}`;
}

function scratchName({ folder }: ComputeOptions): string {
  return `compute-${placeName(folder)}`;
}

/** Short: a socket's path has 107 bytes. */
function socketDirectory({ folder }: ComputeOptions): string {
  return `/run/stemma/socket-${placeName(folder)}`;
}

/** Of a compute among all on this machine: two hosts on it may run the same branch, one after the other. */
function placeName(folder: string): string {
  const place = crc32(Buffer.from(folder)).toString(16).padStart(8, '0');
  return `${basename(folder).slice(0, 16)}-${place}`;
}

function pageReaderPath(context: Context<ComputeMessage>): string {
  return `page-reader/${proposerName(context)}`;
}

/** The proposer and the mount bear their compute's name. */
function proposerName(context: Context<ComputeMessage>): string {
  return context.self.path.slice('compute/'.length);
}
