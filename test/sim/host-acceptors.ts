/**
 * HostAcceptors: the acceptor of a simulated host, which is that of one member at a time, each with a
 * folder of its own. What `Timelines` does for a real host, on a simulated disk.
 */
import { ensure, Failure } from '../../src/base/failure.ts';
import {
  type AcceptorDescription,
  type AcceptorMessage,
  type AcceptorOptions,
  type JoinedLog,
} from '../../src/actors/acceptor/protocol.ts';
import { type ArchiverOptions } from '../../src/actors/archiver/protocol.ts';
import { type MembersParts } from '../../src/actors/control/members.ts';
import { type ControlMessage } from '../../src/actors/control/protocol.ts';
import { type TimelineDescription } from '../../src/actors/timeline/protocol.ts';
import { hostOf } from '../../src/consensus/membership.ts';
import { type ActorRef, type Context } from '../../src/runtime/actor.ts';
import { birth, identity, start, timeline } from './setting.ts';
import { type SimulatedDisk } from './simulated-disk.ts';

/** Where an acceptor lives. */
export interface AcceptorHome {
  readonly host: string;
  readonly disk: SimulatedDisk;
  /** Its bytes were changed behind its back: it need not start. */
  readonly isDamaged: () => boolean;
  /** Timelines that ingest the log; null when nothing is archived. */
  readonly copies: readonly string[] | null;
  /** It did not start although nothing was done to it. */
  readonly failedToStart: (failure: Failure) => void;
}

const limits = { timeout_ms: 2_000 };

export class HostAcceptors implements Pick<
  MembersParts['timelines'],
  'join' | 'leave' | 'describe' | 'describeMember' | 'describeLog'
> {
  readonly #context: Context<ControlMessage>;
  readonly #home: AcceptorHome;
  #running: string | null = null;

  constructor(context: Context<ControlMessage>, home: AcceptorHome) {
    this.#context = context;
    this.#home = home;
  }

  /**
   * Runs this member's acceptor, which is to have its log already, unless it is born now. It does not run
   * when this fails: with `thread_died` when its thread was away, with `disk_full` until there is room.
   */
  async keep(id: string, isBorn: boolean): Promise<void> {
    const { disk, isDamaged, failedToStart } = this.#home;
    if (this.#running === id) return;
    try {
      const acceptor = await this.#run(id, isBorn);
      const { major, systemId, segmentSize } = identity;
      const create = { kind: 'createTimeline', ...birth, major, systemId, segmentSize } as const;
      if (isBorn) await this.#context.ask(acceptor, create, limits);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code === 'thread_died' || error.code === 'disk_full') {
        this.#running = null;
        throw error;
      }
      const expected = disk.fails || isDamaged() || error.code === 'actor_stopped';
      if (!expected) failedToStart(error);
    }
  }

  describeLog(_branch: unknown, id: string): Promise<JoinedLog> {
    return this.#context.ask(this.#acceptorOf(id), { kind: 'describeLog' }, limits);
  }

  async join(
    _branch: unknown,
    joiner: { readonly id: string; readonly log: JoinedLog; readonly newborn: boolean },
  ): Promise<void> {
    const { id, log, newborn } = joiner;
    const acceptor = await this.#run(id, newborn);
    await this.#context.ask(acceptor, { kind: 'joinTimeline', to: id, log }, limits);
  }

  async leave(_branch: unknown, id: string): Promise<void> {
    if (this.#running === id) await this.#stop();
    const { host, disk } = this.#home;
    const folder = folderOf(id, host);
    for (const each of [folder, `${folder}/wal`])
      for (const name of disk.list(each)) disk.remove(`${each}/${name}`);
  }

  describe(): Promise<TimelineDescription> {
    return Promise.resolve({ startLsn: start } as TimelineDescription);
  }

  async describeMember(_branch: unknown, id: string): Promise<AcceptorDescription | null> {
    return this.#context.ask(this.#acceptorOf(id), { kind: 'describeAcceptor' }, limits);
  }

  async #run(id: string, newborn: boolean): Promise<ActorRef<AcceptorMessage>> {
    const { host, copies } = this.#home;
    ensure(hostOf(id) === host, 'acceptor_of_another_member', { own: host, asked: id });
    await this.#stop();
    const archiver = copies === null ? null : `archiver/${host}`;
    const options: AcceptorOptions = {
      ...{ acceptor: id, timeline, newborn, archiver, directory: folderOf(id, host) },
    };
    const thread = `wal-${host}`;
    await this.#context.spawn({ behavior: `acceptor-${host}`, name: timeline, options, thread });
    this.#running = id;
    if (copies !== null) await this.#archive(id, copies);
    return this.#acceptorOf(id);
  }

  async #archive(member: string, copies: readonly string[]): Promise<void> {
    const { host } = this.#home;
    const { major, segmentSize } = identity;
    const options: ArchiverOptions = {
      ...{ timeline, major, segmentSize, member, copies },
      ...{ keep_bytes: 65_536, look_ms: 50, idle_ms: 300, objectStore: host },
      acceptor: `acceptor-${host}/${timeline}`,
      acceptorPath: `acceptor-{host}/${timeline}`,
    };
    const thread = `main-${host}`;
    await this.#context.spawn({ behavior: 'archiver', name: host, options, thread });
  }

  async #stop(): Promise<void> {
    this.#running = null;
    await this.#context.stop(this.#context.ref(`archiver/${this.#home.host}`));
    await this.#context.stop(this.#context.ref(`acceptor-${this.#home.host}/${timeline}`));
  }

  #acceptorOf(id: string): ActorRef<AcceptorMessage> {
    return this.#context.ref(`acceptor-${hostOf(id)}/${timeline}`);
  }
}

/** A member that joined has a folder of its own: its predecessor's log may still be there. */
export function folderOf(id: string, host: string): string {
  const folder = `/data/timelines/${timeline}`;
  return id === host ? folder : `${folder}/member-${id}`;
}
