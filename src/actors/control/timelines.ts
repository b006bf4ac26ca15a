/**
 * Timelines: the actors of every branch's storage, started in order of ancestry: an acceptor on the
 * `wal` thread, a timeline and its wal-receiver on the `storage` thread.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Lsn } from '../../base/lsn.ts';
import { walPageStart } from '../../postgres/wal-page.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { type AcceptorMessage, type AcceptorOptions } from '../acceptor/protocol.ts';
import { type WalReceiverOptions } from '../wal-receiver/protocol.ts';
import { type TimelineOptions, type TimelineImport } from '../timeline/protocol.ts';
import {
  type BranchPoint,
  type TimelineDescription,
  type TimelineMessage,
} from '../timeline/protocol.ts';
import { type StoredWal } from './branch-point.ts';
import { type ImportedDirectory } from './imported-directory.ts';
import { type Branch, type Project } from './project.ts';
import { type ControlMessage, type ControlOptions } from './protocol.ts';

/** How a timeline begins: the log's first bytes, and the state they follow on. */
interface Birth {
  /** From the start of the first page up to where the log begins. */
  readonly head: Uint8Array;
  readonly from: TimelineImport;
}

const limits = { timeout_ms: 60_000 };

/**
 * Numbers given out, by every control of this process: the page cache outlives a control that
 * crashes, and must not take the pages of one timeline for those of another.
 */
let timelinesNumbered = 0;

export class Timelines {
  readonly #context: Context<ControlMessage>;
  readonly #options: ControlOptions;

  constructor(context: Context<ControlMessage>, options: ControlOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Makes the first timeline out of a data directory that `initdb` left. */
  createRoot(project: Project, branch: Branch, made: ImportedDirectory): Promise<void> {
    const { startLsn, lastRecordStart, head, path } = made;
    return this.start(project, branch, { head, from: { path, startLsn, lastRecordStart } });
  }

  /**
   * Makes a branch's timeline: one small folder, whatever the size of what it grows from. Its log begins
   * with its ancestor's bytes, from the start of the page the point is in.
   */
  async createBranch(project: Project, branch: Branch, point: BranchPoint): Promise<void> {
    const { lsn: startLsn, lastRecordStart } = point;
    const from = walPageStart(startLsn);
    const ancestor = this.#acceptor(branch.ancestor!.timeline);
    const copy = { kind: 'copyWal', from, size: startLsn - from } as const;
    const { bytes: head } = await this.#context.ask(ancestor, copy, limits);
    await this.start(project, branch, { head, from: { path: null, startLsn, lastRecordStart } });
  }

  /** Starts the actors of a timeline; its ancestor's run already. `birth` is null for one that exists. */
  async start(project: Project, branch: Branch, birth: Birth | null): Promise<void> {
    const { timeline: name } = branch;
    const directory = this.#folder(branch);
    const acceptor: AcceptorOptions = { acceptor: 'host', timeline: name, directory };
    await this.#spawn('acceptor', name, acceptor, 'wal');
    if (birth !== null) await this.#beginLog(project, branch, birth);
    const options: TimelineOptions = {
      id: name,
      number: (timelinesNumbered += 1),
      folder: directory,
      major: project.major,
      systemId: project.systemId,
      segmentSize: project.segment_bytes,
      ancestor: branch.ancestor,
      import: birth?.from ?? null,
      ...this.#options.timeline,
    };
    await this.#spawn('timeline', name, options, 'storage');
    const receiver: WalReceiverOptions = {
      acceptorPath: `acceptor/${name}`,
      timelinePath: `timeline/${name}`,
      chunkBytesMax: 1_048_576,
      gather_ms: 2,
      reader: 'host',
      wait_ms: 60_000,
      answerTimeout_ms: 60_000,
      retry_ms: 100,
    };
    await this.#spawn('wal-receiver', name, receiver, 'storage');
  }

  /** Stops a timeline's actors and deletes what they kept. */
  async remove(branch: Branch): Promise<void> {
    for (const role of ['wal-receiver', 'timeline', 'acceptor']) {
      await this.#context.stop(this.#context.ref(`${role}/${branch.timeline}`));
    }
    rmSync(this.#folder(branch), { recursive: true, force: true });
  }

  describe(timeline: string): Promise<TimelineDescription> {
    return this.#context.ask(this.#timeline(timeline), { kind: 'describeTimeline' }, limits);
  }

  /** The end of everything committed when this was asked. */
  async endOfLog(timeline: string): Promise<BranchPoint> {
    const acceptor = this.#acceptor(timeline);
    const { commitLsn } = await this.#context.ask(acceptor, { kind: 'describeAcceptor' }, limits);
    const wait = { kind: 'waitForLsn', at: commitLsn, ...limits } as const;
    await this.#context.ask(this.#timeline(timeline), wait, limits);
    const { ingestedLsn, lastRecordStart } = await this.describe(timeline);
    return { lsn: ingestedLsn, lastRecordStart };
  }

  /** The WAL a timeline's acceptor keeps, for looking up record ends. */
  async storedWal(project: Project, timeline: string): Promise<StoredWal> {
    const acceptor = this.#acceptor(timeline);
    const described = await this.#context.ask(acceptor, { kind: 'describeAcceptor' }, limits);
    return {
      major: project.major,
      segmentSize: project.segment_bytes,
      firstLsn: described.firstLsn,
      endLsn: described.commitLsn,
      read: async (from: Lsn, size: number) => {
        const copied = this.#context.ask(acceptor, { kind: 'copyWal', from, size }, limits);
        return (await copied).bytes;
      },
    };
  }

  async #beginLog(project: Project, branch: Branch, { head, from }: Birth): Promise<void> {
    const { startLsn, lastRecordStart } = from;
    const { major, systemId, segment_bytes: segmentSize } = project;
    const log = { startLsn, lastRecordStart, major, systemId, segmentSize, head };
    const acceptor = this.#acceptor(branch.timeline);
    await this.#context.ask(acceptor, { kind: 'createTimeline', ...log }, limits);
  }

  // four parameters: the fields of a ChildSpec
  async #spawn(behavior: string, name: string, options: object, thread: string): Promise<void> {
    await this.#context.spawn({ behavior, name, options, thread });
  }

  #folder(branch: Branch): string {
    return join(this.#options.directory, 'timelines', branch.timeline);
  }

  #acceptor(timeline: string): ActorRef<AcceptorMessage> {
    return this.#context.ref(`acceptor/${timeline}`);
  }

  #timeline(timeline: string): ActorRef<TimelineMessage> {
    return this.#context.ref(`timeline/${timeline}`);
  }
}
