/**
 * Change: how a timeline's members become others, as a procedure that anyone can take up again.
 *
 * Where it stands is in the project document (`Membership`), and nowhere else. A joint configuration
 * there is a change under way: whoever reads it, after a crash of whoever drove it or beside him, goes
 * on (`resumeChange`) or calls it off (`abort`). Of two who swap the document one wins, and all that
 * lies between two swaps may be done twice. docs/membership.md tells the steps and why they suffice;
 * what a shell owes to each effect is in change-state.ts.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import {
  compute,
  type AskingPhase,
  type Asked,
  type ChangeDecision,
  type ChangeEffect,
  type ChangeEvent,
  type ChangeOutcome,
  type ChangePlan,
  type ChangeState,
  type Membership,
  type SwappingPhase,
} from './change-state.ts';
import { allMembers, hasMajority, hostOf, joinerId, type AcceptorId } from './membership.ts';
import { type ConfigureResult } from './messages.ts';
import { isOutOfReach, isReached, syncPoint } from './sync-point.ts';
import { termZero } from './term.ts';

/** Begins a change; it waits `patience` times. Fails with `change_under_way` or `change_invalid`. */
export function beginChange(
  membership: Membership,
  plan: ChangePlan,
  patience: number,
): ChangeDecision {
  const { members, newMembers, generation } = membership.configuration;
  ensure(newMembers === null, 'change_under_way', { generation });
  const staying = without(members, plan.remove);
  const target = [...staying, ...plan.addOn.map((host) => joinerId(host, generation + 1))];
  const known = plan.remove.every((id) => members.includes(id));
  const changes = plan.remove.length + plan.addOn.length > 0;
  const hosts = new Set(target.map(hostOf));
  const oneEach = target.length > 0 && hosts.size === target.length;
  ensure(known && changes && oneEach, 'change_invalid', {
    members: members.join(),
    remove: plan.remove.join(),
    addOn: plan.addOn.join(),
  });
  return enter(fresh(membership, target, patience), 'making');
}

/** Goes on with what the document says; when it says nothing is under way, makes sure of that. */
export function resumeChange(membership: Membership, patience: number): ChangeDecision {
  const { members, newMembers } = membership.configuration;
  const state = fresh(membership, newMembers ?? members, patience);
  return enter(state, newMembers === null ? 'settling' : 'announcing');
}

/**
 * Calls off what the document says is under way: the old members stay. Fails with `change_missing` and, when
 * the document names the new members alone already, with `change_decided`.
 */
export function abortChange(membership: Membership, patience: number): ChangeDecision {
  const { configuration, leaving } = membership;
  const { members, newMembers, generation } = configuration;
  // After an abort those leave who had joined by the generation before; else those whom they replaced.
  const aborted = leaving.some((id) => id === joinerId(hostOf(id), generation - 1));
  const decided = leaving.length > 0 && !aborted;
  ensure(newMembers !== null, decided ? 'change_decided' : 'change_missing', {
    members: members.join(),
    leaving: leaving.join(),
  });
  return onAbort(resumeChange(membership, patience).state);
}

export function stepChange(state: ChangeState, event: ChangeEvent): ChangeDecision {
  if (state.phase === 'ended') return nothing(state);
  switch (event.kind) {
    case 'made':
      return onDone(state, 'making', event.id);
    case 'left':
      return onDone(state, 'clearing', event.id);
    case 'notMade':
    case 'notLeft':
    case 'silent':
      return proceed(answered(state, event.id));
    case 'lost':
      return onLost(state, event.id);
    case 'configured':
      return onConfigured(state, event.result);
    case 'swapped':
      return onSwapped(state, event.to);
    case 'overtaken':
      return end(state, 'overtaken');
    case 'waited':
      return state.waiting && isAsking(state.phase) ? ask(state, state.phase) : nothing(state);
    case 'carrierLeads':
    case 'carrierAbsent':
    case 'carrierSilent':
      return onCarrier(state, event.kind);
    case 'elected':
      return nothing({ ...state, carrier: 'own' });
    case 'notElected':
      return nothing({ ...state, carrier: 'none' });
    case 'abort':
      return onAbort(state);
  }
}

function onDone(state: ChangeState, phase: AskingPhase, who: Asked): ChangeDecision {
  const counts = state.phase === phase && !state.done.includes(who);
  return proceed(answered(counts ? { ...state, done: [...state.done, who] } : state, who));
}

/** A joiner that has lost its log never comes back, and without it there is no way on. */
function onLost(state: ChangeState, id: AcceptorId): ChangeDecision {
  const isHopeless = state.phase === 'carrying' && joiners(state).includes(id);
  return isHopeless ? callOff(state) : proceed(answered(state, id));
}

function onConfigured(state: ChangeState, result: ConfigureResult): ChangeDecision {
  const { generation } = state.membership.configuration;
  if (result.generation !== generation) return nothing(state);
  const others = state.standings.filter(({ acceptor }) => acceptor !== result.acceptor);
  return proceed(answered({ ...state, standings: [...others, result] }, result.acceptor));
}

/** The document says what this phase wanted: news of another swap are void. */
function onSwapped(state: ChangeState, to: Membership): ChangeDecision {
  const { phase } = state;
  if (!isSwapping(phase)) return nothing(state);
  const membership = wanted(state, phase);
  if (JSON.stringify(membership) !== JSON.stringify(to)) return nothing(state);
  const next = { ...state, membership, standings: [], sync: null };
  switch (phase) {
    case 'opening':
      return enter(next, state.aborted ? 'aborting' : 'announcing');
    case 'closing':
      return enter(next, 'settling');
    case 'aborting':
      return enter({ ...next, target: membership.configuration.members }, 'settling');
    case 'noting':
      return end(next, 'done');
  }
}

function onCarrier(
  state: ChangeState,
  said: 'carrierLeads' | 'carrierAbsent' | 'carrierSilent',
): ChangeDecision {
  if (said !== 'carrierSilent' && state.phase === 'settling')
    return onDone(state, 'settling', compute);
  const next = proceed(answered(state, compute));
  const alone = next.state.phase === 'carrying' && said === 'carrierAbsent';
  if (!alone || next.state.carrier !== 'none') return next;
  const { configuration } = state.membership;
  return {
    state: { ...next.state, carrier: 'electing' },
    effects: [...next.effects, { kind: 'elect', configuration }],
  };
}

/** Once the document names the new members alone, it is too late. */
function onAbort(state: ChangeState): ChangeDecision {
  const { phase } = state;
  if (phase === 'making') return end(state, 'failed');
  if (phase === 'opening') return nothing({ ...state, aborted: true });
  const joint = phase === 'announcing' || phase === 'carrying';
  return joint ? callOff(state) : nothing(state);
}

function callOff(state: ChangeState): ChangeDecision {
  return enter({ ...state, aborted: true }, 'aborting');
}

/** What the document is to say after this phase. */
function wanted({ membership, target, done }: ChangeState, phase: SwappingPhase): Membership {
  const { configuration, leaving } = membership;
  const { members } = configuration;
  const generation = configuration.generation + 1;
  switch (phase) {
    case 'opening':
      return { configuration: { generation, members, newMembers: target }, leaving };
    case 'closing': {
      const gone = without(members, target);
      const alone = { generation, members: target, newMembers: null };
      return { configuration: alone, leaving: [...leaving, ...gone] };
    }
    case 'aborting': {
      const gone = without(target, members);
      const alone = { generation, members, newMembers: null };
      return { configuration: alone, leaving: [...leaving, ...gone] };
    }
    case 'noting':
      return { configuration, leaving: without(leaving, done) };
  }
}

function enter(state: ChangeState, phase: AskingPhase | SwappingPhase): ChangeDecision {
  if (isAsking(phase)) return ask({ ...state, phase, done: [] }, phase);
  const swap = { kind: 'swap', from: state.membership, to: wanted(state, phase) } as const;
  const next: ChangeState = { ...state, phase, waiting: false, carrier: 'none' };
  return { state: next, effects: [...release(state), swap] };
}

/** A round: whoever has not done its part is asked, or asked again. */
function ask(state: ChangeState, phase: AskingPhase): ChangeDecision {
  const awaited = without(involved(state, phase), state.done);
  const asked: ChangeState = { ...state, awaited, waiting: false };
  const next = proceed(asked);
  if (next.state !== asked) return next;
  return { state: asked, effects: awaited.map((who) => question(state, phase, who)) };
}

/** Whoever a phase needs something of. */
function involved(state: ChangeState, phase: AskingPhase): readonly Asked[] {
  const { configuration, leaving } = state.membership;
  switch (phase) {
    case 'making':
      return joiners(state);
    case 'announcing':
      return configuration.members;
    case 'carrying':
      return [...allMembers(configuration), ...(state.carrier === 'none' ? [compute] : [])];
    case 'settling':
      return [...state.target, compute];
    case 'clearing':
      return leaving;
  }
}

function question(state: ChangeState, phase: AskingPhase, who: Asked): ChangeEffect {
  const { membership, target, sync, waits } = state;
  const { configuration } = membership;
  if (who === compute) return { kind: 'carry', configuration };
  if (phase === 'clearing') return { kind: 'leave', id: who, configuration };
  if (phase !== 'making')
    return { kind: 'configure', to: who, configuration, term: sync?.term ?? termZero };
  // A donor that stays, and another one each time.
  const { members } = configuration;
  const donors = [...members.filter((id) => target.includes(id)), ...without(members, target)];
  return { kind: 'makeMember', id: who, from: donors[waits % donors.length]! };
}

/** On to the next phase when this one's work is done; else waits for answers, or for a while. */
function proceed(state: ChangeState): ChangeDecision {
  const { phase, awaited, waits, patience } = state;
  if (!isAsking(phase)) return nothing(state);
  const onward = conclude(state, phase);
  if (onward !== null) return onward;
  if (awaited.length > 0 || state.waiting) return nothing(state);
  if (waits === patience) return end(state, phase === 'making' ? 'failed' : 'stuck');
  return { state: { ...state, waiting: true, waits: waits + 1 }, effects: [{ kind: 'wait' }] };
}

/** What follows when the phase's work is done, or can never be; null while it goes on. */
function conclude(state: ChangeState, phase: AskingPhase): ChangeDecision | null {
  const { awaited, done, standings, target, sync } = state;
  const { members } = state.membership.configuration;
  const known = { joiners: joiners(state), standings };
  switch (phase) {
    case 'making':
      return known.joiners.every((id) => done.includes(id)) ? enter(state, 'opening') : null;
    case 'announcing': {
      const reached = syncPoint(members, standings);
      return reached === null ? null : enter({ ...state, sync: reached }, 'carrying');
    }
    case 'carrying': {
      assert(sync !== null, 'the old members are asked first');
      if (isReached(sync, target, known)) return enter(state, 'closing');
      const hopeless = awaited.length === 0 && isOutOfReach(members, known);
      return hopeless ? callOff(state) : null;
    }
    case 'settling':
      return isSettled(state) ? enter(state, 'clearing') : null;
    case 'clearing':
      if (awaited.length > 0) return null;
      return done.length > 0 ? enter(state, 'noting') : end(state, 'done');
  }
}

/** A majority follows the configuration, and a compute that runs does. */
function isSettled({ target, standings, done }: ChangeState): boolean {
  const following = standings.map(({ acceptor }) => acceptor);
  return hasMajority(target, (id) => following.includes(id)) && done.includes(compute);
}

function joiners({ target, membership }: ChangeState): readonly AcceptorId[] {
  return without(target, membership.configuration.members);
}

function answered(state: ChangeState, who: Asked): ChangeState {
  return { ...state, awaited: without(state.awaited, [who]) };
}

function end(state: ChangeState, outcome: ChangeOutcome): ChangeDecision {
  const called = outcome === 'done' && state.aborted ? 'aborted' : outcome;
  return {
    state: { ...state, phase: 'ended' },
    effects: [...release(state), { kind: 'ended', outcome: called }],
  };
}

function release({ carrier }: ChangeState): readonly ChangeEffect[] {
  return carrier === 'none' ? [] : [{ kind: 'release' }];
}

function fresh(
  membership: Membership,
  target: readonly AcceptorId[],
  patience: number,
): ChangeState {
  return {
    phase: 'making',
    membership,
    target,
    done: [],
    awaited: [],
    standings: [],
    sync: null,
    carrier: 'none',
    waiting: false,
    waits: 0,
    patience,
    aborted: false,
  };
}

function isAsking(phase: ChangeState['phase']): phase is AskingPhase {
  return (asking as readonly string[]).includes(phase);
}
function isSwapping(phase: ChangeState['phase']): phase is SwappingPhase {
  return !isAsking(phase) && phase !== 'ended';
}
const asking: readonly AskingPhase[] = ['making', 'announcing', 'carrying', 'settling', 'clearing'];

function without(ids: readonly AcceptorId[], gone: readonly AcceptorId[]): readonly AcceptorId[] {
  return ids.filter((id) => !gone.includes(id));
}

function nothing(state: ChangeState): ChangeDecision {
  return { state, effects: [] };
}
