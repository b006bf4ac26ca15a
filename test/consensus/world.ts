/**
 * World: acceptors and proposers under a scheduler that the test or a seed drives.
 *
 * WAL is a row of 16-byte records, each filled with its own number, so that two logs can be compared
 * byte by byte; appends may cut records in half. Messages of one contact arrive in order; a contact
 * that failed may still have messages on the way. The checks are global truths:
 *  - what any proposer called committed keeps its content, on whatever is committed later;
 *  - a term has one leader; terms never go back.
 */
import { strict as assert } from 'node:assert';
import { Failure } from '../../src/base/failure.ts';
import { lsn, lsnZero, type Lsn } from '../../src/base/lsn.ts';
import {
  appendResult,
  greetingResult,
  newAcceptor,
  stepAppend,
  stepElected,
  stepGreeting,
  stepStored,
  stepSynced,
  stepTruncated,
  stepVote,
  voteResult,
  type AcceptorDecision,
  type AcceptorState,
} from '../../src/consensus/acceptor.ts';
import { type AcceptorId, type Configuration } from '../../src/consensus/membership.ts';
import {
  type Append,
  type AppendResult,
  type Elected,
  type Greeting,
  type GreetingResult,
  type VoteRequest,
  type VoteResult,
} from '../../src/consensus/messages.ts';
import {
  campaign,
  canStream,
  stepAppended,
  stepGreeted,
  stepInstalled,
  stepLost,
  stepReceived,
  stepReconnect,
  stepRelayed,
  stepStreamBegins,
  stepStreamLost,
  stepVoted,
  type ProposerDecision,
  type ProposerEffect,
  type ProposerState,
} from '../../src/consensus/proposer.ts';
import { type Term } from '../../src/consensus/term.ts';

export const recordSize = 16;
const start = lsn(1_024);

export type Request =
  | ({ readonly kind: 'greet' } & Greeting)
  | ({ readonly kind: 'vote' } & VoteRequest)
  | ({ readonly kind: 'install' } & Elected)
  | ({ readonly kind: 'append' } & Append)
  | { readonly kind: 'read'; readonly begin: Lsn; readonly term: Term };

export type Answer = GreetingResult | VoteResult | AppendResult | Uint8Array;

export interface Contact {
  readonly proposer: ModelProposer;
  readonly acceptor: AcceptorId;
  readonly attempt: number;
  readonly queue: { readonly request: Request; readonly done: (answer: Answer) => void }[];
}

export class ModelAcceptor {
  state: AcceptorState;
  /** Bytes from `start` on. */
  bytes = new Uint8Array(0);
  /** What a crash leaves: the state last persisted, and how much of `bytes` is on disk. */
  durable: AcceptorState;
  unsynced: ((answer: Answer) => void)[] = [];

  constructor(id: AcceptorId) {
    this.state = newAcceptor({ acceptor: id, startLsn: start, lastRecordStart: lsnZero });
    this.durable = this.state;
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

  handle(request: Request, done: (answer: Answer) => void): void {
    switch (request.kind) {
      case 'greet':
        this.#perform(stepGreeting(this.state, request));
        done(greetingResult(this.state));
        return;
      case 'vote': {
        this.sync();
        const before = this.state;
        this.#perform(stepVote(before, request));
        done(voteResult(before, this.state, request));
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
      case 'read':
        if (request.term !== this.state.term) throw new Failure('proposer_fenced', {});
        done(this.bytes.slice(request.begin - start, this.state.flushLsn - start));
        return;
    }
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

export class ModelProposer {
  readonly name: string;
  readonly world: World;
  state: ProposerState | null = null;
  /** Numbers what this proposer writes. */
  written = 0;
  /** What its Postgres has: everything it wrote since `windowStart`. */
  #window = new Uint8Array(0);
  #windowStart = start;
  #streaming = false;
  readonly #contacts = new Map<AcceptorId, Contact>();
  #attempts = 0;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  elect(): void {
    this.#contacts.clear();
    this.#streaming = false;
    this.#perform(campaign(this.world.configuration));
  }

  /** Postgres writes `bytes` bytes: whole records, unless a later write completes the last one. */
  write(size: number): boolean {
    if (this.state?.phase !== 'leading') return false;
    if (!this.#streaming && !this.#begin(this.state)) return false;
    const bytes = new Uint8Array(size);
    const end = this.state.endLsn;
    for (let at = 0; at < size; at += 1) {
      if ((end + at - start) % recordSize === 0) this.written += 1;
      bytes[at] = this.#stamp(end + at);
    }
    this.#window = Buffer.concat([this.#window, bytes]);
    this.#perform(stepReceived(this.state, lsn(end + size)));
    return true;
  }

  /** Postgres restarts: what is incomplete goes, the rest it still has. */
  loseStream(): void {
    if (this.state?.phase !== 'leading' || !this.#streaming) return;
    this.#streaming = false;
    this.#contacts.clear();
    this.#perform(stepStreamLost(this.state));
  }

  lose(id: AcceptorId): void {
    if (this.state === null || this.state.phase === 'fenced' || !this.#contacts.has(id)) return;
    this.#contacts.delete(id);
    this.#perform(stepLost(this.state, id));
  }

  reconnect(id: AcceptorId): void {
    if (this.state?.members.find((each) => each.id === id)?.phase !== 'lost') return;
    this.#perform(stepReconnect(this.state, id));
  }

  #begin(state: ProposerState): boolean {
    if (!canStream(state)) return false;
    this.#streaming = true;
    // What Postgres kept beyond the commit position is streamed again.
    const kept = this.#windowStart <= state.commitLsn ? state.commitLsn - this.#windowStart : null;
    const tail =
      kept === null
        ? new Uint8Array(0)
        : this.#window.slice(
            kept,
            recordsEnd(this.#window.length + this.#windowStart - start) + start - this.#windowStart,
          );
    this.state = stepStreamBegins(state);
    this.#window = tail;
    this.#windowStart = state.commitLsn;
    if (tail.length > 0)
      this.#perform(stepReceived(this.state, lsn(state.commitLsn + tail.length)));
    return this.state.phase === 'leading';
  }

  #stamp(at: number): number {
    const number = Math.floor((at - start) / recordSize);
    return (number * 31 + this.state!.term * 7 + this.name.charCodeAt(0)) & 255;
  }

  #perform({ state, effects }: ProposerDecision): void {
    this.state = state;
    for (const effect of effects) this.#performEffect(state, effect);
  }

  #performEffect(state: ProposerState, effect: ProposerEffect): void {
    const { configuration, term, history, commitLsn, truncateLsn } = state;
    const { generation } = configuration;
    switch (effect.kind) {
      case 'greet':
        this.#renew(effect.to);
        this.#send(effect.to, { kind: 'greet', configuration }, (answer) =>
          stepGreeted(this.state!, answer as GreetingResult),
        );
        return;
      case 'requestVote':
        this.#send(effect.to, { kind: 'vote', generation, term }, (answer) =>
          stepVoted(this.state!, answer as VoteResult),
        );
        return;
      case 'install':
        this.world.onLeading(this, state);
        this.#send(
          effect.to,
          { kind: 'install', generation, term, history, start: effect.start },
          (answer) => stepInstalled(this.state!, answer as AppendResult),
        );
        return;
      case 'append': {
        const { to, begin, end } = effect;
        this.#append(to, {
          generation,
          term,
          begin,
          bytes: this.#slice(begin, end),
          commitLsn,
          truncateLsn,
        });
        return;
      }
      case 'relay': {
        const { from, to, begin } = effect;
        const contact = this.#contacts.get(to)!;
        this.world.send(this.#contacts.get(from)!, { kind: 'read', begin, term }, (answer) => {
          if (this.#contacts.get(to) !== contact || this.state?.phase !== 'leading') return;
          const bytes = answer as Uint8Array;
          this.state = stepRelayed(this.state, to, lsn(begin + bytes.length));
          this.#append(to, { generation, term, begin, bytes, commitLsn, truncateLsn });
        });
        return;
      }
      case 'commitMoved':
        this.world.onCommit(this, state);
        return;
      case 'settled':
      case 'fenced':
        return;
    }
  }

  #append(to: AcceptorId, append: Append): void {
    const end = append.bytes.length === 0 ? lsnZero : lsn(append.begin + append.bytes.length);
    this.#send(to, { kind: 'append', ...append }, (answer) =>
      stepAppended(this.state!, answer as AppendResult, end),
    );
  }

  #slice(begin: Lsn, end: Lsn): Uint8Array {
    if (begin === end) return new Uint8Array(0);
    assert.ok(begin >= this.#windowStart, 'the window holds what is sent');
    const bytes = this.#window.slice(begin - this.#windowStart, end - this.#windowStart);
    assert.equal(bytes.length, end - begin, 'the window holds what is sent');
    return bytes;
  }

  #renew(to: AcceptorId): void {
    this.#attempts += 1;
    const contact = { proposer: this, acceptor: to, attempt: this.#attempts, queue: [] };
    this.#contacts.set(to, contact);
  }

  #send(to: AcceptorId, request: Request, step: (answer: Answer) => ProposerDecision): void {
    const contact = this.#contacts.get(to);
    if (contact === undefined) return;
    this.world.send(contact, request, (answer) => {
      if (this.#contacts.get(to) === contact && this.state !== null) this.#perform(step(answer));
    });
  }
}

export class World {
  readonly configuration: Configuration;
  readonly acceptors = new Map<AcceptorId, ModelAcceptor>();
  contacts: Contact[] = [];
  /** Everything ever called committed, from `start` on. */
  committed = new Uint8Array(0);
  readonly #leaders = new Map<Term, ModelProposer>();
  readonly transcript: string[] = [];

  constructor(members: readonly AcceptorId[]) {
    this.configuration = { generation: 1, members, newMembers: null };
    for (const id of members) this.acceptors.set(id, new ModelAcceptor(id));
  }

  get commitLsn(): Lsn {
    return lsn(start + this.committed.length);
  }

  send(contact: Contact, request: Request, done: (answer: Answer) => void): void {
    if (!this.contacts.includes(contact)) this.contacts.push(contact);
    contact.queue.push({ request, done });
  }

  /** Contacts with messages on the way. */
  busy(): readonly Contact[] {
    this.contacts = this.contacts.filter(({ queue }) => queue.length > 0);
    return this.contacts;
  }

  /** The acceptor handles the contact's next message. `answered`: whether its answer arrives. */
  deliver(contact: Contact, answered = true): void {
    const next = contact.queue.shift();
    if (next === undefined) return;
    const acceptor = this.acceptors.get(contact.acceptor)!;
    const before = acceptor.state.term;
    try {
      acceptor.handle(next.request, (answer) => {
        if (answered) next.done(answer);
      });
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      assert.notEqual(failure.kind, 'corrupt', failure.message);
      contact.proposer.lose(contact.acceptor);
    }
    assert.ok(acceptor.state.term >= before, 'terms never go back');
  }

  /** Delivers and syncs until nothing is on the way. */
  settle(): void {
    for (let turns = 0; turns < 10_000; turns += 1) {
      const [contact] = this.busy();
      if (contact !== undefined) this.deliver(contact);
      else if ([...this.acceptors.values()].some(({ unsynced }) => unsynced.length > 0))
        for (const acceptor of this.acceptors.values()) acceptor.sync();
      else return;
    }
    assert.fail('the world does not come to rest');
  }

  onLeading(proposer: ModelProposer, { term }: ProposerState): void {
    const leader = this.#leaders.get(term) ?? proposer;
    assert.equal(leader, proposer, `term ${term} has one leader`);
    this.#leaders.set(term, proposer);
  }

  /** Somebody called everything up to `commitLsn` committed. */
  onCommit(_proposer: ModelProposer, { commitLsn, configuration }: ProposerState): void {
    const length = commitLsn - start;
    const holders = [...this.acceptors.values()].filter(
      ({ state, bytes }) => state.flushLsn >= commitLsn && bytes.length >= length,
    );
    const majority = Math.floor(configuration.members.length / 2) + 1;
    assert.ok(holders.length >= majority, 'a majority has what is committed');
    const content = this.#common(holders, length, majority);
    const shared = Math.min(content.length, this.committed.length);
    const same = Buffer.compare(content.subarray(0, shared), this.committed.subarray(0, shared));
    assert.equal(same, 0, 'committed WAL never changes');
    if (content.length > this.committed.length) this.committed = content;
  }

  /** Content that a majority agrees on. */
  #common(
    holders: readonly ModelAcceptor[],
    length: number,
    majority: number,
  ): Uint8Array<ArrayBuffer> {
    for (const { bytes } of holders) {
      const content = bytes.slice(0, length);
      const same = holders.filter(
        (each) => Buffer.compare(each.bytes.subarray(0, length), content) === 0,
      );
      if (same.length >= majority) return content;
    }
    return assert.fail('a majority has the same committed WAL');
  }
}

function recordsEnd(length: number): number {
  return length - (length % recordSize);
}

/** Delivers everything between a proposer and one acceptor, syncs included, until nothing is left. */
export function converse(world: World, proposer: ModelProposer, id: AcceptorId): void {
  for (;;) {
    const contact = world.busy().find((each) => each.proposer === proposer && each.acceptor === id);
    if (contact !== undefined) world.deliver(contact);
    else if (world.acceptors.get(id)!.unsynced.length > 0) world.acceptors.get(id)!.sync();
    else return;
  }
}
