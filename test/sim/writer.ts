/**
 * Writer: stands for a compute. It has its proposer elected, appends records to the log's end, some in
 * two pieces as a stream from Postgres would bring them, and goes on until something fails.
 */
import { lsn, type Lsn } from '../../src/base/lsn.ts';
import { Failure } from '../../src/base/failure.ts';
import { type ElectResult, type ProposerMessage } from '../../src/actors/proposer/protocol.ts';
import { type Configuration } from '../../src/consensus/membership.ts';
import { type SeededRandom } from '../../src/io/random.ts';
import { placeRecord } from '../../src/postgres/wal-writer.ts';
import { type ActorRef } from '../../src/runtime/actor.ts';
import { type Simulation } from '../../src/runtime/simulation.ts';
import { type Document } from './document.ts';
import { type Ledger } from './ledger.ts';
import { identity, noop, walIdentity } from './setting.ts';

export interface WriterOptions {
  readonly name: string;
  /** Where it runs. */
  readonly host: string;
  readonly simulation: Simulation;
  readonly ledger: Ledger;
  readonly document: Document;
  readonly random: SeededRandom;
}

/** Where the next record goes. */
interface LogEnd {
  begin: Lsn;
  previous: Lsn;
}

const electTimeout_ms = 800;
const appendLimits = { timeout_ms: 1_500 } as const;
const inFlightMax = 6;

export class Writer {
  readonly #options: WriterOptions;
  readonly #proposer: ActorRef<ProposerMessage>;
  #known: Configuration | null = null;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#proposer = options.simulation.ref(`proposer/${options.name}`);
  }

  /** Where it runs. */
  get host(): string {
    return this.#options.host;
  }

  /** Wins, writes, loses, again and again. */
  async runUntil(isOver: () => boolean): Promise<void> {
    const { random, simulation } = this.#options;
    while (!isOver()) {
      await this.reign(random.below(25));
      if (random.oneIn(3)) await this.#release();
      await simulation.runFor(random.below(random.pick([20, 100, 600])));
    }
  }

  /** Where the log ends after up to `count` records, or null when something failed. */
  async reign(count: number): Promise<Lsn | null> {
    const elected = await this.elect();
    if (elected === null) return null;
    const { random, simulation } = this.#options;
    const end = { begin: elected.endOfLog, previous: elected.lastRecordStart };
    const inFlight = new Set<Promise<void>>();
    const failures: Failure[] = [];
    for (let written = 0; written < count && failures.length === 0; written += 1) {
      const appended = this.append(elected.term, end, this.#someSize())
        .catch((error: unknown) => {
          if (!(error instanceof Failure)) throw error;
          failures.push(error);
        })
        .finally(() => inFlight.delete(appended));
      inFlight.add(appended);
      while (inFlight.size >= inFlightMax) await simulation.run(Promise.race(inFlight));
      if (random.oneIn(3)) await simulation.runFor(random.below(20));
    }
    await simulation.run(Promise.all(inFlight));
    return failures.length > 0 ? null : end.begin;
  }

  /** Whether its reign ended because somebody has a higher term. False when its proposer does not answer. */
  async isFenced(): Promise<boolean> {
    const { simulation } = this.#options;
    const describe = { kind: 'describeProposer' } as const;
    try {
      return (await simulation.ask(this.#proposer, describe, appendLimits)).phase === 'fenced';
    } catch (error) {
      if (error instanceof Failure) return false;
      throw error;
    }
  }

  /** null when it is not elected. */
  async elect(): Promise<ElectResult | null> {
    const { simulation, ledger, name } = this.#options;
    const timeout_ms = electTimeout_ms;
    const configuration = this.#readConfiguration();
    const whom = { identity, configuration, owner: null, run: 0 };
    const elect = { kind: 'elect', ...whom, timeout_ms } as const;
    try {
      const elected = await simulation.ask(this.#proposer, elect, {
        timeout_ms: 2 * electTimeout_ms,
      });
      ledger.won(elected.term, name);
      ledger.acknowledges(elected.term, elected.endOfLog, name);
      return elected;
    } catch (error) {
      if (error instanceof Failure) return null;
      throw error;
    }
  }

  /** Who the members are, as it read some time ago. Mostly the project says that it runs, sometimes not. */
  #readConfiguration(): Configuration {
    const { random, document, host } = this.#options;
    if (this.#known === null || !random.oneIn(4)) this.#known = document.membership.configuration;
    if (!random.oneIn(4)) document.runsOn(host);
    return this.#known;
  }

  /** Appends one record behind `end`, and moves `end`. Settles when it is acknowledged or refused. */
  // three parameters: whose reign, where, and how much
  async append(term: number, end: LogEnd, size: number): Promise<void> {
    const { random, ledger, name } = this.#options;
    const main = random.bytes(size);
    const xid = 3 + (end.begin % 1_000_000);
    const record = { ...noop, xid, previous: end.previous, main };
    const wal = placeRecord(walIdentity, end.begin, record);
    ledger.wrote(term, wal.begin, wal.bytes);
    end.begin = wal.end;
    end.previous = wal.start;
    await Promise.all(this.#pieces(wal.bytes).map((piece) => this.#send(wal.begin, piece)));
    ledger.acknowledges(term, wal.end, name);
  }

  #someSize(): number {
    const { random } = this.#options;
    return 1 + random.below(random.pick([40, 400, 5_000, 30_000]));
  }

  #pieces(bytes: Uint8Array): readonly { readonly offset: number; readonly bytes: Uint8Array }[] {
    const { random } = this.#options;
    if (bytes.length < 2 || !random.oneIn(4)) return [{ offset: 0, bytes }];
    const cut = 1 + random.below(bytes.length - 1);
    return [
      { offset: 0, bytes: bytes.subarray(0, cut) },
      { offset: cut, bytes: bytes.subarray(cut) },
    ];
  }

  async #send(
    begin: Lsn,
    { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
  ): Promise<void> {
    const message = { kind: 'appendRecord', begin: lsn(begin + offset), bytes } as const;
    await this.#options.simulation.ask(this.#proposer, message, appendLimits);
  }

  async #release(): Promise<void> {
    const { simulation, random, document, host } = this.#options;
    const release = { kind: 'release', timeout_ms: 300 } as const;
    try {
      await simulation.ask(this.#proposer, release, { timeout_ms: 1_000 });
      if (!random.oneIn(4)) document.stoppedOn(host);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }
}
