/**
 * Ledger: everything that was ever written, elected and committed in a simulated world, and the
 * claims that must hold between them. It sees all; the actors know nothing of it.
 *
 * WAL is identified by terms: a term has one writer, and a term history says which term wrote which
 * bytes. So a history determines a log's content, and whoever has another content is wrong.
 */
import { formatLsn, lsn, minLsn, type Lsn } from '../../src/base/lsn.ts';
import { type Configuration } from '../../src/consensus/membership.ts';
import { lastEntry, lastLogTerm, type TermHistory } from '../../src/consensus/term.ts';

/** A claim that did not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** WAL from `start` on. */
class Log {
  readonly start: Lsn;
  #bytes = new Uint8Array(65_536);
  #size = 0;

  constructor(start: Lsn) {
    this.start = start;
  }

  get end(): Lsn {
    return lsn(this.start + this.#size);
  }

  append(bytes: Uint8Array): void {
    if (this.#size + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (this.#size + bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  slice(begin: Lsn, end: Lsn): Uint8Array {
    return this.#bytes.subarray(begin - this.start, end - this.start);
  }
}

export class Ledger {
  readonly start: Lsn;
  readonly committed: Log;
  /** The first claim that did not hold. */
  violation: Violation | null = null;
  /** What any writer was told is committed. */
  acknowledgedEnd: Lsn;
  acknowledgements = 0;
  #now_ms: () => number;
  readonly #written = new Map<number, Log>();
  readonly #histories = new Map<number, TermHistory>();
  readonly #winners = new Map<number, string>();
  readonly #recordEnds = new Set<number>();
  /** Up to where a term's log was compared with what is committed. */
  readonly #compared = new Map<number, Lsn>();
  /** The highest position committed by each term. */
  readonly #committedBy = new Map<number, Lsn>();
  /** Who the members are, by generation. */
  readonly #configurations = new Map<number, string>();

  constructor(start: Lsn, now_ms: () => number) {
    this.start = start;
    this.acknowledgedEnd = start;
    this.committed = new Log(start);
    this.#recordEnds.add(start);
    this.#now_ms = now_ms;
  }

  get terms(): number {
    return this.#histories.size;
  }

  get generations(): number {
    return this.#configurations.size;
  }

  claim(holds: boolean, claim: string, values: Readonly<Record<string, string | number>>): void {
    if (holds || this.violation !== null) return;
    const pairs = Object.entries(values).map(([key, value]) => `${key}=${value}`);
    this.violation = new Violation(
      `not true: ${claim}. ${pairs.join(' ')} at_ms=${this.#now_ms().toFixed(3)}`,
    );
  }

  /** Somebody follows this configuration. */
  follows({ generation, members, newMembers }: Configuration): void {
    const spelled = `${members.join()} -> ${newMembers?.join() ?? ''}`;
    const known = this.#configurations.get(generation);
    if (known === undefined) this.#configurations.set(generation, spelled);
    const same = known === undefined || known === spelled;
    this.claim(same, 'a generation stands for one configuration', { generation, spelled });
  }

  /** A proposer brings this history to acceptors: it has won its last term. */
  elected(history: TermHistory): void {
    const { term, start } = lastEntry(history);
    const known = this.#histories.get(term);
    if (known !== undefined) {
      const same = JSON.stringify(known) === JSON.stringify(history);
      this.claim(same, 'a term has one winner and one history', { term });
      return;
    }
    this.#histories.set(term, history);
    for (const [earlier, end] of this.#committedBy)
      if (earlier < term)
        this.claim(end <= start, 'a new term begins behind everything committed', {
          term,
          start: formatLsn(start),
          committed: formatLsn(end),
          earlier,
        });
  }

  won(term: number, writer: string): void {
    const other = this.#winners.get(term) ?? writer;
    this.claim(other === writer, 'a term has one winner', { term, writer, other });
    this.#winners.set(term, writer);
  }

  /** A writer is about to append a record in its term. */
  wrote(term: number, begin: Lsn, bytes: Uint8Array): void {
    const log = this.#written.get(term) ?? new Log(begin);
    this.#written.set(term, log);
    this.claim(log.end === begin, 'a writer goes on where it stopped', { term });
    log.append(bytes);
    this.#recordEnds.add(log.end);
  }

  reportedEnd(end: Lsn, who: string): void {
    const isEnd = this.#recordEnds.has(end);
    this.claim(isEnd, 'a reported position is the end of a record', { who, end: formatLsn(end) });
  }

  historyOf(term: number): TermHistory {
    const history = this.#histories.get(term);
    this.claim(history !== undefined, 'a winner has brought its history to acceptors', { term });
    return history ?? [];
  }

  /** The bytes of [begin, end) in a log of this history; fewer when nobody wrote them. */
  content(history: TermHistory, begin: Lsn, end: Lsn): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const [index, { term, start }] of history.entries()) {
      const from = Math.max(begin, start);
      const to = Math.min(end, history[index + 1]?.start ?? Infinity);
      const log = this.#written.get(term);
      if (to <= from || log === undefined) continue;
      parts.push(log.slice(lsn(from), minLsn(lsn(to), log.end)));
    }
    return Buffer.concat(parts);
  }

  /** A log with this history is committed up to `end`. */
  commits(history: TermHistory, end: Lsn, who: string): void {
    if (history.length === 0) return;
    const term = lastLogTerm(history, end);
    const from = this.#compared.get(term) ?? this.start;
    if (end <= from) return;
    const bytes = this.content(history, from, end);
    const values = { who, term, end: formatLsn(end) };
    this.claim(bytes.length === end - from, 'what is committed was written', values);
    const isNews = end > this.committed.end;
    const known = minLsn(end, this.committed.end);
    if (known > from) this.committedIs(from, bytes.subarray(0, known - from), who);
    if (end > known && known >= from) this.committed.append(bytes.subarray(known - from));
    this.#compared.set(term, end);
    // One that lags or has just joined hears of what another term committed than the one that wrote it.
    if (!isNews) return;
    this.#committedBy.set(term, end);
    for (const [later, { start }] of [...this.#histories].map(startOf))
      if (later > term)
        this.claim(end <= start, 'nothing is committed that a later term has not', values);
  }

  /** A writer was told. */
  acknowledges(term: number, end: Lsn, writer: string): void {
    this.commits(this.historyOf(term), end, writer);
    this.acknowledgements += 1;
    if (end > this.acknowledgedEnd) this.acknowledgedEnd = end;
  }

  /** Somebody holds these bytes to be committed. */
  committedIs(begin: Lsn, bytes: Uint8Array, who: string): void {
    const end = lsn(begin + bytes.length);
    const values = { who, begin: formatLsn(begin), end: formatLsn(end) };
    const known = end <= this.committed.end;
    this.claim(known, 'what is given out as committed is committed', values);
    if (!known) return;
    const same = Buffer.compare(this.committed.slice(begin, end), bytes) === 0;
    this.claim(same, 'what is committed never changes', values);
  }
}

function startOf([term, history]: [number, TermHistory]): [number, { readonly start: Lsn }] {
  return [term, lastEntry(history)];
}
