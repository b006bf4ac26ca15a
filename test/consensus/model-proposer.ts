/**
 * ModelProposer: the proposer's core with a Postgres that writes bytes of its own, and a shell that does
 * what the real one does.
 *
 * A proposer that crashed begins anew, and is handed what its predecessor had asked for.
 */
import { Failure } from '../../src/base/failure.ts';
import { lsn, lsnZero, type Lsn } from '../../src/base/lsn.ts';
import { hostOf, type AcceptorId, type Configuration } from '../../src/consensus/membership.ts';
import {
  type Append,
  type AppendResult,
  type GreetingResult,
  type VoteResult,
} from '../../src/consensus/messages.ts';
import {
  isPresent,
  type ProposerDecision,
  type ProposerEffect,
  type ProposerState,
  type Relay,
} from '../../src/consensus/proposer-state.ts';
import {
  campaign,
  canStream,
  stepAppended,
  stepGreeted,
  stepInstalled,
  stepLost,
  stepReceived,
  stepReconfigure,
  stepReconnect,
  stepRelayed,
  stepRelayFailed,
  stepVoted,
} from '../../src/consensus/proposer.ts';
import { identity, recordSize, start, type Answer, type Request } from './model-acceptor.ts';
import { type World } from './world.ts';

/** Whom to ask, and in which contact. */
interface Address {
  readonly to: AcceptorId;
  readonly contact: number;
}

export class ModelProposer {
  readonly name: string;
  readonly world: World;
  state: ProposerState | null = null;
  /** Told of the end of an election. */
  onSettled: ((won: boolean) => void) | null = null;
  #contacts: number;
  #incarnation = 1;
  /** What its Postgres sent since `#windowStart`. */
  #window = Buffer.alloc(0);
  #windowStart = start;
  #streaming = false;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.#contacts = this.#firstContact();
  }

  /** Names the one that reigns: another incarnation is another. */
  get leader(): string {
    return `${this.name}${this.#incarnation}`;
  }

  elect(configuration: Configuration): void {
    this.#endStream();
    this.world.ledger.follows(configuration);
    this.#perform(campaign(configuration, this.#contacts));
  }

  /** Loses its memory. What it asked for is answered to its successor. */
  crash(): void {
    this.#incarnation += 1;
    this.#contacts = this.#firstContact();
    this.state = null;
    this.#endStream();
    this.#settle(false);
  }

  /** The reign is over. */
  release(): void {
    this.state = null;
    this.#endStream();
    this.#settle(false);
  }

  /** Postgres writes `size` bytes: whole records, unless a later write completes the last one. */
  write(size: number): boolean {
    if (this.state?.phase !== 'leading') return false;
    if (!this.#streaming && !this.#begin(this.state)) return false;
    const end = this.state.endLsn;
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 1) bytes[at] = this.#stamp(end + at, this.state.term);
    this.#window = Buffer.concat([this.#window, bytes]);
    this.world.ledger.wrote(this.state.term, end, bytes);
    this.#perform(stepReceived(this.state, lsn(end + size)));
    return true;
  }

  reconfigure(configuration: Configuration): boolean {
    const reigns = this.state !== null && this.state.phase !== 'fenced';
    if (reigns) this.#perform(stepReconfigure(this.state!, configuration));
    return reigns;
  }

  /** A member took too long to answer. */
  lose(id: AcceptorId): void {
    const contact = this.#contactOf(id);
    if (contact !== null) this.#perform(stepLost(this.state!, id, contact));
  }

  /** Contacts a lost member anew. */
  reconnect(id: AcceptorId): void {
    if (this.state?.members.find((each) => each.id === id)?.phase !== 'lost') return;
    const contact = this.#contactOf(id);
    if (contact !== null) this.#perform(stepReconnect(this.state, id, contact));
  }

  #contactOf(id: AcceptorId): number | null {
    if (this.state === null || this.state.phase === 'fenced') return null;
    return this.state.members.find((each) => each.id === id)?.contact ?? null;
  }

  #begin(state: ProposerState): boolean {
    if (!canStream(state) || state.commitLsn < state.endLsn) return false;
    this.#streaming = true;
    this.#windowStart = state.endLsn;
    return true;
  }

  #endStream(): void {
    this.#streaming = false;
    this.#window = Buffer.alloc(0);
  }

  /** No two terms write the same. */
  #stamp(at: number, term: number): number {
    return (Math.floor((at - start) / recordSize) * 31 + term * 7) & 255;
  }

  #firstContact(): number {
    return this.#incarnation * 1_000_000;
  }

  #settle(won: boolean): void {
    const told = this.onSettled;
    if (!won) this.onSettled = null;
    told?.(won);
  }

  #perform({ state, effects }: ProposerDecision): void {
    this.state = state;
    this.#contacts = state.contacts;
    this.world.ledger.follows(state.configuration);
    for (const effect of effects) this.#performEffect(state, effect);
  }

  #performEffect(state: ProposerState, effect: ProposerEffect): void {
    const { configuration, term, history } = state;
    const { generation } = configuration;
    switch (effect.kind) {
      case 'greet':
        this.#ask(effect, { kind: 'greet', to: effect.to, identity, configuration }, (answer) => {
          const result = answer as GreetingResult;
          this.#perform(stepGreeted(this.state!, effect.contact, result));
        });
        return;
      case 'requestVote':
        this.#ask(effect, { kind: 'vote', generation, term }, (answer) => {
          this.#perform(stepVoted(this.state!, effect.contact, answer as VoteResult));
        });
        return;
      case 'install': {
        this.world.ledger.elected(this.leader, state);
        const elected = { generation, term, history, start: effect.start };
        this.#ask(effect, { kind: 'install', ...elected }, (answer) => {
          this.#perform(stepInstalled(this.state!, effect.contact, answer as AppendResult));
        });
        return;
      }
      case 'append': {
        const { begin, end } = effect;
        this.#append(effect, begin, this.#slice(begin, end));
        return;
      }
      case 'relay':
        this.#relay(effect, { kind: 'read', begin: effect.begin, term });
        return;
      case 'commitMoved':
        this.world.ledger.commits(state, this.world.members);
        return;
      case 'settled':
        this.#settle(true);
        return;
      case 'fenced':
        this.#settle(false);
        return;
    }
  }

  #append(address: Address, begin: Lsn, bytes: Uint8Array): void {
    const { configuration, term, commitLsn, truncateLsn } = this.state!;
    const { generation } = configuration;
    const append: Append = { generation, term, begin, bytes, commitLsn, truncateLsn };
    const end = bytes.length === 0 ? lsnZero : lsn(begin + bytes.length);
    this.#ask(address, { kind: 'append', ...append }, (answer) => {
      const appended = { contact: address.contact, result: answer as AppendResult, end };
      this.#perform(stepAppended(this.state!, appended));
    });
  }

  #relay(relay: Relay, read: Request): void {
    this.world.ask(this.name, hostOf(relay.from), read, (answer) => {
      if (this.state === null || this.state.phase === 'fenced') return;
      const bytes = answer instanceof Failure ? null : (answer as Uint8Array);
      if (bytes === null || bytes.length === 0) {
        this.#perform(stepRelayFailed(this.state, relay));
        return;
      }
      const next = stepRelayed(this.state, relay, lsn(relay.begin + bytes.length));
      if (next === null) return;
      this.state = next;
      this.#append(relay, relay.begin, bytes);
    });
  }

  #ask({ to, contact }: Address, request: Request, done: (answer: Answer) => void): void {
    this.world.ask(this.name, hostOf(to), request, (answer) => {
      if (this.state === null) return;
      if (!(answer instanceof Failure)) done(answer);
      else if (isPresent(this.state, to, contact)) this.#onFailed({ to, contact }, answer);
    });
  }

  #onFailed({ to, contact }: Address, failure: Failure): void {
    const state = this.state!;
    if (state.phase === 'fenced') return;
    if (failure.code === 'generation_stale') this.#perform(stepReconnect(state, to, contact));
    else if (failure.kind === 'fenced') this.#fence(state);
    else this.#perform(stepLost(state, to, contact));
  }

  #fence(state: ProposerState): void {
    this.state = { ...state, phase: 'fenced' };
    this.#settle(false);
  }

  #slice(begin: Lsn, end: Lsn): Uint8Array {
    if (begin === end) return new Uint8Array(0);
    const bytes = this.#window.subarray(begin - this.#windowStart, end - this.#windowStart);
    if (begin < this.#windowStart || bytes.length !== end - begin)
      throw new Error('the window holds what is sent');
    return bytes;
  }
}
