/**
 * Watch: what one member owes the world for what it answered; it outlives the member's crashes. Every
 * answer and every state is held against the ledger, and against what was answered before.
 */
import { formatLsn, lsn, lsnZero, maxLsn, minLsn, type Lsn } from '../../src/base/lsn.ts';
import { type AcceptorMessage } from '../../src/actors/acceptor/protocol.ts';
import { type Store } from '../../src/actors/acceptor/store.ts';
import { type AcceptorState } from '../../src/consensus/acceptor.ts';
import { type Configuration } from '../../src/consensus/membership.ts';
import { type AppendResult, type VoteResult } from '../../src/consensus/messages.ts';
import { cutHistory } from '../../src/consensus/term.ts';
import { type Ledger } from './ledger.ts';

/** Answers by which a member takes part. */
const participations = new Set(['greet', 'vote', 'installTerm', 'appendWal', 'setConfiguration']);

export class Watch {
  readonly #ledger: Ledger;
  readonly #who: string;
  /** Terms it voted in. */
  readonly #votes = new Set<number>();
  #created = false;
  #lost = false;
  /** The highest it answered with. */
  #term = 0;
  #generation = 0;
  /** Reported as on disk, and not cut by an election since. */
  #flushLsn = lsnZero;
  /** Compared with the ledger up to here. */
  #comparedLsn = lsnZero;

  constructor(ledger: Ledger, who: string) {
    this.#ledger = ledger;
    this.#who = who;
  }

  get isLost(): boolean {
    return this.#lost;
  }

  /** Its disk is gone, and with it its promises: it must not come back. */
  lose(): void {
    this.#lost = true;
  }

  /** Back from whatever happened: everything promised must still be there. */
  started(store: Store | null): void {
    const who = this.#who;
    if (this.#lost) {
      this.#ledger.claim(store === null, 'a member that lost its log does not come back', { who });
      return;
    }
    this.#ledger.claim(store !== null || !this.#created, 'a created timeline stays', { who });
    if (store === null) return;
    const { core, log } = store;
    this.#ledger.claim(core.term >= this.#term, 'a promised term outlives a crash', {
      ...{ who, term: core.term, promised: this.#term },
    });
    const { generation } = core.configuration;
    this.#ledger.claim(generation >= this.#generation, 'a followed generation outlives a crash', {
      ...{ who, generation, promised: this.#generation },
    });
    this.#ledger.claim(core.flushLsn >= this.#flushLsn, 'what was acknowledged is on disk', {
      who,
      flush: formatLsn(core.flushLsn),
      reported: formatLsn(this.#flushLsn),
    });
    this.#compare(store, log.firstLsn, core.flushLsn);
    this.#comparedLsn = core.commitLsn;
    this.hears(store);
  }

  receives(message: AcceptorMessage): void {
    if (message.kind !== 'installTerm') return;
    this.#ledger.elected(message.history);
    if (message.term >= this.#term) this.#flushLsn = minLsn(this.#flushLsn, message.start);
  }

  /** After a message. */
  settled(store: Store | null): void {
    if (store === null) return;
    const { core } = store;
    this.#ledger.follows(core.configuration);
    this.#ledger.claim(core.commitLsn <= core.flushLsn, 'what is committed here is on disk here', {
      ...{ who: this.#who, commit: formatLsn(core.commitLsn), flush: formatLsn(core.flushLsn) },
    });
    if (!this.#created || core.commitLsn <= this.#comparedLsn) return;
    this.#compare(store, this.#comparedLsn, core.commitLsn);
    this.#comparedLsn = core.commitLsn;
    this.hears(store);
  }

  /** The same of one whose bytes are damaged: what it was told is true nevertheless. */
  hears(store: Store | null): void {
    if (store === null) return;
    const { core } = store;
    this.#ledger.commits(historyOf(core), core.commitLsn, this.#who);
  }

  answers(asked: AcceptorMessage, result: unknown): void {
    const takesPart = participations.has(asked.kind);
    this.#ledger.claim(!(takesPart && this.#lost), 'a member that lost its log has no say', {
      ...{ who: this.#who, asked: asked.kind },
    });
    switch (asked.kind) {
      case 'createTimeline':
      case 'joinTimeline':
        this.#created = true;
        return;
      case 'greet':
        this.#promises((result as { configuration: Configuration }).configuration.generation);
        return;
      case 'setConfiguration':
        this.#promises((result as { generation: number }).generation);
        this.#reported(result as AppendResult);
        return;
      case 'vote':
        this.#voted(result as VoteResult, asked.term);
        return;
      case 'appendWal':
      case 'installTerm':
        this.#reported(result as AppendResult);
        return;
      case 'readWal': {
        const { begin, bytes } = result as { readonly begin: Lsn; readonly bytes: Uint8Array };
        if (asked.term === null && bytes.length > 0)
          this.#ledger.committedIs(begin, bytes, 'a reader');
        return;
      }
      case 'awaitCommit':
      case 'leaveTimeline':
      case 'describeLog':
      case 'copyWal':
      case 'removeWal':
      case 'describeAcceptor':
      case 'rest':
      case 'syncDue':
      case 'positionDue':
    }
  }

  #promises(generation: number): void {
    this.#ledger.claim(generation >= this.#generation, 'a member follows newer members only', {
      ...{ who: this.#who, generation, promised: this.#generation },
    });
    this.#generation = Math.max(this.#generation, generation);
  }

  #voted(result: VoteResult, term: number): void {
    if (result.voteGiven) {
      this.#ledger.claim(!this.#votes.has(term), 'an acceptor votes once in a term', {
        ...{ who: this.#who, term },
      });
      this.#votes.add(term);
    }
    this.#reported(result);
  }

  #reported({ term, flushLsn }: Pick<AppendResult, 'term' | 'flushLsn'>): void {
    const who = this.#who;
    this.#ledger.claim(term >= this.#term, 'an acceptor never answers with an older term', {
      ...{ who, term, promised: this.#term },
    });
    this.#term = Math.max(this.#term, term);
    this.#flushLsn = flushLsn;
    this.#ledger.reportedEnd(flushLsn, who);
  }

  /** What the log still has of it is what its term history says. */
  #compare({ core, log }: Pick<Store, 'core' | 'log'>, from: Lsn, end: Lsn): void {
    const begin = maxLsn(maxLsn(from, this.#ledger.start), log.firstLsn);
    if (end <= begin) return;
    const expected = this.#ledger.content(historyOf(core), begin, end);
    const found = log.copy(begin, end - begin);
    const same = Buffer.compare(expected, found) === 0;
    this.#ledger.claim(same, 'a log holds what its terms wrote', {
      who: this.#who,
      begin: formatLsn(begin),
      end: formatLsn(lsn(begin + expected.length)),
    });
  }
}

function historyOf({ history, flushLsn }: AcceptorState): AcceptorState['history'] {
  return cutHistory(history, flushLsn);
}
