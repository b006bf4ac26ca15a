/**
 * ProposerState: what a proposer knows of its reign and of each member, and what it may ask of its
 * shell.
 *
 * Contacts with members are numbered, never twice with the same number: whatever is answered to an
 * earlier contact is void, and so are news of it.
 */
import { assert } from '../base/assert.ts';
import { lsnZero, type Lsn } from '../base/lsn.ts';
import { type AcceptorId, type Configuration } from './membership.ts';
import { type VoteResult } from './messages.ts';
import { termZero, type Term, type TermHistory } from './term.ts';

export interface MemberState {
  readonly id: AcceptorId;
  /** Number of the present contact; 0 before the first. */
  readonly contact: number;
  /**
   * `contacting` greeted, no answer yet · `greeted` asked for its vote · `voted` for this term ·
   * `joining` is being brought to our history · `following` · `lost` until it is contacted anew.
   */
  readonly phase: 'contacting' | 'greeted' | 'voted' | 'joining' | 'following' | 'lost';
  readonly term: Term;
  readonly vote: VoteResult | null;
  /** On its disk; of our log only while it follows. */
  readonly flushLsn: Lsn;
  /** End of what was sent to it, and of what it has answered for. */
  readonly sentLsn: Lsn;
  readonly answeredLsn: Lsn;
  /** The last record's end that is known, at or below `sentLsn`: WAL of others is handed on from there. */
  readonly recordLsn: Lsn;
  /** The commit position it was last sent. */
  readonly toldLsn: Lsn;
  /** Waits for WAL from another acceptor. */
  readonly relaying: boolean;
}

export interface ProposerState {
  readonly configuration: Configuration;
  readonly phase: 'greeting' | 'voting' | 'leading' | 'fenced';
  readonly term: Term;
  /** Where this term's log begins: the end of the best log among the voters. */
  readonly termStart: Lsn;
  readonly history: TermHistory;
  /** Start of the record that ends at `termStart`. */
  readonly lastRecordStart: Lsn;
  /** Whose log was the best. */
  readonly donor: AcceptorId | null;
  /** Whether a majority has everything up to `termStart`. */
  readonly settled: boolean;
  /** WAL of [windowLsn, endLsn) is in the shell's hands. A term writes every position once. */
  readonly windowLsn: Lsn;
  readonly endLsn: Lsn;
  readonly commitLsn: Lsn;
  readonly truncateLsn: Lsn;
  readonly members: readonly MemberState[];
  /** Number of the last contact. */
  readonly contacts: number;
}

/** `contact` numbers the contact that an effect belongs to: answers and failures name it again. */
export type ProposerEffect =
  /** Begins a contact: what is under way of an earlier one is void. */
  | { readonly kind: 'greet'; readonly to: AcceptorId; readonly contact: number }
  | { readonly kind: 'requestVote'; readonly to: AcceptorId; readonly contact: number }
  | {
      readonly kind: 'install';
      readonly to: AcceptorId;
      readonly contact: number;
      readonly start: Lsn;
    }
  /** Bytes of the window; none when begin equals end: then only the LSNs matter. */
  | {
      readonly kind: 'append';
      readonly to: AcceptorId;
      readonly contact: number;
      readonly begin: Lsn;
      readonly end: Lsn;
    }
  /** Whole records from another's log, which the shell appends to `to`'s. */
  | ({ readonly kind: 'relay' } & Relay)
  /** A majority has the log up to `termStart`: records may be added. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'commitMoved' }
  /** Somebody has, or was given, `term`: nothing of ours will ever be committed again. */
  | { readonly kind: 'fenced'; readonly term: Term };

/** WAL from `begin` on, on its way from one member to another, in the present contacts with both. */
export interface Relay {
  readonly begin: Lsn;
  readonly from: AcceptorId;
  readonly fromContact: number;
  readonly to: AcceptorId;
  readonly contact: number;
}

export interface ProposerDecision {
  readonly state: ProposerState;
  readonly effects: readonly ProposerEffect[];
}

export function newMember(id: AcceptorId): MemberState {
  return {
    id,
    contact: 0,
    phase: 'contacting',
    term: termZero,
    vote: null,
    flushLsn: lsnZero,
    sentLsn: lsnZero,
    answeredLsn: lsnZero,
    recordLsn: lsnZero,
    toldLsn: lsnZero,
    relaying: false,
  };
}

export function member(state: ProposerState, id: AcceptorId): MemberState {
  const found = state.members.find((each) => each.id === id);
  assert(found !== undefined, 'only members are spoken of');
  return found;
}

/** The member in that contact and phase; null when either is past, and the news with it. */
export function inContact(
  state: ProposerState,
  id: AcceptorId,
  contact: number,
  phase: MemberState['phase'],
): MemberState | null {
  const found = state.members.find((each) => each.id === id);
  const present = found?.contact === contact && found.phase === phase;
  return present ? found : null;
}

export function isPresent(state: ProposerState, id: AcceptorId, contact: number): boolean {
  return state.members.some((each) => each.id === id && each.contact === contact);
}

export function withMember(
  state: ProposerState,
  id: AcceptorId,
  change: Partial<MemberState>,
): ProposerState {
  const members = state.members.map((each) => (each.id === id ? { ...each, ...change } : each));
  return { ...state, members };
}

/** Greets these members: a new contact with each. */
export function contactAnew(state: ProposerState, ids: readonly AcceptorId[]): ProposerDecision {
  let next = state;
  const effects: ProposerEffect[] = [];
  for (const id of ids) {
    const contact = next.contacts + 1;
    next = withMember(next, id, { contact, phase: 'contacting', relaying: false });
    next = { ...next, contacts: contact };
    effects.push({ kind: 'greet', to: id, contact });
  }
  return { state: next, effects };
}
