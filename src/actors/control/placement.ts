/**
 * Placement: which hosts keep what of a branch.
 */
import { assert } from '../../base/assert.ts';
import { allMembers, hostOf, type Configuration } from '../../consensus/membership.ts';

/** A host on its own has a quorum of one, more have one of up to three: two may meet without a third. */
const membersMax = 3;

/** Acceptors of a new timeline: on `self` and on those that follow it in the list of hosts. */
export function placeMembers(hosts: readonly string[], self: string): Configuration {
  const members = following(hosts, self).slice(0, membersMax);
  return { generation: 1, members, newMembers: null };
}

/** Hosts that keep a new timeline's pages: members, and `self` first. */
export function placeCopies(configuration: Configuration, self: string, count: number): string[] {
  const members = allMembers(configuration).map(hostOf);
  return following(members, self).slice(0, count);
}

/** The hosts from `self` on, round and round. */
function following(hosts: readonly string[], self: string): string[] {
  const at = hosts.indexOf(self);
  assert(at >= 0, 'a host is one of its cluster');
  return [...hosts.slice(at), ...hosts.slice(0, at)];
}
