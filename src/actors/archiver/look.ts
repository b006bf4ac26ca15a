/**
 * Look: one pass over a timeline's log: stores what is committed and not archived, compares what others
 * have stored, and has the acceptor remove what may go.
 *
 * Every archiver compares every whole segment with its own acceptor's bytes, whoever stored it, before its
 * acceptor removes them: nobody has to believe another, and bytes that rot are found while others have them.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, lsn, lsnZero, type Lsn } from '../../base/lsn.ts';
import { allMembers, hostOf } from '../../consensus/membership.ts';
import { WalReader } from '../../postgres/wal-reader.ts';
import { WalRecord } from '../../postgres/wal-record.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { type AcceptorDescription, type AcceptorMessage } from '../acceptor/protocol.ts';
import { type TimelineMessage } from '../timeline/protocol.ts';
import { type Archive } from './archive.ts';
import {
  archivedAtLeast,
  isTurnOf,
  lastPartial,
  nextWhole,
  removalFloor,
  type SeenMember,
  type SegmentSpan,
} from './archive-plan.ts';
import { type ArchiverMessage, type ArchiverOptions } from './protocol.ts';

/** What is remembered from one look to the next. */
export interface Progress {
  /** Whole segments below are stored and were compared. */
  archivedLsn: Lsn;
  /** End of the partial segment stored last. */
  partialLsn: Lsn;
  commitLsn: Lsn;
  /** When more was committed last, monotonic. */
  moved_ms: number;
  /** Looks in a row at which a segment was another one's to store, and was not there. */
  waits: number;
  copies: readonly string[];
}

/** Does some work once few enough others are at theirs. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

export interface LookParts {
  readonly context: Context<ArchiverMessage>;
  readonly options: ArchiverOptions;
  readonly archive: Archive;
  /** Whoever holds a segment in memory has a turn. */
  readonly turns: Turns;
  readonly progress: Progress;
}

const limits = { timeout_ms: 60_000 };
/** Longer than a host that lives takes to say where it stands. */
const quickly = { timeout_ms: 2_000 };
const copyBytes = 1_048_576;
/** In one look, while no more than so much waits. */
const paceMax_bytes = 16 * 2 ** 20;
const backlogMax_bytes = 2 ** 30;
/** Whose turn it is may never take it: its store may be away, its archiver halted. */
const waitsMax = 20;

/** Whether the acceptor rests now, and nothing is left to do before something is appended. */
export async function look(parts: LookParts): Promise<boolean> {
  const { context, options, progress } = parts;
  const log = await context.ask(acceptorOf(parts), { kind: 'describeAcceptor' }, limits);
  const { acceptor, created, commitLsn } = log;
  ensure(created, 'acceptor_missing', { acceptor, timeline: options.timeline });
  const now_ms = context.clock.monotonic_ms();
  if (commitLsn !== progress.commitLsn) progress.moved_ms = now_ms;
  progress.commitLsn = commitLsn;
  progress.archivedLsn = archivedAtLeast(progress.archivedLsn, log.keptLsn);
  if (!(await storeWhole(parts, log))) return false;
  if (now_ms - progress.moved_ms < options.idle_ms) return false;
  await storePartial(parts, log);
  const rest = { kind: 'rest', commitLsn } as const;
  return (await context.ask(acceptorOf(parts), rest, limits)).resting;
}

/**
 * Whether all whole segments are archived; each is removed, if it may be, before the next is stored. A look
 * stores no more than a little, or commits would be slow as long as much is written.
 */
async function storeWhole(parts: LookParts, log: AcceptorDescription): Promise<boolean> {
  const { progress, options } = parts;
  const { segmentSize } = options;
  let { keptLsn } = log;
  for (let stored_bytes = 0; ;) {
    keptLsn = await remove(parts, keptLsn);
    const span = nextWhole({ ...progress, segmentSize });
    if (span === null) return true;
    const hurries = progress.commitLsn - progress.archivedLsn > backlogMax_bytes;
    if (stored_bytes >= paceMax_bytes && !hurries) return false;
    if (!(await store(parts, log, span))) return false;
    progress.archivedLsn = span.end;
    stored_bytes += span.end - span.begin;
  }
}

async function storePartial(parts: LookParts, log: AcceptorDescription): Promise<void> {
  const { progress, options } = parts;
  const span = lastPartial({ ...progress, segmentSize: options.segmentSize });
  const isNews = span !== null && span.end > progress.partialLsn && span.end > log.startLsn;
  if (!isNews) return;
  if (await store(parts, log, span)) progress.partialLsn = span.end;
  progress.waits = 0; // nobody waits for a part: the whole comes, or nothing
}

/** False when it is another member's turn. Fails with `archive_differs`, and as the store does. */
async function store(
  parts: LookParts,
  log: AcceptorDescription,
  span: SegmentSpan,
): Promise<boolean> {
  const { archive, progress, turns } = parts;
  if (!(await turns(() => isStored(parts, span)))) {
    const ours = progress.waits >= waitsMax || (await isOurTurn(parts, log, span.end));
    progress.waits = ours ? 0 : progress.waits + 1;
    if (!ours) return false;
    await turns(() => storeOwn(parts, span));
  }
  progress.waits = 0;
  await archive.removePartials(span);
  return true;
}

/** Whether somebody has stored it; then it is compared. */
async function isStored(parts: LookParts, span: SegmentSpan): Promise<boolean> {
  const found = await parts.archive.find(span);
  if (found !== null) await ensureOwn(parts, span, found);
  return found !== null;
}

async function storeOwn(parts: LookParts, span: SegmentSpan): Promise<void> {
  const { archive } = parts;
  const own = await checkedWal(parts, span);
  await archive.put(span, own);
  const stored = await archive.find(span);
  ensure(stored !== null, 'store_unavailable', { end: formatLsn(span.end), reason: 'not there' });
  ensureSame(parts, span, { found: stored, at: span.begin, own });
}

async function isOurTurn(
  { context, options }: LookParts,
  { configuration }: AcceptorDescription,
  end: Lsn,
): Promise<boolean> {
  const before = allMembers(configuration).filter((id) => id < options.member);
  const seen = before.map(async (id): Promise<SeenMember> => {
    const path = options.acceptorPath.replaceAll('{host}', hostOf(id)).replaceAll('{member}', id);
    const acceptor = context.ref<AcceptorMessage>(path);
    try {
      return { id, ...(await context.ask(acceptor, { kind: 'describeAcceptor' }, quickly)) };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { id, commitLsn: null }; // it is away: somebody else takes its turn
    }
  });
  return isTurnOf(options.member, end, await Promise.all(seen));
}

/** The acceptor's bytes of a stretch, framed once more: what has rotted is not stored. */
async function checkedWal(parts: LookParts, { begin, end }: SegmentSpan): Promise<Uint8Array> {
  const { major, segmentSize } = parts.options;
  const bytes = new Uint8Array(end - begin);
  const reader = new WalReader(begin, { major, segmentSize, seek: true });
  const record = new WalRecord();
  for await (const { at, piece } of ownWal(parts, begin, end)) {
    bytes.set(piece, at - begin);
    reader.push(piece);
    while (reader.next(record)); // only the checks matter
  }
  return bytes;
}

/** What is stored is what the acceptor has. A piece at a time: a segment may be large. */
async function ensureOwn(parts: LookParts, span: SegmentSpan, found: Uint8Array): Promise<void> {
  for await (const { at, piece: own } of ownWal(parts, span.begin, span.end))
    ensureSame(parts, span, { found, at, own });
}

interface Compared {
  /** All of the segment that is stored. */
  readonly found: Uint8Array;
  /** The acceptor's, from there on. */
  readonly at: Lsn;
  readonly own: Uint8Array;
}

function ensureSame(
  { options }: LookParts,
  { begin, end }: SegmentSpan,
  { found, at, own }: Compared,
): void {
  const from = at - begin;
  const isWhole = found.length === end - begin;
  const same = isWhole && Buffer.compare(own, found.subarray(from, from + own.length)) === 0;
  ensure(same, 'archive_differs', {
    timeline: options.timeline,
    begin: formatLsn(begin),
    end: formatLsn(end),
    at: formatLsn(at),
    size: found.length,
  });
}

async function* ownWal(
  parts: LookParts,
  begin: Lsn,
  end: Lsn,
): AsyncGenerator<{ readonly at: Lsn; readonly piece: Uint8Array }> {
  for (let at = begin; at < end;) {
    const size = Math.min(copyBytes, end - at);
    const copy = { kind: 'copyWal', from: at, size } as const;
    const { bytes: piece } = await parts.context.ask(acceptorOf(parts), copy, limits);
    ensure(piece.length === size, 'acceptor_wal_damaged', { at: formatLsn(at) });
    yield { at, piece };
    at = lsn(at + size);
  }
}

/** Has the acceptor remove what may go. Returns the oldest WAL that it keeps. */
async function remove(parts: LookParts, keptLsn: Lsn): Promise<Lsn> {
  const { context, options, progress } = parts;
  const { segmentSize, keep_bytes } = options;
  const log = { ...progress, segmentSize };
  if (removalFloor(log, keep_bytes, []) <= keptLsn) return keptLsn;
  const durable = await Promise.all(progress.copies.map((path) => durableAt(context, path)));
  const below = removalFloor(log, keep_bytes, durable);
  if (below <= keptLsn) return keptLsn;
  const removeWal = { kind: 'removeWal', below } as const;
  return (await context.ask(acceptorOf(parts), removeWal, limits)).keptLsn;
}

/** What a copy of the pages has on its own disk. One that is away is waited for: it has nothing. */
async function durableAt(context: Context<ArchiverMessage>, path: string): Promise<Lsn> {
  const timeline = context.ref<TimelineMessage>(path);
  try {
    const { diskConsistentLsn } = await context.ask(
      timeline,
      { kind: 'describeTimeline' },
      quickly,
    );
    return diskConsistentLsn;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return lsnZero;
  }
}

function acceptorOf({ context, options }: LookParts): ActorRef<AcceptorMessage> {
  return context.ref(options.acceptor);
}
