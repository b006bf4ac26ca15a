/**
 * Placement: which hosts keep what of a branch.
 */
import { assert } from '../../base/assert.ts';
import { allMembers, type AcceptorId, type Configuration } from '../../consensus/membership.ts';

/** A host on its own has a quorum of one, more have one of up to three: two may meet without a third. */
const membersMax = 3;

/** The host of an acceptor: `b` of `b`, and of `b.2`, which follows on one whose disk was lost. */
export function hostOfMember(member: AcceptorId): string {
  return member.split('.')[0]!;
}

/** Acceptors of a new timeline: on `self` and on those that follow it in the list of hosts. */
export function placeMembers(hosts: readonly string[], self: string): Configuration {
  const members = following(hosts, self).slice(0, membersMax);
  return { generation: 1, members, newMembers: null };
}

/** Hosts that keep a new timeline's pages: members, and `self` first. */
export function placeCopies(configuration: Configuration, self: string, count: number): string[] {
  const members = allMembers(configuration).map(hostOfMember);
  return following(members, self).slice(0, count);
}

/** The member on a host, or null; while one follows on another there, the one that joins. */
export function memberOn(configuration: Configuration, host: string): AcceptorId | null {
  return allMembers(configuration).findLast((id) => hostOfMember(id) === host) ?? null;
}

/** The hosts from `self` on, round and round. */
function following(hosts: readonly string[], self: string): string[] {
  const at = hosts.indexOf(self);
  assert(at >= 0, 'a host is one of its cluster');
  return [...hosts.slice(at), ...hosts.slice(0, at)];
}
