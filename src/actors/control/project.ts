/**
 * Project: what control knows about its branches and endpoints, as one value. Changes make a new one.
 *
 * Kept in `project.json`: `{ "version": 1, "crc": …, "project": { … } }`, the CRC-32C over the
 * project's JSON text.
 */
import { crc32c } from '../../base/crc32c.ts';
import { ensure, Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';

export interface Project {
  readonly name: string;
  readonly major: number;
  /** Decimal text of the 64-bit system identifier. */
  readonly systemId: string;
  readonly segment_bytes: number;
  /** In order of creation, so that a parent stands before its children. */
  readonly branches: readonly Branch[];
}

export interface Branch {
  readonly name: string;
  readonly timeline: string;
  readonly parent: string | null;
  readonly ancestor: Ancestor | null;
  readonly createdAt_ms: number;
  /** TCP port of its Postgres; null until one was started. */
  readonly port: number | null;
  /** A host that comes up starts the endpoints that ran when it stopped. */
  readonly running: boolean;
}

/** The timeline a branch grows from. Not always its parent's: the point may lie further back. */
export interface Ancestor {
  readonly timeline: string;
  readonly lsn: Lsn;
}

const version = 1;
const namePattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

export function encodeProject(project: Project): Uint8Array {
  const crc = checksum(project);
  return new TextEncoder().encode(`${JSON.stringify({ version, crc, project }, null, 2)}\n`);
}

/** Fails with `project_file_damaged` or `project_file_version`. */
export function decodeProject(bytes: Uint8Array, path: string): Project {
  const file = parse(bytes, path);
  ensure(file.version === version, 'project_file_version', { path, found: String(file.version) });
  ensure(file.crc === checksum(file.project), 'project_file_damaged', { path, reason: 'checksum' });
  return file.project;
}

/** Fails with `branch_missing`. */
export function findBranch(project: Project, name: string): Branch {
  const branch = project.branches.find((one) => one.name === name);
  ensure(branch !== undefined, 'branch_missing', { branch: name });
  return branch;
}

/** Fails with `branch_name_invalid` or `branch_exists`. */
export function addBranch(project: Project, branch: Branch): Project {
  checkNewName(project, branch.name);
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

/** Fails with `branch_missing`, `branch_has_children` or, for the first branch, `branch_is_root`. */
export function removeBranch(project: Project, name: string): Project {
  const branch = findBranch(project, name);
  ensure(branch.ancestor !== null, 'branch_is_root', { branch: name });
  const child = project.branches.find((one) => one.ancestor?.timeline === branch.timeline);
  ensure(child === undefined, 'branch_has_children', { branch: name, child: child?.name ?? null });
  return { ...project, branches: project.branches.filter((one) => one !== branch) };
}

export function changeBranch(project: Project, name: string, change: Partial<Branch>): Project {
  const changed = project.branches.map((one) => (one.name === name ? { ...one, ...change } : one));
  return { ...project, branches: changed };
}

interface ProjectFile {
  readonly version: number;
  readonly crc: number;
  readonly project: Project;
}

function parse(bytes: Uint8Array, path: string): ProjectFile {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as ProjectFile;
  } catch (cause) {
    throw new Failure('project_file_damaged', { path, reason: String(cause) }, cause);
  }
}

function checksum(project: Project): number {
  return crc32c(new TextEncoder().encode(JSON.stringify(project)));
}
