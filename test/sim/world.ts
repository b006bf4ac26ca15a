/**
 * World: the real acceptors, proposers, wal-receivers and changes of members in the simulator: hosts
 * with a disk each and a network between them, two computes that fight for the log, and a timeline
 * behind the log on three hosts.
 */
import { lsn } from '../../src/base/lsn.ts';
import {
  type AcceptorDescription,
  type AcceptorMessage,
} from '../../src/actors/acceptor/protocol.ts';
import { archiverOn } from '../../src/actors/archiver/archiver.ts';
import { type ControlMessage } from '../../src/actors/control/protocol.ts';
import { proposer } from '../../src/actors/proposer/proposer.ts';
import { walReceiver } from '../../src/actors/wal-receiver/wal-receiver.ts';
import { Failure } from '../../src/base/failure.ts';
import { allMembers, hostOf, type AcceptorId } from '../../src/consensus/membership.ts';
import { SeededRandom } from '../../src/io/random.ts';
import { type AnyBehavior, type Behaviors, type ChildSpec } from '../../src/runtime/actor.ts';
import { Simulation } from '../../src/runtime/simulation.ts';
import { Document } from './document.ts';
import { Host } from './host.ts';
import { type AcceptorHome } from './host-acceptors.ts';
import { hostControl, type ControlWorld } from './host-control.ts';
import { Ledger } from './ledger.ts';
import { SimulatedNetwork, type Manner } from './network.ts';
import { endsKept, recordingTimeline, type Recording } from './recording-timeline.ts';
import { start, timeline } from './setting.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { SimulatedStore } from './simulated-store.ts';
import { patient, watchedAcceptor } from './watched-acceptor.ts';
import { Writer } from './writer.ts';

export interface WorldOptions {
  readonly seed: number;
  /** 1 or 3. */
  readonly acceptors: number;
  /** Whether members change: then there are hosts to spare. */
  readonly changes: boolean;
  /** Whether WAL goes to the object store. */
  readonly archived: boolean;
  /** Absent: the seed's choice. */
  readonly manner?: Manner;
  /** Hosts of the computes; absent: the seed's choice. */
  readonly computes?: { readonly p: string; readonly q: string };
}

const clockRates = [1, 1, 1, 0.9, 1.1] as const;
const manners: readonly Manner[] = ['connections', 'connections', 'datagrams'];
const changePause_ms = 100;
/** Many times what any sound run takes. */
const stepsMax = 2_000_000;
/** What a crash by the simulation looks like in the trace. */
const ordered =
  /^((ChildFailed: .*)?(PowerLost:|AssertionFailed: a failed sync)|ChildFailed: .*killed=true)/;

export class World {
  readonly simulation: Simulation;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly document: Document;
  readonly hosts: readonly Host[];
  readonly writers: readonly Writer[];
  readonly recordings = new Map<string, Recording>();
  /** What was done to this world, between which events of the trace. */
  readonly story: { readonly traced: number; readonly text: string }[] = [];
  /** How often what of it. */
  readonly faults = new Map<string, number>();
  readonly archived: boolean;
  /** Changes of members asked for and not answered. */
  changing = 0;
  /** Hosts of computes, by name. */
  readonly #computes = new Map<string, string>();
  #traced = 0;

  constructor(options: WorldOptions) {
    const { seed, acceptors, changes, archived } = options;
    this.archived = archived;
    this.random = new SeededRandom(seed + 3_000_003);
    const { random } = this;
    this.ledger = new Ledger(start, () => this.simulation.now_ms);
    const members = ['a', 'b', 'c'].slice(0, acceptors);
    this.hosts = [...members, ...(changes ? ['d', 'e'] : [])].map((name) => this.#host(name));
    for (const id of members) this.recordings.set(id, { ends: [start], received: start });
    for (const name of ['p', 'q'] as const)
      this.#computes.set(name, options.computes?.[name] ?? random.pick(this.hosts).name);
    this.store = new SimulatedStore({
      random: this.#stream(),
      after: (delay_ms, action) => this.simulation.after(delay_ms, action),
    });
    this.document = new Document(this.store, members);
    this.network = this.#between(options.manner ?? random.pick(manners));
    this.simulation = new Simulation({
      seed,
      behaviors: this.#behaviors(),
      hosts: this.hosts,
      network: this.network,
      hopMax_ms: random.pick([1, 5]),
    });
    this.writers = ['p', 'q'].map((name) => this.#writer(name));
  }

  host(name: string): Host {
    return this.hosts.find((host) => host.name === name)!;
  }

  /** Members of the configuration that have lost their log, or cannot read it. */
  lostMembers(): readonly AcceptorId[] {
    const ids = allMembers(this.document.membership.configuration);
    return ids.filter((id) => this.host(hostOf(id)).isLost(id));
  }

  /** Starts everybody, who make the timeline, and waits until it is there. */
  async start(): Promise<void> {
    const { simulation } = this;
    for (const { name } of this.hosts)
      await simulation.spawn({
        ...{ behavior: 'control', name, options: { host: name }, thread: `main-${name}` },
      });
    for (const [name, host] of this.#computes)
      await simulation.spawn(this.#proposerSpec(name, host));
    for (const name of this.recordings.keys()) {
      const thread = `storage-${name}`;
      await simulation.spawn({ behavior: 'timeline', name, options: { name }, thread });
      await simulation.spawn(this.#receiverSpec(name));
    }
    this.check();
  }

  /** The machine loses its power, and has it again after a while. */
  async losePower(host: Host, down_ms: number): Promise<void> {
    host.disk.losePower();
    host.isOff = true;
    await this.crash(host, down_ms);
  }

  /** All its threads die with their process, which comes back after a while. */
  async crash(host: Host, down_ms: number): Promise<void> {
    host.isDown = true;
    host.lives += 1;
    const life = host.lives;
    host.disk.startProcess();
    this.simulation.after(down_ms, () => {
      if (host.lives !== life) return;
      host.isDown = false;
      host.isOff = false;
    });
    await this.simulation.crashThreads(host.threads, down_ms);
  }

  /** A change of members, or the end of one that is under way; driven on some host. */
  async replaceMember(member: AcceptorId, host: string): Promise<void> {
    const driver = this.random.pick(this.hosts).name;
    const control = this.simulation.ref<ControlMessage>(`control/${driver}`);
    const replace = { kind: 'replaceMember', branch: 'main', member, host } as const;
    this.changing += 1;
    try {
      await this.simulation.ask(control, replace, { timeout_ms: 60_000 });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    } finally {
      this.changing -= 1;
    }
  }

  /** Claims about everybody, now. */
  check(): void {
    const { trace, failure } = this.simulation;
    for (; this.#traced < trace.length; this.#traced += 1) {
      const { what, to, thread, detail } = trace[this.#traced]!;
      if (what !== 'halt' && what !== 'crash') continue;
      const isDamaged = this.host(thread.split('-')[1]!).isDamaged;
      const bug = !isDamaged && (what === 'halt' || !ordered.test(detail));
      this.ledger.claim(!bug, 'only what the simulation crashes crashes', { to, what, detail });
    }
    const values = { failure: failure?.message ?? '' };
    this.ledger.claim(failure === null, 'nobody gives up', values);
    this.ledger.claim(this.simulation.steps < stepsMax, 'a run ends', {});
    if (this.ledger.violation !== null) throw this.ledger.violation;
  }

  /** Has whole segments removed that no timeline will ask for again. Archivers do it themselves. */
  async removeWal(): Promise<void> {
    if (this.archived) return;
    const kept = [...this.recordings.values()].map(({ ends }) => ends.slice(-endsKept)[0]!);
    const below = lsn(Math.min(...kept));
    const removals = this.hosts.map(async ({ name }) => {
      const acceptor = this.simulation.ref<AcceptorMessage>(`acceptor-${name}/t`);
      try {
        await this.simulation.ask(acceptor, { kind: 'removeWal', below }, { timeout_ms: 1_000 });
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    });
    await Promise.all(removals);
  }

  /** null when it does not answer. */
  async describe(id: AcceptorId): Promise<AcceptorDescription | null> {
    const ref = this.simulation.ref<AcceptorMessage>(`acceptor-${hostOf(id)}/t`);
    try {
      return await this.simulation.ask(ref, { kind: 'describeAcceptor' }, { timeout_ms: 5_000 });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return null;
    }
  }

  /** Something is done to the world: what, and to whom. */
  does(fault: string, whom: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    const time = this.simulation.now_ms.toFixed(3);
    const traced = this.simulation.trace.length;
    this.story.push({ traced, text: `at ${time} ms: ${fault} ${whom}` });
  }

  #between(manner: Manner): SimulatedNetwork {
    return new SimulatedNetwork({
      random: this.#stream(),
      manner,
      now_ms: () => this.simulation.now_ms,
      after: (delay_ms, action) => this.simulation.after(delay_ms, action),
      loseContact: (host, other) => {
        this.simulation.loseContact(host, other);
      },
      isOff: (host) => this.host(host).isOff,
    });
  }

  #stream(): SeededRandom {
    return new SeededRandom(this.random.uint32());
  }

  #host(name: string): Host {
    const disk = new SimulatedDisk(this.#stream());
    const host = new Host(name, disk, this.random.pick(clockRates));
    disk.onPowerLost = () => {
      this.simulation.after(0, () => {
        if (disk.off) void this.losePower(host, this.random.below(200));
      });
    };
    // After a sync that failed the process ends; the disk is what it was.
    disk.onSyncFailed = () => {
      this.simulation.after(0, () => {
        if (!host.isDown) void this.crash(host, this.random.below(200));
      });
    };
    return host;
  }

  #behaviors(): Behaviors {
    const { ledger } = this;
    const behaviors: Record<string, AnyBehavior> = {
      control: hostControl(this.#controlWorld()),
      proposer: { ...proposer, intensity: patient },
      archiver: { ...this.#archiver(), intensity: patient },
      'wal-receiver': { ...walReceiver, intensity: patient },
      timeline: recordingTimeline(ledger, this.#stream(), this.recordings),
    };
    for (const host of this.hosts)
      behaviors[`acceptor-${host.name}`] = watchedAcceptor(ledger, host);
    return behaviors;
  }

  /** One that dies here with its host never ends its turn: there are as many as are wanted. */
  #archiver(): ReturnType<typeof archiverOn> {
    return archiverOn(
      (host) => this.store.for(this.#lifeOf(host)),
      (work) => work(),
    );
  }

  #controlWorld(): ControlWorld {
    return {
      hosts: this.hosts.map(({ name }) => name),
      storeOf: (name) => this.store.for(this.#lifeOf(name)),
      homeOf: (name) => this.#homeOf(name),
      computeOn: (name) => [...this.#computes].find(([, host]) => host === name)?.[0] ?? null,
      countInterim: (name) => (this.host(name).interims += 1),
      pause: (name) =>
        new Promise((resolve) => {
          const isAlive = this.#lifeOf(name);
          this.simulation.after(changePause_ms, () => {
            if (isAlive()) resolve();
          });
        }),
    };
  }

  /** Whether the process still runs that runs now. */
  #lifeOf(name: string): () => boolean {
    const host = this.host(name);
    const { lives } = host;
    return () => host.lives === lives;
  }

  #homeOf(name: string): AcceptorHome {
    const host = this.host(name);
    return {
      host: name,
      disk: host.disk,
      copies: this.archived ? [...this.recordings.keys()].map((one) => `timeline/${one}`) : null,
      isDamaged: () => host.isDamaged,
      failedToStart: ({ message }) => {
        const values = { host: name, failure: message };
        this.ledger.claim(false, 'an acceptor starts from what a crash left', values);
      },
    };
  }

  #writer(name: string): Writer {
    const { simulation, ledger, document } = this;
    const host = this.#computes.get(name)!;
    return new Writer({ name, host, simulation, ledger, document, random: this.#stream() });
  }

  #proposerSpec(name: string, host: string): ChildSpec {
    const options = {
      acceptorPath: 'acceptor-{host}/t',
      answerTimeout_ms: 300,
      reconnect_ms: 50,
      followTimeout_ms: 1_000,
    };
    return { behavior: 'proposer', name, options, thread: `wal-${host}` };
  }

  /** It reads from its own host's acceptor first. */
  #receiverSpec(name: string): ChildSpec {
    const others = this.hosts.filter((host) => host.name !== name);
    const options = {
      acceptorPaths: [name, ...others.map((host) => host.name)].map((one) => `acceptor-${one}/t`),
      timeline,
      timelinePath: `timeline/${name}`,
      control: `control/${name}`,
      chunkBytesMax: 30_000,
      gather_ms: 2,
      reader: name,
      wait_ms: 500,
      answerTimeout_ms: 400,
      retry_ms: 20,
    };
    return { behavior: 'wal-receiver', name, options, thread: `storage-${name}` };
  }
}
