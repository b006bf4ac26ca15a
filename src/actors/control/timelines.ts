/**
 * Timelines: the actors of every branch's storage on this host, started in order of ancestry: an acceptor
 * on the `wal` thread if it is a member, a timeline and its wal-receiver on the `storage` thread if it keeps
 * a copy of the pages. And the way to those of other hosts.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensure, Failure } from '../../base/failure.ts';
import { lsn, maxLsn, type Lsn } from '../../base/lsn.ts';
import { allMembers, hostOf, memberOn } from '../../consensus/membership.ts';
import { type ObjectStore } from '../../io/object-store.ts';
import { walPageStart } from '../../postgres/wal-page.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { pathOn } from '../../runtime/peers/peer-path.ts';
import {
  type AcceptorDescription,
  type AcceptorMessage,
  type AcceptorOptions,
  type JoinedLog,
} from '../acceptor/protocol.ts';
import { type ArchiverMessage, type ArchiverOptions } from '../archiver/protocol.ts';
import { type ProposerMessage } from '../proposer/protocol.ts';
import { type WalReceiverOptions } from '../wal-receiver/protocol.ts';
import {
  type BranchPoint,
  type TimelineDescription,
  type TimelineImport,
  type TimelineMessage,
  type TimelineOptions,
} from '../timeline/protocol.ts';
import { fetchBirth, fetchFiles, publishBirth, publishFiles, type Birth } from './birth.ts';
import { type StoredWal } from './branch-point.ts';
import { committedPosition } from './committed-position.ts';
import { clearAway } from './clear-away.ts';
import { anyAcceptorPath } from './computes.ts';
import { firstOf } from './first-of.ts';
import { type ImportedDirectory } from './imported-directory.ts';
import { InterimProposer } from './interim-proposer.ts';
import { type ProjectStore } from './project-store.ts';
import { type Branch } from './project.ts';
import { type ControlMessage, type ControlOptions } from './protocol.ts';

/** A member that joins. */
interface Joiner {
  readonly id: string;
  /** How its log is to begin. */
  readonly log: JoinedLog;
  /** Whether it may: not when it may have had a log that is lost. */
  readonly newborn: boolean;
}

/** What all timelines of a project share. */
export interface Cluster {
  readonly major: number;
  readonly systemId: string;
  readonly segment_bytes: number;
}

const limits = { timeout_ms: 60_000 };
/** Longer than a host that lives takes to say where it stands; another one may know as well. */
const quickly = { timeout_ms: 2_000 };
/** Longer than a proposer that lives takes to tell of a commit. */
const soon = { timeout_ms: 1_000 };
/** What an acceptor keeps in its folder. */
const acceptorFiles = ['acceptor.control', 'acceptor.position', 'wal'] as const;
const roles = ['archiver', 'wal-receiver', 'timeline', 'acceptor'] as const;

/**
 * Numbers given out, by every control of this process: the page cache outlives a control that
 * crashes, and must not take the pages of one timeline for those of another.
 */
let timelinesNumbered = 0;
/** A later wait of the same name would take an earlier one's place. */
let waitsNumbered = 0;

export class Timelines {
  readonly #context: Context<ControlMessage>;
  readonly #options: ControlOptions;
  readonly #store: ObjectStore;
  /** Acceptors that run here, by timeline: the ids of their members. */
  readonly #acceptors = new Map<string, string>();
  /** Archivers that run here, by timeline: the copies that they know of. */
  readonly #archivers = new Map<string, readonly string[]>();
  /** Timelines whose pages are kept here. */
  readonly #copies = new Set<string>();

  constructor(context: Context<ControlMessage>, options: ControlOptions, store: ObjectStore) {
    this.#context = context;
    this.#options = options;
    this.#store = store;
  }

  /** Makes the first timeline out of a data directory that `initdb` left. */
  async createRoot(cluster: Cluster, branch: Branch, made: ImportedDirectory): Promise<void> {
    const { startLsn, lastRecordStart, head, path } = made;
    const birth = { startLsn, lastRecordStart, head };
    await publishBirth(this.#store, branch.timeline, birth);
    await this.#startAcceptor(cluster, branch, birth);
    await this.#startCopy(cluster, branch, { path, startLsn, lastRecordStart });
    await this.#keepArchiver(cluster, branch);
    await publishFiles(this.#store, branch.timeline, this.#folder(branch));
  }

  /**
   * Keeps what a branch begins with: its log's first bytes are its ancestor's, from the start of the page the
   * point is in. One small object, whatever the size of what it grows from.
   */
  async publishBranch(ancestor: Branch, timeline: string, point: BranchPoint): Promise<void> {
    const { lsn: startLsn, lastRecordStart } = point;
    const from = walPageStart(startLsn);
    const head = await this.#copyWal(ancestor, from, startLsn - from);
    await publishBirth(this.#store, timeline, { startLsn, lastRecordStart, head });
  }

  /** Makes what this host is to keep of a branch that nobody has heard of yet. */
  async create(cluster: Cluster, branch: Branch): Promise<void> {
    const birth = await fetchBirth(this.#store, branch.timeline);
    await this.#startAcceptor(cluster, branch, birth);
    await this.#ensureCopy(cluster, branch);
    await this.#keepArchiver(cluster, branch);
  }

  /** Starts what this host keeps of a branch; its ancestor's actors run already. */
  async start(cluster: Cluster, branch: Branch): Promise<void> {
    try {
      await this.#startAcceptor(cluster, branch, null);
    } catch (error) {
      this.#bearDamage(branch, error);
    }
    await this.#ensureCopy(cluster, branch);
    await this.#keepArchiver(cluster, branch);
  }

  /** Stops a timeline's actors here and deletes what they kept. */
  async remove(timeline: string): Promise<void> {
    this.#acceptors.delete(timeline);
    this.#archivers.delete(timeline);
    this.#copies.delete(timeline);
    for (const role of roles) await this.#context.stop(this.#context.ref(`${role}/${timeline}`));
    rmSync(this.#folderOf(timeline), { recursive: true, force: true });
  }

  /** After `remove`: the project, and the object store, hear of it. */
  clearAway(projects: ProjectStore, timeline: string): Promise<void> {
    return clearAway(projects, this.#store, { timeline, host: this.#options.host });
  }

  /** As a host says that keeps its pages: this one if it does. */
  describe(branch: Branch): Promise<TimelineDescription> {
    return this.#askCopies(branch, (timeline) =>
      this.#context.ask(timeline, { kind: 'describeTimeline' }, quickly),
    );
  }

  /** The end of everything committed when this was asked. */
  async endOfLog(branch: Branch): Promise<BranchPoint> {
    const at = await this.#committed(branch);
    return this.#askCopies(branch, async (timeline) => {
      await this.#context.ask(timeline, { kind: 'waitForLsn', at, ...limits }, limits);
      const described = await this.#context.ask(timeline, { kind: 'describeTimeline' }, limits);
      return { lsn: described.ingestedLsn, lastRecordStart: described.lastRecordStart };
    });
  }

  /** The WAL a timeline's acceptors keep, for looking up record ends. */
  async storedWal(cluster: Cluster, branch: Branch): Promise<StoredWal> {
    const described = await this.#askAcceptors(branch, (acceptor) =>
      this.#context.ask(acceptor, { kind: 'describeAcceptor' }, quickly),
    );
    return {
      major: cluster.major,
      segmentSize: cluster.segment_bytes,
      firstLsn: described.firstLsn,
      endLsn: maxLsn(described.commitLsn, await this.#committed(branch)),
      read: (from: Lsn, size: number) => this.#copyWal(branch, from, size),
    };
  }

  /** Committed WAL. An acceptor that has not been told of all of it is a little behind, or away. */
  #copyWal(branch: Branch, from: Lsn, size: number): Promise<Uint8Array> {
    return this.#askAcceptors(branch, async (acceptor) => {
      await this.#awaitCommit(acceptor, lsn(from + size));
      const copy = { kind: 'copyWal', from, size } as const;
      return (await this.#context.ask(acceptor, copy, limits)).bytes;
    });
  }

  /** How far an acceptor knows it to be committed once that is `at`. Fails with `ask_timed_out`. */
  async #awaitCommit(acceptor: ActorRef<AcceptorMessage>, at: Lsn): Promise<Lsn> {
    const reader = `control on ${this.#options.host}, ${(waitsNumbered += 1)}`;
    const wait = { kind: 'awaitCommit', at, reader } as const;
    return (await this.#context.ask(acceptor, wait, soon)).commitLsn;
  }

  /** Everything below is committed, and all that was acknowledged before this was asked is below. */
  #committed(branch: Branch): Promise<Lsn> {
    return committedPosition(branch.configuration, {
      proposed: () => this.#proposed(branch),
      members: () => this.#describeMembers(branch),
      hears: (at) => this.#hears(branch, at),
      elect: () => this.#electInterim(branch),
    });
  }

  /** What the proposer says, if one runs. */
  async #proposed({ host, timeline, running }: Branch): Promise<Lsn | 'silent' | 'gone'> {
    if (host === null || !running) return 'gone';
    const path = pathOn(host, this.#options.host, `proposer/${timeline}`);
    const proposer = this.#context.ref<ProposerMessage>(path);
    try {
      const described = await this.#context.ask(proposer, { kind: 'describeProposer' }, quickly);
      const { phase, termStart, commitLsn } = described;
      return phase === 'leading' && commitLsn >= termStart ? commitLsn : 'silent';
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return error.code === 'peer_unreachable' ? 'gone' : 'silent'; // between two runs, or busy
    }
  }

  async #describeMembers(branch: Branch): Promise<readonly AcceptorDescription[]> {
    const known = allMembers(branch.configuration).map((id) => this.describeMember(branch, id));
    return (await Promise.all(known)).filter((one) => one !== null);
  }

  /** Whether any member is told soon that it is committed so far. */
  #hears(branch: Branch, at: Lsn): Promise<boolean> {
    const waits = allMembers(branch.configuration).map(async (id) => {
      const acceptor = this.#context.ref<AcceptorMessage>(this.#acceptorPath(branch, id));
      try {
        return (await this.#awaitCommit(acceptor, at)) >= at;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return false;
      }
    });
    return new Promise((resolve, reject) => {
      for (const wait of waits)
        void wait.then((heard) => {
          if (heard) resolve(true);
        }, reject);
      void Promise.all(waits).then(() => {
        resolve(false);
      }, reject);
    });
  }

  async #electInterim(branch: Branch): Promise<Lsn> {
    const [member] = await this.#describeMembers(branch);
    ensure(member !== undefined, 'quorum_unreachable', { why: 'nobody answers' });
    const { major, systemId, segmentSize, startLsn } = member;
    const identity = { timeline: branch.timeline, major, systemId, segmentSize, startLsn };
    const proposer = new InterimProposer(this.#context, identity, this.#options.hosts);
    try {
      return (await proposer.elect(branch.configuration)).endOfLog;
    } finally {
      await proposer.release();
    }
  }

  /** null when it does not answer. */
  async describeMember(branch: Branch, id: string): Promise<AcceptorDescription | null> {
    const acceptor = this.#context.ref<AcceptorMessage>(this.#acceptorPath(branch, id));
    try {
      return await this.#context.ask(acceptor, { kind: 'describeAcceptor' }, quickly);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return null; // whoever asks needs one of them
    }
  }

  /** How the log of one who joins is to begin, as a member tells. */
  describeLog(branch: Branch, id: string): Promise<JoinedLog> {
    const donor = this.#context.ref<AcceptorMessage>(this.#acceptorPath(branch, id));
    return this.#context.ask(donor, { kind: 'describeLog' }, quickly);
  }

  /** Begins the log of a member that joins on this host. */
  async join(branch: Branch, { id, log, newborn }: Joiner): Promise<void> {
    const acceptor = await this.#runAcceptor(branch, id, newborn);
    await this.#context.ask(acceptor, { kind: 'joinTimeline', to: id, log }, limits);
  }

  /** Deletes the log of a member that is none any more. Another one may live in its place. */
  async leave(branch: Branch, id: string): Promise<void> {
    const { timeline } = branch;
    if (this.#acceptors.get(timeline) === id) await this.#stopAcceptor(timeline);
    const folder = this.#memberFolder(branch, id);
    for (const name of acceptorFiles) rmSync(join(folder, name), { recursive: true, force: true });
    if (folder !== this.#folder(branch)) rmSync(folder, { recursive: true, force: true });
  }

  async #startAcceptor(cluster: Cluster, branch: Branch, birth: Birth | null): Promise<void> {
    const { timeline } = branch;
    const id = memberOn(branch.configuration, this.#options.host);
    if (id === null || this.#acceptors.get(timeline) === id) return;
    const acceptor = await this.#runAcceptor(branch, id, birth !== null);
    if (birth === null) return;
    const { major, systemId, segment_bytes: segmentSize } = cluster;
    const create = { kind: 'createTimeline', ...birth, major, systemId, segmentSize } as const;
    await this.#context.ask(acceptor, create, limits);
  }

  /** A host has one acceptor of a timeline: another member's ends. */
  async #runAcceptor(
    branch: Branch,
    id: string,
    newborn: boolean,
  ): Promise<ActorRef<AcceptorMessage>> {
    const { timeline } = branch;
    await this.#stopAcceptor(timeline);
    const directory = this.#memberFolder(branch, id);
    const archiver = `archiver/${timeline}`;
    const options: AcceptorOptions = { acceptor: id, timeline, newborn, archiver, directory };
    await this.#spawn('acceptor', timeline, options, 'wal');
    this.#acceptors.set(timeline, id);
    return this.#context.ref(`acceptor/${timeline}`);
  }

  async #stopAcceptor(timeline: string): Promise<void> {
    this.#acceptors.delete(timeline);
    this.#archivers.delete(timeline);
    for (const role of ['archiver', 'acceptor'])
      await this.#context.stop(this.#context.ref(`${role}/${timeline}`));
  }

  /** Beside every acceptor there is one, which knows of all copies. */
  async #keepArchiver(cluster: Cluster, branch: Branch): Promise<void> {
    const { timeline } = branch;
    const { host, hosts, objectStore, archiver: settings } = this.#options;
    const member = this.#acceptors.get(timeline);
    if (member === undefined) return;
    const copies = this.#copyPaths(branch);
    const known = this.#archivers.get(timeline);
    if (known?.join() === copies.join()) return;
    this.#archivers.set(timeline, copies);
    if (known !== undefined) {
      const archiver = this.#context.ref<ArchiverMessage>(`archiver/${timeline}`);
      this.#context.tell(archiver, { kind: 'copiesChanged', copies });
      return;
    }
    const { major, segment_bytes: segmentSize } = cluster;
    const acceptor = pathOn(hostOf(member), host, `acceptor/${timeline}`);
    const acceptorPath = anyAcceptorPath(timeline, hosts);
    const options: ArchiverOptions = {
      ...{ timeline, major, segmentSize, member, acceptor, acceptorPath, copies, objectStore },
      ...settings,
    };
    await this.#context.spawn({ behavior: 'archiver', name: timeline, options, thread: null });
  }

  /** One acceptor whose files are damaged is as one that is away: the others have what was committed. */
  #bearDamage({ name, configuration }: Branch, error: unknown): void {
    const others = allMembers(configuration).length > 1;
    if (!others || !(error instanceof Failure) || error.kind !== 'corrupt') throw error;
    const reason = error.message;
    this.#context.log('error', 'control: an acceptor is damaged', { branch: name, reason });
  }

  /** A host that keeps a copy for the first time begins where the timeline began. */
  async #ensureCopy(cluster: Cluster, branch: Branch): Promise<void> {
    const { timeline, copies, ancestor } = branch;
    const { host } = this.#options;
    if (!copies.includes(host) || this.#copies.has(timeline)) return;
    const folder = this.#folder(branch);
    const exists = existsSync(join(folder, 'manifest.json'));
    if (!exists && ancestor === null) await fetchFiles(this.#store, timeline, folder);
    const birth = exists || ancestor === null ? null : await fetchBirth(this.#store, timeline);
    await this.#startCopy(cluster, branch, birth === null ? null : { path: null, ...birth });
  }

  async #startCopy(cluster: Cluster, branch: Branch, from: TimelineImport | null): Promise<void> {
    const { timeline: name } = branch;
    const options: TimelineOptions = {
      id: name,
      number: (timelinesNumbered += 1),
      folder: this.#folder(branch),
      major: cluster.major,
      systemId: cluster.systemId,
      segmentSize: cluster.segment_bytes,
      ancestor: branch.ancestor,
      import: from,
      ...this.#options.timeline,
    };
    await this.#spawn('timeline', name, options, 'storage');
    const receiver: WalReceiverOptions = {
      acceptorPaths: this.acceptorPaths(branch),
      timeline: name,
      timelinePath: `timeline/${name}`,
      control: this.#context.self.path,
      reader: `wal-receiver on ${this.#options.host}`,
      chunkBytesMax: 1_048_576,
      gather_ms: 5,
      wait_ms: 10_000,
      answerTimeout_ms: 60_000,
      retry_ms: 100,
    };
    await this.#spawn('wal-receiver', name, receiver, 'storage');
    this.#copies.add(name);
  }

  /** Asks this host's acceptor, or the others one after the other until one answers. */
  #askAcceptors<T>(
    branch: Branch,
    ask: (acceptor: ActorRef<AcceptorMessage>) => Promise<T>,
  ): Promise<T> {
    return firstOf(this.acceptorPaths(branch), (path) => ask(this.#context.ref(path)));
  }

  #askCopies<T>(
    branch: Branch,
    ask: (timeline: ActorRef<TimelineMessage>) => Promise<T>,
  ): Promise<T> {
    const paths = localFirst(this.#copyPaths(branch));
    return firstOf(paths, (path) => ask(this.#context.ref(path)));
  }

  #copyPaths({ timeline, copies }: Branch): readonly string[] {
    return copies.map((host) => pathOn(host, this.#options.host, `timeline/${timeline}`));
  }

  /**
   * Paths of the acceptors that keep a branch's WAL, or are to: this host's first; those that join behind
   * the others, since they may have nothing yet.
   */
  acceptorPaths(branch: Branch): readonly string[] {
    const paths = allMembers(branch.configuration).map((id) => this.#acceptorPath(branch, id));
    return localFirst([...new Set(paths)]);
  }

  #acceptorPath({ timeline }: Branch, id: string): string {
    return pathOn(hostOf(id), this.#options.host, `acceptor/${timeline}`);
  }

  // four parameters: the fields of a ChildSpec
  async #spawn(behavior: string, name: string, options: object, thread: string): Promise<void> {
    await this.#context.spawn({ behavior, name, options, thread });
  }

  /** A member that joined has a folder of its own: its predecessor's log may still be there. */
  #memberFolder(branch: Branch, id: string): string {
    const folder = this.#folder(branch);
    return id === hostOf(id) ? folder : join(folder, `member-${id}`);
  }

  #folder({ timeline }: Branch): string {
    return this.#folderOf(timeline);
  }

  #folderOf(timeline: string): string {
    return join(this.#options.directory, 'timelines', timeline);
  }
}

function localFirst(paths: readonly string[]): readonly string[] {
  return [...paths].sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
}
