/**
 * How fast is WAL taken in, and made into pages, on one thread? Beside Postgres's recovery from a
 * crash with the same WAL. Time is that of the CPU, so that a busy machine changes it little.
 */
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inspectDirectory } from '../src/actors/control/imported-directory.ts';
import { TimelineDisk } from '../src/actors/timeline/disk.ts';
import { importDirectory } from '../src/actors/timeline/import-directory.ts';
import { families } from '../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../src/actors/timeline/store.ts';
import { keyKinds, makeKey, type Key } from '../src/base/key.ts';
import { defaultConfig } from '../src/config.ts';
import { VersionReader } from '../src/layers/read-versions.ts';
import { VersionList } from '../src/layers/version-list.ts';
import { Ingest } from '../src/postgres/ingest/ingest.ts';
import { ensureMajor } from '../src/postgres/major.ts';
import { pageSize } from '../src/postgres/page.ts';
import { type WalRecord } from '../src/postgres/wal-record.ts';
import { allocatePageCache } from '../src/runtime/page-cache.ts';
import { figure, median, type Figure, type Goal, type Report, type Size } from './harness.ts';
import { driverFor, prepareLoad, runLoad } from './load.ts';
import { LocalPostgres, type Settings } from './local-postgres.ts';
import { inPlace, type Place } from './place.ts';
import { replayInProcess, replayOnThread, type Replayed, type ReplayTask } from './replay.ts';
import { sql, type Server } from './server.ts';
import { forEachRecord, readWal, stopwatch, type Start } from './wal.ts';

const mebibyte = 2 ** 20;
const major = ensureMajor(defaultConfig.postgres_major);

/** As a compute writes WAL: without page images. The rest makes much of it, in one piece. */
const walSettings: Settings = {
  full_page_writes: 'off',
  fsync: 'off',
  synchronous_commit: 'off',
  autovacuum: 'off',
  checkpoint_timeout: '1d',
  max_wal_size: '64GB',
  wal_recycle: 'off',
};

/** A crashed server's WAL, and a copy of its directory as it was where that WAL begins. */
interface Crashed {
  readonly local: LocalPostgres;
  readonly before: string;
}

/** Makes the WAL: many short transactions, or one that inserts a lot. */
type Work = (place: Place, server: Server) => Promise<unknown>;

type Speed = Pick<Figure, 'unit' | 'peer' | 'note'>;

const fewRecordsCount = 8;
/** A process that streams keeps one page of so many: the others only pass through the decoder. */
const keptShare = 16;

interface Workload {
  readonly name: string;
  readonly scale: number;
  readonly work: Work;
}

export async function measureRedo(size: Size): Promise<Report> {
  const seconds = size === 'full' ? 20 : 0.3;
  const scale = size === 'full' ? 10 : 1;
  const rows = size === 'full' ? 2_000_000 : 10_000;
  const streamed_mb = size === 'full' ? 1_024 : 0;
  const load = { script: 'tpcb', clients: 4, scale, seconds } as const;
  const insert = `insert into commits (text) select 'row ' || i from generate_series(1, ${rows}) i`;
  const workloads: readonly Workload[] = [
    { name: 'TPC-B', scale, work: (place, server) => runLoad(place, server, load) },
    { name: 'bulk insert', scale: 1, work: (_, server) => sql(server, insert) },
  ];
  const figures: Figure[] = [];
  for (const workload of workloads) figures.push(...(await measureWorkload(workload, streamed_mb)));
  return {
    question: 'WAL taken in and made into pages',
    settings: {
      time: 'of CPU, of one thread, or of the slower of two; warm',
      pages: 'in the order of their keys',
      driver: driverFor(seconds),
      scale,
      rows,
      ...walSettings,
    },
    figures,
  };
}

/** What one thread makes of the log, two threads, and a process that sees much of it. */
function measureWorkload(workload: Workload, streamed_mb: number): Promise<readonly Figure[]> {
  return inPlace(async (place) => {
    const { local, before } = await crash(place, workload);
    const start = inspectDirectory(before);
    const wal: Wal = { start, chunks: [...readWal(local.directory, start)], before };
    const wal_mb = decodeAll(wal, null).bytes / mebibyte;
    const files = { before, after: local.directory };
    const inMemory_s = await replayOnThreads(files, 1);
    const onTwo_s = await replayOnThreads(files, 2);
    const rounds = Math.max(2, Math.ceil(streamed_mb / wal_mb));
    const streamed = replayInProcess({ ...files, share: { index: 0, of: keptShare }, rounds });
    const recovered_s = await recover(local); // which takes the log away
    const peer = recovered_s === null ? null : wal_mb / recovered_s;
    const mb: Speed = {
      unit: 'MB/s',
      peer,
      note: peer === null ? 'recovery was too short to be timed' : '',
    };
    const figures = [
      ...(await measureStore(place, wal, mb)),
      figure({
        ...mb,
        what: 'decode, redo in memory',
        host: wal_mb / inMemory_s,
        goal: { of: 'ratio', bound: 'min', value: 0.35 },
      }),
      figure({
        ...mb,
        what: 'the same on two threads',
        host: wal_mb / onTwo_s,
        goal: { of: 'ratio', bound: 'min', value: 0.6 },
      }),
      ...memoryFigures(streamed),
    ];
    return figures.map((one) => ({ ...one, what: `${workload.name}: ${one.what}` }));
  });
}

/** What a timeline makes of it: taken in, then every page it changed rebuilt once. */
async function measureStore(place: Place, wal: Wal, mb: Speed): Promise<readonly Figure[]> {
  const { disk, store } = await openStore(place, 'measured', wal.before);
  const keys = touchedKeys(wal);
  await warmUp(place, wal, keys);
  const decode = decodeAll(wal, null);
  const ingest_s = ingestAll(store, wal);
  const redo_s = rebuildAll(store, keys);
  const few = fewRecords(store, keys);
  const few_us = few.map((key) => rebuilt_us(store, key));
  disk.freeze(store.map, store.ingestedLsn, wal.start.lastRecordStart);
  const frozen = store.map.frozen[0]!;
  store.map.frozenWritten(frozen, await disk.writeDelta(frozen));
  const layer_s = rebuildAll(store, keys);
  const wal_mb = decode.bytes / mebibyte;
  const alone = { unit: 'MB/s', peer: null };
  const pages = { unit: 'pages/s', peer: null };
  return [
    figure({
      ...alone,
      what: 'decode',
      host: wal_mb / decode.seconds,
      goal: atLeast(300),
      note: `${wal_mb.toFixed(1)} MB, ${decode.records} records, ${keys.length} pages`,
    }),
    figure({ ...alone, what: 'decode and ingest', host: wal_mb / ingest_s }),
    figure({
      ...mb,
      what: 'decode, ingest, all pages once',
      host: wal_mb / (ingest_s + redo_s),
      goal: atLeast(60),
    }),
    figure({ ...pages, what: 'pages from memory', host: keys.length / redo_s }),
    figure({ ...pages, what: 'pages from a layer file', host: keys.length / layer_s }),
    ...(few.length === 0 ? [] : [fewFigure(few_us)]),
  ];
}

function atLeast(value: number): Goal {
  return { of: 'host', bound: 'min', value };
}

function fewFigure(few_us: readonly number[]): Figure {
  return figure({
    what: `page from an image and ${fewRecordsCount} records, p50`,
    unit: 'us',
    host: median(few_us),
    peer: null,
    goal: { of: 'host', bound: 'max', value: 15 },
    note: `of ${few_us.length}, by the clock`,
  });
}

/** Pages with an image and so many records on it. */
function fewRecords(store: TimelineStore, keys: readonly Key[]): readonly Key[] {
  const reader = new VersionReader();
  const versions = new VersionList();
  return keys.filter((key) => {
    reader.collect(store.map, key, store.ingestedLsn, versions);
    return versions.count === fewRecordsCount + 1 && versions.isPage(fewRecordsCount);
  });
}

function rebuilt_us(store: TimelineStore, key: Key): number {
  const page = new Uint8Array(pageSize);
  const began_ms = performance.now();
  store.readPage(key, store.ingestedLsn, page);
  return (performance.now() - began_ms) * 1_000;
}

function memoryFigures({ bytes, pages, resident_bytes: [settled, last] }: Replayed): Figure[] {
  const mb = { unit: 'MB', peer: null };
  const note = `${Math.round(bytes / mebibyte)} MB of WAL, ${pages} pages kept`;
  return [
    figure({
      ...mb,
      what: 'resident while it streams',
      host: last / mebibyte,
      goal: { of: 'host', bound: 'max', value: 150 },
      note,
    }),
    figure({
      what: 'of what it was after two rounds',
      unit: 'x',
      peer: null,
      host: last / settled,
    }),
  ];
}

/** CPU seconds of the slower of so many threads, each with its share of the pages. */
async function replayOnThreads(
  files: Pick<ReplayTask, 'before' | 'after'>,
  of: number,
): Promise<number> {
  const shares = Array.from({ length: of }, (_, index) => ({ index, of }));
  const tasks = shares.map((share) => replayOnThread({ ...files, share, rounds: 2 }));
  return Math.max(...(await Promise.all(tasks)).map(({ seconds }) => seconds));
}

async function crash(place: Place, { scale, work }: Workload): Promise<Crashed> {
  const local = await LocalPostgres.create(place, { shared_buffers_bytes: 2 ** 29 }, walSettings);
  await prepareLoad(await local.start(), scale);
  await local.stop();
  const before = join(place.folder, 'before');
  cpSync(local.directory, before, { recursive: true });
  await work(place, await local.start());
  await local.crash();
  return { local, before };
}

/** Seconds of CPU redo took, as the server logs them; null when less than their resolution. */
async function recover(local: LocalPostgres): Promise<number | null> {
  await local.start();
  const log = await local.stop();
  const done = log
    .map((line) => /redo done .* user: ([\d.]+) s, system: ([\d.]+) s/.exec(line))
    .find(Boolean);
  if (done === undefined) throw new Error(`no recovery in the log: ${log.join('\n')}`);
  const seconds = Number(done![1]) + Number(done![2]);
  return seconds === 0 ? null : seconds;
}

interface Opened {
  readonly disk: TimelineDisk;
  readonly store: TimelineStore;
}

/** A log, and the directory as it was where the log begins. */
interface Wal {
  readonly start: Start;
  readonly chunks: readonly Uint8Array[];
  readonly before: string;
}

/** All of it once, elsewhere: a page server runs for weeks, and Postgres comes compiled. */
async function warmUp(place: Place, wal: Wal, keys: readonly Key[]): Promise<void> {
  const { store } = await openStore(place, 'warm', wal.before);
  ingestAll(store, wal);
  rebuildAll(store, keys);
}

async function openStore(place: Place, name: string, path: string): Promise<Opened> {
  const {
    startLsn,
    lastRecordStart,
    systemId,
    segment_bytes: segmentSize,
  } = inspectDirectory(path);
  const folder = join(place.folder, name);
  mkdirSync(folder);
  const options = {
    id: '00'.repeat(16),
    number: 1,
    folder,
    major,
    systemId,
    segmentSize,
    ancestor: null,
    import: { path, startLsn, lastRecordStart },
    openLayerMax_bytes: Number.MAX_SAFE_INTEGER,
    imagePagesMin: Number.MAX_SAFE_INTEGER,
    pageCache: allocatePageCache(mebibyte),
  };
  const disk = new TimelineDisk(options);
  place.later(async () => {
    await Promise.resolve();
    disk.close();
  });
  const layers = [await importDirectory(disk, options, path, startLsn)];
  const manifest = disk.save({
    timeline: options.id,
    major,
    systemIdentifier: systemId,
    ancestor: null,
    layers,
    diskConsistentLsn: startLsn,
    lastRecordStart,
    created_ms: 0,
    generation: 1,
  });
  return { disk, store: disk.load(manifest) };
}

interface Decoded {
  readonly seconds: number;
  readonly bytes: number;
  readonly records: number;
}

/** Decodes everything; notes the pages of relations that records name in `keys`, if given. */
function decodeAll({ start, chunks }: Wal, keys: Set<Key> | null): Decoded {
  const used = stopwatch();
  let records = 0;
  const end = forEachRecord(start, chunks, (record) => {
    records += 1;
    if (keys !== null) noteKeys(record, keys);
  });
  return { seconds: used(), bytes: end - start.startLsn, records };
}

/** Pages of relations that records name, in the order in which images of them are made. */
function touchedKeys(wal: Wal): readonly Key[] {
  const keys = new Set<Key>();
  decodeAll(wal, keys);
  return [...keys].sort((a, b) => families.compare(a, b));
}

function noteKeys(record: WalRecord, keys: Set<Key>): void {
  for (let id = 0; id < record.blockCount; id += 1) {
    const { present, tablespace, database, relation, fork, block } = record.blocks[id]!;
    if (!present) continue;
    const family = { kind: keyKinds.relationBlock, tablespace, database, relation, fork };
    keys.add(makeKey(families.idOf(family), block));
  }
}

function ingestAll(store: TimelineStore, { start, chunks }: Wal): number {
  const ingest = new Ingest(major, store);
  const used = stopwatch();
  store.ingestedLsn = forEachRecord(start, chunks, (record) => {
    ingest.record(record);
  });
  return used();
}

function rebuildAll(store: TimelineStore, keys: readonly Key[]): number {
  const page = new Uint8Array(pageSize);
  const used = stopwatch();
  for (const key of keys) store.readPage(key, store.ingestedLsn, page);
  return used();
}
