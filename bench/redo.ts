/**
 * How fast is WAL taken in, and made into pages, on one thread? Beside Postgres's recovery from a
 * crash with the same WAL.
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
import { figure, type Report, type Size } from './harness.ts';
import { driverFor, prepareLoad, runLoad } from './load.ts';
import { LocalPostgres } from './local-postgres.ts';
import { inPlace, type Place } from './place.ts';

const mebibyte = 2 ** 20;
const major = ensureMajor(defaultConfig.postgres_major);

/** A crashed server's WAL, and a copy of its directory as it was where that WAL begins. */
interface Crashed {
  readonly local: LocalPostgres;
  readonly before: string;
}

export function measureRedo(size: Size): Promise<Report> {
  const { scale, seconds } =
    size === 'full' ? { scale: 10, seconds: 25 } : { scale: 1, seconds: 0.3 };
  return inPlace(async (place) => {
    const { local, before } = await crash(place, scale, seconds);
    const start = inspectDirectory(before);
    const chunks = [...readWal(local.directory, start)];
    const recovered_s = await recover(local);

    const replay = await openStore(place, before);
    const decode = decodeAll(start, chunks, null);
    const keys = new Set<Key>();
    decodeAll(start, chunks, keys);
    const ingest_s = ingestAll(replay, start, chunks);
    const redo_s = rebuildAll(replay, keys);
    const wal_mb = decode.bytes / mebibyte;
    return {
      question: 'WAL taken in and made into pages, on one thread',
      settings: {
        driver: driverFor(seconds),
        load: `TPC-B, scale ${scale}, full_page_writes off`,
        wal: `${wal_mb.toFixed(1)} MB, ${decode.records} records`,
        pages: keys.size,
      },
      figures: [
        figure({ what: 'decode', unit: 'MB/s', host: wal_mb / decode.seconds, peer: null }),
        figure({ what: 'decode and ingest', unit: 'MB/s', host: wal_mb / ingest_s, peer: null }),
        figure({
          what: 'decode, ingest, all pages once',
          unit: 'MB/s',
          host: wal_mb / (ingest_s + redo_s),
          peer: recovered_s === null ? null : wal_mb / recovered_s,
          goal: { of: 'host', bound: 'min', value: 60 },
          note: recovered_s === null ? 'recovery was too short to be timed' : '',
        }),
        figure({ what: 'redo', unit: 'pages/s', host: keys.size / redo_s, peer: null }),
      ],
    };
  });
}

async function crash(place: Place, scale: number, seconds: number): Promise<Crashed> {
  const noCheckpoints = { max_wal_size: '64GB', checkpoint_timeout: '1d', autovacuum: 'off' };
  const settings = { ...noCheckpoints, full_page_writes: 'off', wal_recycle: 'off' };
  const local = await LocalPostgres.create(place, { shared_buffers_bytes: 2 ** 29 }, settings);
  await prepareLoad(await local.start(), scale);
  await local.stop();
  const before = join(place.folder, 'before');
  cpSync(local.directory, before, { recursive: true });
  const server = await local.start();
  await runLoad(place, server, { script: 'tpcb', clients: 4, scale, seconds });
  await local.crash();
  return { local, before };
}

/** Seconds of redo, as the server logs them; null when it took less than their resolution. */
async function recover(local: LocalPostgres): Promise<number | null> {
  await local.start();
  const log = await local.stop();
  const done = log.map((line) => /redo done .* elapsed: ([\d.]+) s/.exec(line)).find(Boolean);
  if (done === undefined) throw new Error(`no recovery in the log: ${log.join('\n')}`);
  const seconds = Number(done![1]);
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

async function openStore(place: Place, path: string): Promise<TimelineStore> {
  const {
    startLsn,
    lastRecordStart,
    systemId,
    segment_bytes: segmentSize,
  } = inspectDirectory(path);
  const folder = join(place.folder, 'timeline');
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
    pageCache: allocatePageCache(mebibyte),
  };
  const disk = new TimelineDisk(options);
  place.later(async () => {
    await Promise.resolve();
    disk.close();
  });
  const layers = [await importDirectory(disk, options, path, startLsn)];
  return disk.load(
    disk.save({
      timeline: options.id,
      major,
      systemIdentifier: systemId,
      ancestor: null,
      layers,
      diskConsistentLsn: startLsn,
      lastRecordStart,
      created_ms: 0,
      generation: 1,
    }),
  );
}

interface Decoded {
  readonly seconds: number;
  readonly bytes: number;
  readonly records: number;
}

/** Decodes everything; notes the pages of relations that records name in `keys`, if given. */
function decodeAll(start: Start, chunks: readonly Uint8Array[], keys: Set<Key> | null): Decoded {
  const began_ms = performance.now();
  let records = 0;
  const end = forEachRecord(start, chunks, (record) => {
    records += 1;
    if (keys !== null) noteKeys(record, keys);
  });
  return { seconds: since_s(began_ms), bytes: end - start.startLsn, records };
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
  const began_ms = performance.now();
  store.ingestedLsn = forEachRecord(start, chunks, (record) => {
    ingest.record(record);
  });
  return since_s(began_ms);
}

function rebuildAll(store: TimelineStore, keys: ReadonlySet<Key>): number {
  const page = new Uint8Array(pageSize);
  const began_ms = performance.now();
  for (const key of keys) store.readPage(key, store.ingestedLsn, page);
  return since_s(began_ms);
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

function since_s(began_ms: number): number {
  return (performance.now() - began_ms) / 1_000;
}
