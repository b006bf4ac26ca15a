/**
 * How fast is WAL taken in, and made into pages, on one thread? Beside Postgres's recovery from a
 * crash with the same WAL. Time is that of the CPU, so that a busy machine changes it little.
 */
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspectDirectory } from '../src/actors/control/imported-directory.ts';
import { TimelineDisk } from '../src/actors/timeline/disk.ts';
import { importDirectory } from '../src/actors/timeline/import-directory.ts';
import { families } from '../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../src/actors/timeline/store.ts';
import { keyKinds, makeKey, type Key } from '../src/base/key.ts';
import { defaultConfig } from '../src/config.ts';
import { Ingest } from '../src/postgres/ingest/ingest.ts';
import { ensureMajor } from '../src/postgres/major.ts';
import { pageSize } from '../src/postgres/page.ts';
import { segmentName, segmentNumber, segmentOffset } from '../src/postgres/wal-page.ts';
import { WalReader } from '../src/postgres/wal-reader.ts';
import { decodeRecord, WalRecord } from '../src/postgres/wal-record.ts';
import { allocatePageCache } from '../src/runtime/page-cache.ts';
import { figure, type Figure, type Report, type Size } from './harness.ts';
import { driverFor, prepareLoad, runLoad } from './load.ts';
import { LocalPostgres, type Settings } from './local-postgres.ts';
import { inPlace, type Place } from './place.ts';
import { sql, type Server } from './server.ts';

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

interface Workload {
  readonly name: string;
  readonly scale: number;
  readonly work: Work;
}

export async function measureRedo(size: Size): Promise<Report> {
  const seconds = size === 'full' ? 20 : 0.3;
  const scale = size === 'full' ? 10 : 1;
  const rows = size === 'full' ? 2_000_000 : 10_000;
  const load = { script: 'tpcb', clients: 4, scale, seconds } as const;
  const insert = `insert into commits (text) select 'row ' || i from generate_series(1, ${rows}) i`;
  const workloads: readonly Workload[] = [
    { name: 'TPC-B', scale, work: (place, server) => runLoad(place, server, load) },
    { name: 'bulk insert', scale: 1, work: (_, server) => sql(server, insert) },
  ];
  const figures: Figure[] = [];
  for (const workload of workloads) figures.push(...(await replay(workload)));
  return {
    question: 'WAL taken in and made into pages, on one thread',
    settings: {
      time: 'of CPU, one thread, warm',
      pages: 'in the order of their keys',
      driver: driverFor(seconds),
      scale,
      rows,
      ...walSettings,
    },
    figures,
  };
}

function replay(workload: Workload): Promise<readonly Figure[]> {
  return inPlace(async (place) => {
    const { local, before } = await crash(place, workload);
    const start = inspectDirectory(before);
    const chunks = [...readWal(local.directory, start)];
    const recovered_s = await recover(local);
    const { disk, store } = await openStore(place, 'measured', before);
    const keys = touchedKeys(start, chunks);
    await warmUp(place, before, { start, chunks, keys });
    const decode = decodeAll(start, chunks, null);
    const ingest_s = ingestAll(store, start, chunks);
    const redo_s = rebuildAll(store, keys);
    disk.freeze(store.map, store.ingestedLsn, start.lastRecordStart);
    const frozen = store.map.frozen[0]!;
    store.map.frozenWritten(frozen, await disk.writeDelta(frozen));
    const layer_s = rebuildAll(store, keys);
    const wal_mb = decode.bytes / mebibyte;
    const { name } = workload;
    const amount = `${wal_mb.toFixed(1)} MB, ${decode.records} records, ${keys.length} pages`;
    const mb = { unit: 'MB/s', peer: null };
    const perSecond = { unit: 'pages/s', peer: null };
    return [
      figure({ ...mb, what: `${name}: decode`, host: wal_mb / decode.seconds, note: amount }),
      figure({ ...mb, what: `${name}: decode and ingest`, host: wal_mb / ingest_s }),
      figure({
        what: `${name}: decode, ingest, all pages once`,
        unit: 'MB/s',
        host: wal_mb / (ingest_s + redo_s),
        peer: recovered_s === null ? null : wal_mb / recovered_s,
        goal: { of: 'host', bound: 'min', value: 60 },
        note: recovered_s === null ? 'recovery was too short to be timed' : '',
      }),
      figure({ ...perSecond, what: `${name}: pages from memory`, host: keys.length / redo_s }),
      figure({
        ...perSecond,
        what: `${name}: pages from a layer file`,
        host: keys.length / layer_s,
      }),
    ];
  });
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

type Start = ReturnType<typeof inspectDirectory>;

/** From where the copy's log ends, a segment at a time. */
function* readWal(directory: string, { startLsn, segment_bytes }: Start): Generator<Uint8Array> {
  let number = segmentNumber(startLsn, segment_bytes);
  let skip = segmentOffset(startLsn, segment_bytes);
  for (; ; number += 1, skip = 0) {
    const path = join(directory, 'pg_wal', segmentName(number, segment_bytes));
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch {
      return; // the last segment there is
    }
    yield bytes.subarray(skip);
  }
}

interface Opened {
  readonly disk: TimelineDisk;
  readonly store: TimelineStore;
}

interface Wal {
  readonly start: Start;
  readonly chunks: readonly Uint8Array[];
  readonly keys: readonly Key[];
}

/** All of it once, elsewhere: a page server runs for weeks, and Postgres comes compiled. */
async function warmUp(place: Place, before: string, { start, chunks, keys }: Wal): Promise<void> {
  const { store } = await openStore(place, 'warm', before);
  ingestAll(store, start, chunks);
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
function decodeAll(start: Start, chunks: readonly Uint8Array[], keys: Set<Key> | null): Decoded {
  const used = stopwatch();
  let records = 0;
  const end = forEachRecord(start, chunks, (record) => {
    records += 1;
    if (keys !== null) noteKeys(record, keys);
  });
  return { seconds: used(), bytes: end - start.startLsn, records };
}

/** Pages of relations that records name, in the order in which images of them are made. */
function touchedKeys(start: Start, chunks: readonly Uint8Array[]): readonly Key[] {
  const keys = new Set<Key>();
  decodeAll(start, chunks, keys);
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

function ingestAll(store: TimelineStore, start: Start, chunks: readonly Uint8Array[]): number {
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

/** The end of the last record. */
function forEachRecord(
  { startLsn, lastRecordStart, segment_bytes: segmentSize }: Start,
  chunks: readonly Uint8Array[],
  visit: (record: WalRecord) => void,
): Start['startLsn'] {
  const options = { major, segmentSize, previous: lastRecordStart, trusted: true };
  const reader = new WalReader(startLsn, options);
  const record = new WalRecord();
  let end = startLsn;
  for (const chunk of chunks) {
    reader.push(chunk);
    while (reader.next(record)) {
      decodeRecord(record, major);
      visit(record);
      end = reader.recordEnd;
    }
  }
  return end;
}

/**
 * Seconds of CPU this thread uses from now on. The kernel counts them in ticks: work that is over
 * within one is told by the clock instead.
 */
function stopwatch(): () => number {
  const began_ms = performance.now();
  const before = used_s();
  return () => {
    const cpu_s = used_s() - before;
    return cpu_s > 0 ? cpu_s : (performance.now() - began_ms) / 1_000;
  };
}

function used_s(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
