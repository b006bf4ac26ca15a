/**
 * ChangeState: how far a change of members has come, and what it may ask of its shell.
 *
 * The shell's contract: each effect is one request and gives one event, in any order; all but `swap`
 * and `ended` may be lost, done late or done twice.
 *  - `makeMember`: the host of `id` begins its log, as `describeLog` of the acceptor `from` tells. That
 *    host first reads the document, and refuses unless `mayBegin`. → `made`, `notMade`
 *  - `swap`: the document says `to` instead of `from`. Tried again while others change other parts of
 *    it; done too when it says `to` already. → `swapped` with this `to`, `overtaken`
 *  - `configure`: `setConfiguration` of the acceptor. → `configured`; when it refuses, what `refused` says
 *    of that; else `silent`
 *  - `carry`: `reconfigure` of the proposer of the branch's compute. → `carrierLeads`; `carrierAbsent`
 *    when none runs, or it has no reign; `carrierSilent` when that is not known
 *  - `elect`: a proposer of one's own is elected under the configuration, without a Postgres.
 *    → `elected`, `notElected`; the latter also later, when its reign has ended
 *  - `release`: that reign ends. No event.
 *  - `leave`: the host of `id` deletes its log, by `leaveTimeline`. Done when it has none.
 *    → `left`, `notLeft`
 *  - `wait`: a pause of about a second. → `waited`
 *  - `ended`: nothing follows. After `overtaken` the document says something else: read it again.
 */
import { type Failure } from '../base/failure.ts';
import { type AcceptorId, type Configuration } from './membership.ts';
import { type ConfigureResult } from './messages.ts';
import { type SyncPoint } from './sync-point.ts';
import { type Term } from './term.ts';

/** What the project document says of a timeline's members. */
export interface Membership {
  readonly configuration: Configuration;
  /** Members no more, whose hosts have not said yet that their logs are deleted. */
  readonly leaving: readonly AcceptorId[];
}

/** Who is to go, and on which hosts somebody is to come. */
export interface ChangePlan {
  readonly remove: readonly AcceptorId[];
  readonly addOn: readonly string[];
}

/**
 * `done` · `aborted`: the old members stay · `failed`: nothing was begun · `overtaken` by another ·
 * `stuck`: somebody needed did not answer; what is done stands, and can be resumed or aborted.
 */
export type ChangeOutcome = 'done' | 'aborted' | 'failed' | 'overtaken' | 'stuck';

/** Phases in which somebody is asked, again and again, until enough have done their part. */
export type AskingPhase = 'making' | 'announcing' | 'carrying' | 'settling' | 'clearing';
/** Phases in which the document is changed. */
export type SwappingPhase = 'opening' | 'closing' | 'aborting' | 'noting';

export interface ChangeState {
  /**
   * `making` the joiners' logs · `opening` the joint configuration · `announcing` it to the old
   * members · `carrying` the log to the new ones · `closing`, or `aborting`: one set remains ·
   * `settling` its members · `clearing` what the others keep · `noting` that it is gone.
   */
  readonly phase: AskingPhase | SwappingPhase | 'ended';
  /** What the document says, as far as is known. */
  readonly membership: Membership;
  /** Who are to be the members. */
  readonly target: readonly AcceptorId[];
  /** Whoever has done its part in this phase. */
  readonly done: readonly Asked[];
  /** Whoever was asked and has not answered yet. */
  readonly awaited: readonly Asked[];
  /** The last answers to `configure`, in this configuration. */
  readonly standings: readonly ConfigureResult[];
  /** What the new members must have reached. */
  readonly sync: SyncPoint | null;
  /** A proposer elected for nothing but to bring the log to the new members. */
  readonly carrier: 'none' | 'electing' | 'own';
  readonly waiting: boolean;
  /** How often it has waited for somebody; after `patience` times it is stuck. */
  readonly waits: number;
  readonly patience: number;
  readonly aborted: boolean;
}

/** A member's id; or `compute`, the branch's, whose proposer follows the members. */
export type Asked = string;
export const compute: Asked = '(compute)';

export type ChangeEffect =
  | { readonly kind: 'makeMember'; readonly id: AcceptorId; readonly from: AcceptorId }
  | { readonly kind: 'swap'; readonly from: Membership; readonly to: Membership }
  | {
      readonly kind: 'configure';
      readonly to: AcceptorId;
      readonly configuration: Configuration;
      readonly term: Term;
    }
  | { readonly kind: 'carry'; readonly configuration: Configuration }
  | { readonly kind: 'elect'; readonly configuration: Configuration }
  | { readonly kind: 'release' }
  | { readonly kind: 'leave'; readonly id: AcceptorId; readonly configuration: Configuration }
  | { readonly kind: 'wait' }
  | { readonly kind: 'ended'; readonly outcome: ChangeOutcome };

export type ChangeEvent =
  | { readonly kind: 'made' | 'notMade' | 'silent' | 'left' | 'notLeft'; readonly id: AcceptorId }
  | { readonly kind: 'configured'; readonly result: ConfigureResult }
  /** It is one of the configuration's and has no log: it never has one again. */
  | { readonly kind: 'lost'; readonly id: AcceptorId }
  | { readonly kind: 'swapped'; readonly to: Membership }
  | { readonly kind: 'overtaken' | 'waited' }
  | { readonly kind: 'carrierLeads' | 'carrierAbsent' | 'carrierSilent' }
  | { readonly kind: 'elected' | 'notElected' }
  /** Somebody has had enough: the old members are to stay, unless it is too late. */
  | { readonly kind: 'abort' };

export interface ChangeDecision {
  readonly state: ChangeState;
  readonly effects: readonly ChangeEffect[];
}

/** What it means that the acceptor `id` refuses to follow a configuration. */
export function refused(id: AcceptorId, { code, values }: Failure): ChangeEvent {
  if (code === 'generation_stale') return { kind: 'overtaken' };
  const isLost = code === 'acceptor_missing' && values['acceptor'] === id;
  return { kind: isLost ? 'lost' : 'silent', id };
}
