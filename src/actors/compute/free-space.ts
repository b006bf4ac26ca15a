/**
 * FreeSpace: at an orderly end, stores what this run's Postgres knew of free space
 * (docs/decisions/0016-free-space-map-at-stop.md).
 *
 * Postgres does not log its free-space map. So once it has shut down, and before its mount goes, the
 * map's pages that storage lacks are appended to the log, as full-page images.
 */
import { Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { imagesPerRecord, placeImages, type NewImage } from '../../postgres/image-record.ts';
import { ensureMajor } from '../../postgres/major.ts';
import { parseSystemId } from '../../postgres/system-id.ts';
import { walTimelineId } from '../../postgres/wal-page.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { Pool } from '../../runtime/pool.ts';
import { type TimelinePagesOptions } from '../filesystem/protocol.ts';
import { type ProposerMessage } from '../proposer/protocol.ts';
import { type PageReaderMessage, type TimelineMessage } from '../timeline/protocol.ts';
import { type ChangedMapsTasks } from './changed-maps.ts';
import { type ComputeMessage, type ComputeOptions } from './protocol.ts';

/** What of a run is needed, whose Postgres has ended and whose mount and proposer still serve. */
interface EndedRun {
  readonly startLsn: Lsn;
  readonly proposer: ActorRef<ProposerMessage>;
  readonly mountPoint: string;
  readonly pages: TimelinePagesOptions;
  readonly pageReader: ActorRef<PageReaderMessage>;
}

/** One channel of a run, so one thread is enough; without work, none. */
const pool = new Pool<ChangedMapsTasks>({
  tasks: new URL('./changed-maps.ts', import.meta.url),
  threadsMax: 1,
  waitingMax: 64,
  idle_ms: 1_000,
});
/** 16 MiB: a map has a page for 4,000 of its heap, and so these stand for 64 GiB. */
const pagesMax = 2_048;
/** A stop does not wait longer than this for a hint, at any step. */
const limits = { timeout_ms: 10_000 };

/** A map is a hint: that it could not be stored is only logged. */
export async function storeFreeSpace(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: EndedRun,
): Promise<void> {
  try {
    await appendMaps(context, options, run);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.log('warn', 'compute: free-space map not stored', { reason: error.message });
  }
}

async function appendMaps(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: EndedRun,
): Promise<void> {
  const { timeline, channels, bell } = run.pages;
  await context.ask(run.pageReader, { kind: 'serveStoredMaps' }, limits);
  const changed = await pool.run('changedMaps', {
    mountPoint: run.mountPoint,
    major: ensureMajor(options.major),
    timeline,
    channel: channels.at(-1)!,
    bell,
    floor: run.startLsn,
    pagesMax,
  });
  if (changed.length === 0) return;
  if (changed.length === pagesMax) {
    context.log('warn', 'compute: not all of the free-space map stored', { pagesMax });
  }
  await appendImages(context, options, run, changed);
}

/** Appends the images in as many records as they need, behind everything Postgres has sent. */
async function appendImages(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  { proposer }: EndedRun,
  images: readonly NewImage[],
): Promise<void> {
  const { major, segmentSize } = options;
  const systemId = parseSystemId(options.systemId);
  const identity = { major, segmentSize, systemId, timelineId: walTimelineId };
  const { commitLsn: at } = await context.ask(proposer, { kind: 'endStream' }, limits);
  const timeline = context.ref<TimelineMessage>(`timeline/${options.timeline}`);
  await context.ask(timeline, { kind: 'waitForLsn', at, ...limits }, limits);
  const { lastRecordStart } = await context.ask(timeline, { kind: 'describeTimeline' }, limits);
  let begin = at;
  let previous = lastRecordStart;
  for (let first = 0; first < images.length; first += imagesPerRecord) {
    const some = images.slice(first, first + imagesPerRecord);
    const wal = placeImages(identity, begin, previous, some);
    await context.ask(proposer, { kind: 'appendRecord', begin, bytes: wal.bytes }, limits);
    begin = wal.end;
    previous = wal.start;
  }
}
