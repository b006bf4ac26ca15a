/**
 * World: the real acceptors, proposers and wal-receivers in the simulator: each acceptor on a machine
 * with a disk of its own, two writers that fight for the log, and a timeline behind every acceptor.
 */
import { Failure } from '../../src/base/failure.ts';
import { lsn, lsnZero, maxLsn, type Lsn } from '../../src/base/lsn.ts';
import {
  type AcceptorDescription,
  type AcceptorMessage,
  type AcceptorOptions,
} from '../../src/actors/acceptor/protocol.ts';
import { openStore, type Store } from '../../src/actors/acceptor/store.ts';
import { proposer } from '../../src/actors/proposer/proposer.ts';
import { walReceiver } from '../../src/actors/wal-receiver/wal-receiver.ts';
import { hasQuorum, type Configuration } from '../../src/consensus/membership.ts';
import { SeededRandom } from '../../src/io/random.ts';
import { parseSystemId } from '../../src/postgres/system-id.ts';
import { walPageSize } from '../../src/postgres/wal-page.ts';
import { type WalIdentity } from '../../src/postgres/wal-writer.ts';
import { type AnyBehavior, type Behaviors, type ChildSpec } from '../../src/runtime/actor.ts';
import { Simulation } from '../../src/runtime/simulation.ts';
import { Ledger } from './ledger.ts';
import { endsKept, recordingTimeline, type Recording } from './recording-timeline.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { patient, watchedAcceptor, type Plant } from './watched-acceptor.ts';
import { Writer } from './writer.ts';

export interface WorldOptions {
  readonly seed: number;
  /** 1 or 3. */
  readonly acceptors: number;
  readonly plant: Plant | null;
}

/** A machine that can lose its power. */
export interface Machine {
  readonly id: string;
  readonly thread: string;
  readonly disk: SimulatedDisk;
  readonly spec: ChildSpec;
}

const segmentSize = 2 ** 20;
export const identity: WalIdentity = {
  major: 18,
  segmentSize,
  systemId: parseSystemId('7500000000000000001'),
  timelineId: 1,
};
/** Not far from the next segment, so that the log crosses into it. */
const start = lsn(17 * segmentSize - 65_536 - 4_096);
const directory = '/data/timelines/t';
const healLimit_ms = 120_000;
const lateMachine_ms = 3_000;
const startsAgain = 'an acceptor starts from what a crash left';
/** What a crash by the simulation looks like in the trace. */
const ordered = /^(PowerLost:|ChildFailed: .*killed=true)/;

export class World {
  readonly simulation: Simulation;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  readonly machines: readonly Machine[];
  readonly configuration: Configuration;
  readonly writers: readonly Writer[];
  readonly recordings = new Map<string, Recording>();
  /** One message in so many is lost; null for none. */
  loss_oneIn: number | null = null;
  /** Threads that are down. */
  readonly down = new Set<string>();
  #traced = 0;

  constructor(options: WorldOptions) {
    const { seed } = options;
    this.random = new SeededRandom(seed + 3_000_003);
    this.ledger = new Ledger(start, () => this.simulation.now_ms);
    const ids = ['a', 'b', 'c'].slice(0, options.acceptors);
    this.machines = ids.map((id) => this.#machine(id));
    for (const id of ids) this.recordings.set(id, { ends: [start], received: start });
    this.simulation = new Simulation({
      seed,
      behaviors: this.#behaviors(options.plant),
      threads: [...this.machines.map(({ thread }) => thread), 'p', 'q', 'storage'],
      hopMax_ms: this.random.pick([1, 5, 30]),
    });
    this.configuration = { generation: 1, members: ids, newMembers: null };
    this.writers = ['p', 'q'].map((name) => this.#writer(name));
  }

  get threads(): readonly string[] {
    return [...this.machines.map(({ thread }) => thread), 'p', 'q', 'storage'];
  }

  /** Starts everybody, and has the timeline created; the power may fail meanwhile. */
  async start(): Promise<void> {
    for (const machine of this.machines) {
      await this.simulation.spawn(machine.spec);
      if (this.random.oneIn(3)) machine.disk.losePowerAfter(1 + this.random.below(20));
      await this.#create(machine);
    }
    for (const name of ['p', 'q']) await this.simulation.spawn(this.#proposerSpec(name));
    for (const { id } of this.machines) {
      const options = { name: id };
      await this.simulation.spawn({ behavior: 'timeline', name: id, options, thread: 'storage' });
      await this.simulation.spawn(receiverSpec(id));
    }
  }

  /** The machine loses its power, and has it again after a while. */
  async losePower(machine: Machine, down_ms: number): Promise<void> {
    machine.disk.losePower();
    await this.crashThread(machine.thread, down_ms);
    await this.#ensureStarted(machine);
  }

  async crashThread(thread: string, down_ms: number): Promise<void> {
    this.down.add(thread);
    await this.simulation.crashThread(thread, down_ms);
    this.down.delete(thread);
  }

  /** Claims about everybody, now. */
  check(): void {
    const { trace, failure } = this.simulation;
    for (; this.#traced < trace.length; this.#traced += 1) {
      const { what, to, detail } = trace[this.#traced]!;
      const bug = what === 'halt' || (what === 'crash' && !ordered.test(detail));
      this.ledger.claim(!bug, 'only what the simulation crashes crashes', { to, what, detail });
    }
    const lostPower = failure === null || failure.message.includes('PowerLost');
    this.ledger.claim(lostPower, startsAgain, { failure: failure?.message ?? '' });
    if (this.ledger.violation !== null) throw this.ledger.violation;
  }

  /** If the power failed everywhere now, a majority would still have what was acknowledged. */
  checkQuorum(): void {
    const { ledger } = this;
    const bytes = ledger.committed.slice(start, ledger.acknowledgedEnd);
    const holds = new Set<string>();
    for (const { id, disk } of this.machines) {
      const store = this.#storeAfterPowerLoss(id, disk);
      const reached = store !== null && store.core.flushLsn >= ledger.acknowledgedEnd;
      if (!reached) continue;
      const begin = maxLsn(start, store.log.firstLsn);
      const found = store.log.copy(begin, ledger.acknowledgedEnd - begin);
      if (Buffer.compare(found, bytes.subarray(begin - start)) === 0) holds.add(id);
    }
    const quorum = hasQuorum(this.configuration, (id) => holds.has(id));
    ledger.claim(quorum, 'a majority has on disk what was acknowledged', {
      holders: [...holds].join(),
      acknowledged: ledger.acknowledgedEnd,
    });
    this.check();
  }

  /** Has whole segments removed that an acceptor's own timeline will not ask for again. */
  async removeWal(): Promise<void> {
    const removals = this.machines.map(async ({ id }) => {
      const below = this.recordings.get(id)!.ends.slice(-endsKept)[0]!;
      const acceptor = this.simulation.ref<AcceptorMessage>(`acceptor-${id}/t`);
      try {
        await this.simulation.ask(acceptor, { kind: 'removeWal', below }, { timeout_ms: 1_000 });
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    });
    await Promise.all(removals);
  }

  /**
   * Ends all faults; then the log must go on, and everybody get all of it: one of three machines only
   * comes back when the records are written, and so must be spoken to again; the others meanwhile
   * remove what they may.
   */
  async heal(): Promise<void> {
    this.loss_oneIn = null;
    const { simulation } = this;
    for (const { disk } of this.machines) {
      disk.losePowerAfter(Infinity);
      disk.room = Infinity;
    }
    while (this.down.size > 0) await simulation.runFor(10);
    for (const thread of this.threads) simulation.pauseThread(thread, 0);
    await simulation.runFor(100);
    for (const machine of this.machines) await this.#ensureStarted(machine);
    const deadline_ms = simulation.now_ms + healLimit_ms;
    if (this.machines.length > 1)
      void this.crashThread(this.random.pick(this.machines).thread, lateMachine_ms);
    let end: Lsn | null = null;
    while (end === null && simulation.now_ms < deadline_ms) end = await this.writers[0]!.reign(30);
    this.ledger.claim(end !== null, 'without faults records are committed again', {});
    this.check();
    await simulation.runFor(500);
    await this.removeWal();
    this.checkQuorum();
    while (this.down.size > 0) await simulation.runFor(100);
    await this.#everybodyReaches(end!, deadline_ms);
  }

  async stop(): Promise<void> {
    await this.simulation.stop();
    this.check();
    for (const { id, disk } of this.machines) {
      const store = this.#storeAfterPowerLoss(id, disk);
      const { committed } = this.ledger;
      const whole = store !== null && store.core.flushLsn >= committed.end;
      this.ledger.claim(whole, 'in the end every acceptor has everything', { id });
      if (!whole) break;
      const begin = maxLsn(start, store.log.firstLsn);
      this.ledger.committedIs(begin, store.log.copy(begin, committed.end - begin), id);
    }
    this.check();
  }

  describe(id: string): Promise<AcceptorDescription> {
    const ref = this.simulation.ref<AcceptorMessage>(`acceptor-${id}/t`);
    return this.simulation.ask(ref, { kind: 'describeAcceptor' }, { timeout_ms: 5_000 });
  }

  async #everybodyReaches(end: Lsn, deadline_ms: number): Promise<void> {
    const { simulation } = this;
    for (const { id } of this.machines) {
      const recording = this.recordings.get(id)!;
      let { commitLsn } = await this.describe(id);
      while ((commitLsn < end || recording.received < end) && simulation.now_ms < deadline_ms) {
        await simulation.runFor(50);
        this.check();
        ({ commitLsn } = await this.describe(id));
      }
      const { received } = recording;
      const values = { id, end, commit: commitLsn, received };
      const reached = commitLsn >= end && received >= end;
      this.ledger.claim(reached, 'without faults everybody gets everything', values);
      this.check();
    }
  }

  #machine(id: string): Machine {
    const disk = new SimulatedDisk(new SeededRandom(this.random.uint32()));
    const thread = `wal-${id}`;
    const options = this.#acceptorOptions(id);
    const spec = { behavior: `acceptor-${id}`, name: 't', options, thread };
    const machine = { id, thread, disk, spec };
    disk.onPowerLost = () => {
      this.simulation.after(0, () => {
        if (!this.down.has(thread)) void this.losePower(machine, this.random.below(200));
      });
    };
    return machine;
  }

  #acceptorOptions(id: string): AcceptorOptions {
    return { acceptor: id, timeline: 't', newborn: true, archiver: null, directory };
  }

  #behaviors(plant: Plant | null): Behaviors {
    const { ledger } = this;
    const loses = (): boolean => this.loss_oneIn !== null && this.random.oneIn(this.loss_oneIn);
    const behaviors: Record<string, AnyBehavior> = {
      proposer: { ...proposer, intensity: patient },
      'wal-receiver': { ...walReceiver, intensity: patient },
      timeline: recordingTimeline(ledger, this.random, this.recordings),
    };
    for (const { id, disk } of this.machines)
      behaviors[`acceptor-${id}`] = watchedAcceptor({ ledger, disk, loses, plant });
    return behaviors;
  }

  #writer(name: string): Writer {
    const { simulation, ledger, configuration } = this;
    const random = new SeededRandom(this.random.uint32());
    const timeline = { timeline: 't', ...identity, startLsn: start };
    return new Writer({ name, simulation, ledger, configuration, identity, timeline, random });
  }

  #proposerSpec(name: string): ChildSpec {
    const options = {
      acceptorPath: 'acceptor-{member}/t',
      answerTimeout_ms: 300,
      reconnect_ms: 50,
      followTimeout_ms: 1_000,
    };
    return { behavior: 'proposer', name, options, thread: name };
  }

  async #create({ id }: Machine): Promise<void> {
    const ref = this.simulation.ref<AcceptorMessage>(`acceptor-${id}/t`);
    const message = {
      kind: 'createTimeline',
      startLsn: start,
      lastRecordStart: lsnZero,
      major: identity.major,
      systemId: identity.systemId,
      segmentSize,
      head: new Uint8Array(start % walPageSize).fill(7),
    } as const;
    for (;;) {
      try {
        await this.simulation.ask(ref, message, { timeout_ms: 1_000 });
        return;
      } catch (error) {
        if (!(error instanceof Failure) || error.kind === 'invalid') throw error;
        await this.simulation.runFor(20);
        this.check();
      }
    }
  }

  /** What the acceptor would find if the power failed now. */
  #storeAfterPowerLoss(id: string, disk: SimulatedDisk): Store | null {
    try {
      return openStore(disk.afterPowerLoss(this.random), this.#acceptorOptions(id));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.ledger.claim(false, startsAgain, { id, failure: error.message });
      return null;
    }
  }

  /** A first start during which the power failed leaves nobody to start again. */
  async #ensureStarted({ spec, disk }: Machine): Promise<void> {
    try {
      if (!disk.off) await this.simulation.spawn(spec);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const expected = error.code === 'actor_exists' || disk.off || this.down.has(spec.thread!);
      this.ledger.claim(expected, startsAgain, { failure: error.message });
    }
  }
}

function receiverSpec(id: string): ChildSpec {
  const options = {
    acceptorPaths: [`acceptor-${id}/t`],
    timelinePath: `timeline/${id}`,
    chunkBytesMax: 30_000,
    gather_ms: 2,
    reader: id,
    wait_ms: 500,
    answerTimeout_ms: 400,
    retry_ms: 20,
  };
  return { behavior: 'wal-receiver', name: id, options, thread: 'storage' };
}
