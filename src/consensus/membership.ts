/**
 * Membership: who the acceptors of a timeline are, and what a majority of them has.
 *
 * A configuration with `newMembers` is joint: both sets must agree. The generation rises with every
 * change, and belongs to one configuration only: whoever meets a higher one follows it, and a message
 * of a lower one is refused.
 *
 * A member is a log on one host's disk, not the host: its id is the host's name or, for one that
 * joined later, `<host>.<generation>` after the configuration that it joined by. As generations are
 * never used twice, neither are ids: whoever lost its disk cannot come back as itself.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { lsnZero, minLsn, type Lsn } from '../base/lsn.ts';

export type AcceptorId = string;

export interface Configuration {
  /** 1 for the first; a higher one replaces a lower one. */
  readonly generation: number;
  readonly members: readonly AcceptorId[];
  /** null unless the configuration is joint. */
  readonly newMembers: readonly AcceptorId[] | null;
}

export function allMembers(configuration: Configuration): readonly AcceptorId[] {
  return [...new Set([...configuration.members, ...(configuration.newMembers ?? [])])];
}

export function isMember({ members, newMembers }: Configuration, id: AcceptorId): boolean {
  return members.includes(id) || (newMembers !== null && newMembers.includes(id));
}

/** The id of a member that joins on `host` by the configuration of `generation`. */
export function joinerId(host: string, generation: number): AcceptorId {
  return `${host}.${generation}`;
}

/** The host of a member: `b` of `b`, and of `b.2`, which follows on one whose disk was lost. */
export function hostOf(id: AcceptorId): string {
  return id.split('.', 1)[0]!;
}

/** The member that lives on a host: where one joins in another's place, the one that joins. */
export function memberOn(configuration: Configuration, host: string): AcceptorId | null {
  const there = allMembers(configuration).filter((id) => hostOf(id) === host);
  return there.sort((a, b) => firstGenerationOf(b) - firstGenerationOf(a))[0] ?? null;
}

/** The generation of the configuration that first had this member. */
function firstGenerationOf(id: AcceptorId): number {
  const [, joined] = id.split('.');
  return joined === undefined ? 1 : Number(joined);
}

/**
 * Whether a joiner's log may be begun, given the configuration in the project document. Once a document
 * has reached its generation it may have voted: what is missing then is lost, and not begun again.
 */
export function mayBegin({ generation }: Configuration, id: AcceptorId): boolean {
  return firstGenerationOf(id) > generation;
}

/** Whether what a host keeps of this member is nobody's, now and for ever. */
export function mayDelete(configuration: Configuration, id: AcceptorId): boolean {
  return !mayBegin(configuration, id) && !isMember(configuration, id);
}

/** Fails with `configuration_contradicts` when one generation stands for two configurations. */
export function ensureNoContradiction(own: Configuration, other: Configuration): void {
  if (own.generation !== other.generation) return;
  ensure(spelled(own) === spelled(other), 'configuration_contradicts', {
    generation: own.generation,
    own: spelled(own),
    other: spelled(other),
  });
}

/** Whether a majority (of both sets when joint) satisfies `agrees`. */
export function hasQuorum(
  configuration: Configuration,
  agrees: (id: AcceptorId) => boolean,
): boolean {
  return sets(configuration).every((set) => hasMajority(set, agrees));
}

export function hasMajority(
  set: readonly AcceptorId[],
  agrees: (id: AcceptorId) => boolean,
): boolean {
  return set.filter(agrees).length >= majority(set.length);
}

/** The highest LSN that a majority (of both sets when joint) has reached. */
export function quorumLsn(configuration: Configuration, reached: (id: AcceptorId) => Lsn): Lsn {
  const { members, newMembers } = configuration;
  const own = majorityLsn(members, reached);
  return newMembers === null ? own : minLsn(own, majorityLsn(newMembers, reached));
}

function majorityLsn(set: readonly AcceptorId[], reached: (id: AcceptorId) => Lsn): Lsn {
  if (set.length === 1) return reached(set[0]!);
  const sorted = set.map(reached).sort((a, b) => b - a);
  return sorted[majority(set.length) - 1] ?? lsnZero;
}

function majority(count: number): number {
  assert(count > 0, 'a configuration has members');
  return Math.floor(count / 2) + 1;
}

function sets(configuration: Configuration): readonly (readonly AcceptorId[])[] {
  const { members, newMembers } = configuration;
  return newMembers === null ? [members] : [members, newMembers];
}

function spelled({ members, newMembers }: Configuration): string {
  return newMembers === null ? members.join() : `${members.join()} -> ${newMembers.join()}`;
}
