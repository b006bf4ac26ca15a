/**
 * Membership: who the acceptors of a timeline are, and what a majority of them has.
 *
 * A configuration with `newMembers` is joint: both sets must agree. The generation rises with every
 * change; a message of another generation is refused.
 */
import { assert } from '../base/assert.ts';
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

/** Whether a majority (of both sets when joint) satisfies `agrees`. */
export function hasQuorum(
  configuration: Configuration,
  agrees: (id: AcceptorId) => boolean,
): boolean {
  return sets(configuration).every((set) => set.filter(agrees).length >= majority(set.length));
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
