/**
 * ModelAcceptor: the acceptor's core on a disk of two variables, one of which a crash takes away.
 *
 * WAL is a row of 16-byte records, so that two logs can be compared byte by byte; appends may cut
 * records in half.
 */
import { strict as assert } from 'node:assert';
import { Failure } from '../../src/base/failure.ts';
import { lsn, lsnZero, type Lsn } from '../../src/base/lsn.ts';
import {
  appendResult,
  configureResult,
  ensureMayLeave,
  greetingResult,
  newAcceptor,
  stepAppend,
  stepConfigure,
  stepElected,
  stepGreeting,
  stepStored,
  stepSynced,
  stepTruncated,
  stepVote,
  voteResult,
  type AcceptorDecision,
  type AcceptorState,
  type LogStart,
} from '../../src/consensus/acceptor.ts';
import { type TimelineIdentity } from '../../src/consensus/identity.ts';
import { type AcceptorId } from '../../src/consensus/membership.ts';
import {
  type Append,
  type AppendResult,
  type Configure,
  type ConfigureResult,
  type Elected,
  type Greeting,
  type GreetingResult,
  type Leave,
  type VoteRequest,
  type VoteResult,
} from '../../src/consensus/messages.ts';
import { cutHistory, termZero, type Term } from '../../src/consensus/term.ts';

export const recordSize = 16;
const readMax = 2 * recordSize;
/** Where the timeline begins. */
export const start = lsn(1_024);
export const identity: TimelineIdentity = {
  timeline: 't',
  major: 18,
  systemId: '7500000000000000001',
  segmentSize: 2 ** 20,
  startLsn: start,
};

export type Request =
  | ({ readonly kind: 'greet' } & Greeting)
  | ({ readonly kind: 'vote' } & VoteRequest)
  | ({ readonly kind: 'install' } & Elected)
  | ({ readonly kind: 'append' } & Append)
  | ({ readonly kind: 'configure' } & Configure)
  | ({ readonly kind: 'leave' } & Leave)
  | { readonly kind: 'read'; readonly begin: Lsn; readonly term: Term }
  | { readonly kind: 'describe' };

export type Answer =
  GreetingResult | VoteResult | AppendResult | ConfigureResult | Uint8Array | LogStart | null;

export const birth: LogStart = {
  identity,
  beginLsn: start,
  lastRecordStart: lsnZero,
  history: [{ term: termZero, start }],
};

export class ModelAcceptor {
  state: AcceptorState;
  /** Bytes from `start` on; those below `firstLsn` mean nothing. */
  bytes: Uint8Array;
  firstLsn: Lsn;
  /** What a crash leaves: the state last persisted. */
  durable: AcceptorState;
  unsynced: ((answer: Answer) => void)[] = [];

  constructor(id: AcceptorId, log: LogStart = birth) {
    this.state = newAcceptor(id, log);
    this.durable = this.state;
    this.firstLsn = log.beginLsn;
    this.bytes = new Uint8Array(log.beginLsn - start).fill(0xee);
  }

  /** Loses what was not synced; `extra` unsynced bytes happen to have reached the disk. */
  crash(extra: number): void {
    const { flushLsn } = this.state;
    const length = Math.min(this.bytes.length, flushLsn - start + extra);
    this.bytes = this.bytes.slice(0, recordsEnd(length));
    const end = lsn(start + this.bytes.length);
    const { term, history, configuration, commitLsn } = this.durable;
    const position = { writeLsn: end, recordLsn: end, flushLsn: end, announcedLsn: commitLsn };
    this.state = { ...this.state, term, history, configuration, commitLsn, ...position };
    this.unsynced = [];
  }

  sync(): void {
    this.state = stepSynced(this.state);
    const waiting = this.unsynced;
    this.unsynced = [];
    for (const done of waiting) done(appendResult(this.state));
  }

  /** Removes WAL, as far as that is allowed. */
  removeBelow(below: Lsn): void {
    const { configuration, truncateLsn } = this.state;
    const { commitLsn } = this.durable;
    if (configuration.newMembers !== null) return;
    const kept = Math.min(below, truncateLsn, commitLsn);
    this.firstLsn = lsn(Math.max(this.firstLsn, start + recordsEnd(kept - start)));
  }

  handle(request: Request, done: (answer: Answer) => void): void {
    const { firstLsn } = this;
    switch (request.kind) {
      case 'greet':
        this.#perform(stepGreeting(this.state, request));
        done(greetingResult(this.state));
        return;
      case 'vote': {
        this.sync();
        const before = this.state;
        this.#perform(stepVote(before, request));
        done(voteResult(before, this.state, firstLsn));
        return;
      }
      case 'install':
        this.sync();
        this.#perform(stepElected(this.state, request));
        done(appendResult(this.state));
        return;
      case 'append':
        if (this.#perform(stepAppend(this.state, request)) === 'answerWhenSynced')
          this.unsynced.push(done);
        else done(appendResult(this.state));
        return;
      case 'configure':
        this.sync();
        this.#perform(stepConfigure(this.state, request));
        done(configureResult(this.state, firstLsn));
        return;
      case 'leave':
        ensureMayLeave(this.state, request);
        done(null);
        return;
      case 'read':
        if (request.term !== this.state.term) throw new Failure('proposer_fenced', {});
        if (request.begin < firstLsn) throw new Failure('wal_removed', {});
        done(this.#read(request.begin - start));
        return;
      case 'describe':
        done(this.describe());
        return;
    }
  }

  /** Where a member that joins may begin. */
  describe(): LogStart {
    const { history } = this.state;
    const beginLsn = this.firstLsn;
    const lastRecordStart = lsnZero;
    return { identity, beginLsn, lastRecordStart, history: cutHistory(history, beginLsn) };
  }

  /** Little at a time, so that others are seen half way. */
  #read(begin: number): Uint8Array {
    const end = Math.min(this.state.flushLsn - start, begin + readMax);
    return this.bytes.slice(begin, end);
  }

  #perform({ state, effects }: AcceptorDecision): string {
    let next = state;
    for (const effect of effects) {
      if (effect.kind === 'persist') this.durable = next;
      if (effect.kind === 'truncateWal') {
        this.bytes = this.bytes.slice(0, effect.end - start);
        this.state = stepTruncated(this.state, effect.end, lsnZero);
      }
      if (effect.kind === 'writeWal') {
        assert.equal(effect.begin, start + this.bytes.length, 'appends are contiguous');
        this.bytes = Buffer.concat([this.bytes, effect.bytes]);
        next = stepStored(next, lsn(start + recordsEnd(this.bytes.length)), lsnZero);
      }
    }
    this.state = next;
    return effects.at(-1)!.kind;
  }
}

export function recordsEnd(length: number): number {
  return length - (length % recordSize);
}
