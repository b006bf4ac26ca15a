/**
 * Project: what all hosts know of their branches and endpoints, as one value. Changes make a new one.
 *
 * Kept in the object store as `projects/<name>.json`: `{ "version": 2, "crc": …, "project": { … } }`,
 * the CRC-32C over the project's JSON text. It is swapped, never overwritten.
 */
import { assert } from '../../base/assert.ts';
import { crc32c } from '../../base/crc32c.ts';
import { ensure, Failure } from '../../base/failure.ts';
import { lsnZero, type Lsn } from '../../base/lsn.ts';
import {
  allMembers,
  hostOf,
  type AcceptorId,
  type Configuration,
} from '../../consensus/membership.ts';

export interface Project {
  readonly name: string;
  readonly major: number;
  /** Decimal text of the 64-bit system identifier. */
  readonly systemId: string;
  readonly segment_bytes: number;
  /** In order of creation, so that a parent stands before its children. */
  readonly branches: readonly Branch[];
  /** Deleted branches, while hosts have not cleared away what they keep of them. */
  readonly deleted: readonly DeletedBranch[];
}

export interface Branch {
  readonly name: string;
  readonly timeline: string;
  readonly parent: string | null;
  readonly ancestor: Ancestor | null;
  readonly createdAt_ms: number;
  /** The acceptors of its WAL. */
  readonly configuration: Configuration;
  /**
   * Members whose host could not be reached when the branch was made. A host takes itself off this list
   * before it makes its acceptor, so that none is ever made twice and forgets what it promised.
   */
  readonly pending: readonly AcceptorId[];
  /** Members no more, whose hosts have not said yet that their logs are deleted. */
  readonly leaving: readonly AcceptorId[];
  /** Hosts that keep its pages. */
  readonly copies: readonly string[];
  /** Host its Postgres runs on, or ran last; null until one was started. */
  readonly host: string | null;
  /** TCP port of its Postgres; null until one was started. */
  readonly port: number | null;
  /** A host that comes up starts the endpoints that ran on it when it stopped. */
  readonly running: boolean;
}

/** The timeline a branch grows from. Not always its parent's: the point may lie further back. */
export interface Ancestor {
  readonly timeline: string;
  readonly lsn: Lsn;
}

export interface DeletedBranch {
  readonly timeline: string;
  readonly hosts: readonly string[];
}

const version = 2;
const namePattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

export function encodeProject(project: Project): Uint8Array {
  const crc = checksum(project);
  return new TextEncoder().encode(`${JSON.stringify({ version, crc, project }, null, 2)}\n`);
}

/** Fails with `project_file_damaged` or `project_file_version`. */
export function decodeProject(bytes: Uint8Array, path: string): Project {
  return decode(bytes, path, version) as Project; // the checksum holds, so it is what was encoded
}

/** The first version knew one host, and its quorum of one. */
export interface OldProject extends Omit<Project, 'branches' | 'deleted'> {
  readonly branches: readonly Omit<
    Branch,
    'configuration' | 'pending' | 'leaving' | 'copies' | 'host'
  >[];
}

/** Fails as `decodeProject` does. */
export function decodeOldProject(bytes: Uint8Array, path: string): OldProject {
  return decode(bytes, path, 1) as OldProject;
}

function decode(bytes: Uint8Array, path: string, expected: number): unknown {
  const file = parse(bytes, path);
  const found = String(file.version);
  ensure(file.version === expected, 'project_file_version', { path, found, expected });
  ensure(file.crc === checksum(file.project), 'project_file_damaged', { path, reason: 'checksum' });
  return file.project;
}

/** Fails with `branch_missing`. */
export function findBranch(project: Project, name: string): Branch {
  const branch = project.branches.find((one) => one.name === name);
  ensure(branch !== undefined, 'branch_missing', { branch: name });
  return branch;
}

/** The branch that writes a timeline, or null. */
export function branchOf(project: Project, timeline: string): Branch | null {
  return project.branches.find((one) => one.timeline === timeline) ?? null;
}

/** Fails with `branch_name_invalid` or `branch_exists`. */
export function addBranch(project: Project, branch: Branch): Project {
  checkNewName(project, branch.name);
  const parent = branch.ancestor?.timeline ?? null;
  ensure(parent === null || branchOf(project, parent) !== null, 'branch_missing', {
    branch: branch.parent,
  });
  return { ...project, branches: [...project.branches, branch] };
}

export function checkNewName(project: Project, name: string): void {
  ensure(namePattern.test(name), 'branch_name_invalid', {
    branch: name,
    allowed: namePattern.source,
  });
  const taken = project.branches.some((one) => one.name === name);
  ensure(!taken, 'branch_exists', { branch: name });
}

/**
 * Fails with `branch_missing`, `branch_in_use`, `branch_has_children` or, for the first branch,
 * `branch_is_root`.
 */
export function removeBranch(project: Project, name: string): Project {
  const branch = findBranch(project, name);
  ensure(!branch.running, 'branch_in_use', { branch: name });
  ensure(branch.ancestor !== null, 'branch_is_root', { branch: name });
  const child = project.branches.find((one) => one.ancestor?.timeline === branch.timeline);
  ensure(child === undefined, 'branch_has_children', { branch: name, child: child?.name ?? null });
  const { timeline } = branch;
  return {
    ...project,
    branches: project.branches.filter((one) => one !== branch),
    deleted: [...project.deleted, { timeline, hosts: hostsOf(branch) }],
  };
}

/** Nothing happens when there is no such branch any more. */
export function changeBranch(project: Project, name: string, change: Partial<Branch>): Project {
  const changed = project.branches.map((one) => (one.name === name ? { ...one, ...change } : one));
  return { ...project, branches: changed };
}

/** A host has nothing of a deleted timeline any more. */
export function clearedAway(project: Project, timeline: string, host: string): Project {
  const deleted = project.deleted
    .map((one) =>
      one.timeline === timeline
        ? { ...one, hosts: one.hosts.filter((each) => each !== host) }
        : one,
    )
    .filter(({ hosts }) => hosts.length > 0);
  return { ...project, deleted };
}

/** Whether no other host has anything of a deleted timeline any more. */
export function isLastOf({ deleted }: Project, timeline: string, host: string): boolean {
  return deleted.some(
    ({ timeline: each, hosts }) => each === timeline && hosts.every((other) => other === host),
  );
}

/** Every host that keeps something of a branch. */
export function hostsOf({ configuration, leaving, copies }: Branch): readonly string[] {
  const members = [...allMembers(configuration), ...leaving];
  return [...new Set([...members.map(hostOf), ...copies])];
}

/** A branch and those it grows from, oldest first. */
export function ancestry(project: Project, branch: Branch): readonly Branch[] {
  const line: Branch[] = [];
  for (let next: Branch | null = branch; next !== null;) {
    line.unshift(next);
    const { ancestor }: Branch = next;
    next = ancestor === null ? null : branchOf(project, ancestor.timeline);
  }
  return line;
}

/** A stretch of a branch's WAL and the timeline that wrote it. */
export interface WrittenRange {
  readonly timeline: string;
  /** 0 for the first timeline: its acceptor knows where its log begins. */
  readonly from: Lsn;
  /** null for the branch's own timeline: it goes on. */
  readonly to: Lsn | null;
}

/** Who wrote a branch's WAL, oldest first, without gaps. Fails with `branch_missing`. */
export function walRanges(project: Project, name: string): readonly WrittenRange[] {
  const ranges: WrittenRange[] = [];
  let to: Lsn | null = null;
  let branch: Branch | undefined = findBranch(project, name);
  while (branch !== undefined) {
    const { timeline, ancestor }: Branch = branch;
    const from = ancestor?.lsn ?? lsnZero;
    assert(to === null || from <= to, 'a branch grows from what its ancestor has');
    if (to === null || from < to) ranges.unshift({ timeline, from, to });
    to = from;
    branch = project.branches.find((one) => one.timeline === ancestor?.timeline);
  }
  return ranges;
}

interface ProjectFile {
  readonly version: number;
  readonly crc: number;
  readonly project: unknown;
}

function parse(bytes: Uint8Array, path: string): ProjectFile {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as ProjectFile;
  } catch (cause) {
    throw new Failure('project_file_damaged', { path, reason: String(cause) }, cause);
  }
}

function checksum(project: unknown): number {
  return crc32c(new TextEncoder().encode(JSON.stringify(project)));
}
