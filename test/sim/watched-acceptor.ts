/**
 * The real acceptor under observation: every answer it gives and every state it reaches is held
 * against the ledger, and against what it answered before any crash. Between it and the others
 * messages may be lost, and a defect may be planted in it.
 */
import { formatLsn, lsn, lsnZero, maxLsn, minLsn, type Lsn } from '../../src/base/lsn.ts';
import { acceptorOn } from '../../src/actors/acceptor/acceptor.ts';
import { type AcceptorMessage, type AcceptorOptions } from '../../src/actors/acceptor/protocol.ts';
import { type AppendResult, type VoteResult } from '../../src/consensus/messages.ts';
import { cutHistory } from '../../src/consensus/term.ts';
import {
  type AnyMessage,
  type Behavior,
  type Context,
  type RestartIntensity,
} from '../../src/runtime/actor.ts';
import { type Ledger } from './ledger.ts';
import { type SimulatedDisk } from './simulated-disk.ts';

export type AcceptorBehavior = ReturnType<typeof acceptorOn>;
export type AcceptorShell = Parameters<AcceptorBehavior['receive']>[1];
type AcceptorContext = Context<AcceptorMessage>;

/** Crashes are the simulation's daily bread: nobody gives up over them. */
export const patient: RestartIntensity = {
  maxRestarts: 1_000_000,
  window_ms: 1_000,
  firstDelay_ms: 5,
  maxDelay_ms: 50,
};

/** A defect: the acceptor with something wrong in it. */
export type Plant = (inner: AcceptorBehavior, disk: SimulatedDisk) => AcceptorBehavior;

export interface WatchOptions {
  readonly ledger: Ledger;
  readonly disk: SimulatedDisk;
  /** Whether the message at hand is lost. */
  readonly loses: () => boolean;
  readonly plant: Plant | null;
}

/** What an acceptor owes the world for what it answered: outlives its crashes. */
interface Promised {
  created: boolean;
  term: number;
  /** Terms it voted in. */
  readonly votes: Set<number>;
  /** Reported as on disk, and not cut by an election since. */
  flushLsn: Lsn;
  /** Compared with the ledger up to here. */
  comparedLsn: Lsn;
}

const losable = new Set(['greet', 'vote', 'installTerm', 'appendWal', 'readWal']);

export function watchedAcceptor(
  options: WatchOptions,
): Behavior<AcceptorMessage, AcceptorShell, AcceptorOptions> {
  const { ledger, disk, loses, plant } = options;
  const sound = acceptorOn(disk);
  const inner = plant === null ? sound : plant(sound, disk);
  const watch = new Watch(ledger);
  return {
    ...inner,
    intensity: patient,
    start: (context, given) => {
      // The acceptor starts synchronously.
      const shell = inner.start(context, given) as AcceptorShell;
      watch.started(shell);
      return shell;
    },
    receive: (context, shell, message) => {
      if (losable.has(message.kind) && loses()) return;
      watch.receives(message);
      const observed = observe(context, (asked, result) => {
        watch.settled(shell);
        watch.answers(asked, result);
        return !losable.has(asked.kind) || !loses();
      });
      void inner.receive(observed, shell, message);
      watch.settled(shell);
    },
  };
}

/** The acceptor's context, whose answers pass through `sees` first; false loses them. */
function observe(
  context: AcceptorContext,
  sees: (asked: AcceptorMessage, result: unknown) => boolean,
): AcceptorContext {
  return {
    ...bound(context),
    answer: (asked, result) => {
      if (sees(asked as AnyMessage as AcceptorMessage, result)) context.answer(asked, result);
    },
  };
}

/** The context as a plain record, so that parts of it can be replaced. */
export function bound(context: AcceptorContext): AcceptorContext {
  return {
    self: context.self,
    clock: context.clock,
    random: context.random,
    log: context.log,
    ref: (path) => context.ref(path),
    tell: (to, message) => {
      context.tell(to, message);
    },
    ask: (to, message, limits) => context.ask(to, message, limits),
    answer: (asked, result) => {
      context.answer(asked, result);
    },
    refuse: (asked, failure) => {
      context.refuse(asked, failure);
    },
    after: (delay_ms, message) => context.after(delay_ms, message),
    onEnd: (release) => {
      context.onEnd(release);
    },
    onEndFirst: (release) => {
      context.onEndFirst(release);
    },
    spawn: (child) => context.spawn(child),
    stop: (child) => context.stop(child),
  };
}

class Watch {
  readonly #ledger: Ledger;
  readonly #promised: Promised;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#promised = {
      created: false,
      term: 0,
      votes: new Set(),
      flushLsn: lsnZero,
      comparedLsn: lsnZero,
    };
  }

  /** Back from whatever happened: everything promised must still be there. */
  started({ store, options }: AcceptorShell): void {
    const promised = this.#promised;
    const who = options.acceptor;
    this.#ledger.claim(store !== null || !promised.created, 'a created timeline stays', { who });
    if (store === null) return;
    const { core, log } = store;
    this.#ledger.claim(core.term >= promised.term, 'a promised term outlives a crash', {
      who,
      term: core.term,
      promised: promised.term,
    });
    this.#ledger.claim(core.flushLsn >= promised.flushLsn, 'what was acknowledged is on disk', {
      who,
      flush: formatLsn(core.flushLsn),
      reported: formatLsn(promised.flushLsn),
    });
    const begin = maxLsn(this.#ledger.start, log.firstLsn);
    if (core.flushLsn > begin) this.#compare(store, begin, core.flushLsn);
    promised.comparedLsn = core.commitLsn;
    this.#ledger.commits(cutHistory(core.history, core.flushLsn), core.commitLsn, who);
  }

  receives(message: AcceptorMessage): void {
    if (message.kind !== 'installTerm') return;
    this.#ledger.elected(message.history);
    const promised = this.#promised;
    if (message.term < promised.term) return;
    promised.flushLsn = minLsn(promised.flushLsn, message.start);
  }

  settled({ store }: AcceptorShell): void {
    if (store === null) return;
    const { core } = store;
    const promised = this.#promised;
    if (!promised.created || core.commitLsn <= promised.comparedLsn) return;
    this.#compare(store, maxLsn(promised.comparedLsn, this.#ledger.start), core.commitLsn);
    promised.comparedLsn = core.commitLsn;
    const history = cutHistory(core.history, core.flushLsn);
    this.#ledger.commits(history, core.commitLsn, core.acceptor);
  }

  answers(asked: AcceptorMessage, result: unknown): void {
    switch (asked.kind) {
      case 'createTimeline':
      case 'joinTimeline':
        this.#promised.created = true;
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
      case 'greet':
      case 'awaitCommit':
      case 'setConfiguration':
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

  #voted(result: VoteResult, term: number): void {
    const { votes } = this.#promised;
    const who = result.acceptor;
    if (result.voteGiven) {
      this.#ledger.claim(!votes.has(term), 'an acceptor votes once in a term', { who, term });
      votes.add(term);
    }
    this.#reported(result);
  }

  #reported({ acceptor, term, flushLsn }: AppendResult): void {
    const promised = this.#promised;
    this.#ledger.claim(term >= promised.term, 'an acceptor never answers with an older term', {
      who: acceptor,
      term,
      promised: promised.term,
    });
    promised.term = Math.max(promised.term, term);
    promised.flushLsn = flushLsn;
    this.#ledger.reportedEnd(flushLsn, acceptor);
  }

  /** The log's bytes are what its term history says. */
  #compare(store: NonNullable<AcceptorShell['store']>, begin: Lsn, end: Lsn): void {
    const { core, log } = store;
    const expected = this.#ledger.content(cutHistory(core.history, core.flushLsn), begin, end);
    const found = log.copy(begin, end - begin);
    const same = Buffer.compare(expected, found) === 0;
    this.#ledger.claim(same, 'a log holds what its terms wrote', {
      who: core.acceptor,
      begin: formatLsn(begin),
      end: formatLsn(lsn(begin + expected.length)),
    });
  }
}
