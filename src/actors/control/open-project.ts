/**
 * OpenProject: the project as the object store has it, and its timelines started; or a new one made,
 * with one branch, `main`, that begins as what `initdb` leaves.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensure } from '../../base/failure.ts';
import { allMembers, hostOf } from '../../consensus/membership.ts';
import { readFileIfThere } from '../../io/atomic-file.ts';
import { makeDataDirectory } from '../../io/initdb.ts';
import { type ObjectStore } from '../../io/object-store.ts';
import { type Context } from '../../runtime/actor.ts';
import { inspectDirectory } from './imported-directory.ts';
import { placeCopies, placeMembers } from './placement.ts';
import { ProjectStore } from './project-store.ts';
import { decodeOldProject, type Branch, type Project } from './project.ts';
import { type ControlMessage, type ControlOptions } from './protocol.ts';
import { type Timelines } from './timelines.ts';

const rootBranch = 'main';
/** What every host was called before it had a name, and its acceptors with it. */
const oldHost = 'host';
/** Folder of the host that exists while a project is being made. */
const beginnings = 'initdb';

interface Parts {
  readonly store: ObjectStore;
  readonly timelines: Timelines;
}

/** Fails with `project_file_damaged`, `project_file_version`, `project_missing` and as `initdb` does. */
export async function openProject(
  context: Context<ControlMessage>,
  options: ControlOptions,
  { store, timelines }: Parts,
): Promise<ProjectStore> {
  const old = readOldProject(options);
  const opened = await ProjectStore.open(store, () =>
    old === null ? makeProject(context, options, timelines) : Promise.resolve(old),
  );
  const { systemId } = opened.project;
  const same = old === null || old.systemId === systemId;
  ensure(same, 'project_missing', { project: oldPath(options), systemId: old?.systemId ?? null });
  if (old !== null) renameSync(oldPath(options), `${oldPath(options)}.moved`);
  rmSync(join(options.directory, beginnings), { recursive: true, force: true });
  return opened;
}

async function makeProject(
  context: Context<ControlMessage>,
  options: ControlOptions,
  timelines: Timelines,
): Promise<Project> {
  const [first] = options.hosts;
  ensure(first === options.host, 'project_not_made', { host: options.host, maker: first ?? null });
  const folder = join(options.directory, beginnings);
  clearBeginnings(options, folder);
  mkdirSync(folder);
  const { major, uid, gid, segment_bytes } = options;
  makeDataDirectory(folder, { major, segment_bytes }, { uid, gid });
  const made = inspectDirectory(folder);
  const { systemId } = made;
  const cluster = { major, systemId, segment_bytes: made.segment_bytes };
  const branch = newRoot(context, options);
  await timelines.createRoot(cluster, branch, made);
  return { name: 'default', ...cluster, branches: [branch], deleted: [] };
}

/**
 * What a host left that was killed while it made a project goes. Timelines of any other kind stay, and no
 * project is made beside them: it would only hide them.
 */
function clearBeginnings({ directory }: ControlOptions, folder: string): void {
  const timelines = join(directory, 'timelines');
  if (existsSync(folder)) rmSync(timelines, { recursive: true, force: true });
  const kept = existsSync(timelines) ? readdirSync(timelines).length : 0;
  ensure(kept === 0, 'project_missing', { timelines: kept, folder: timelines });
  rmSync(folder, { recursive: true, force: true });
}

/** The first host has its acceptor before anybody hears of the branch; the others make theirs then. */
function newRoot(context: Context<ControlMessage>, options: ControlOptions): Branch {
  const { host, hosts, pageCopies } = options;
  const configuration = placeMembers(hosts, host);
  return {
    name: rootBranch,
    timeline: Buffer.from(context.random.bytes(16)).toString('hex'),
    parent: null,
    ancestor: null,
    createdAt_ms: context.clock.now_ms(),
    configuration,
    leaving: [],
    pending: allMembers(configuration).filter((id) => hostOf(id) !== host),
    copies: placeCopies(configuration, host, pageCopies),
    host: null,
    port: null,
    running: false,
  };
}

/** A project of a host on its own, from before there was an object store. */
function readOldProject(options: ControlOptions): Project | null {
  const bytes = readFileIfThere(oldPath(options));
  if (bytes === null) return null;
  const { host } = options;
  ensure(host === oldHost, 'config_invalid', { reason: `host_name of this folder is ${oldHost}` });
  const configuration = { generation: 1, members: [host], newMembers: null };
  const old = decodeOldProject(bytes, oldPath(options));
  const branches = old.branches.map((branch): Branch => ({
    ...branch,
    configuration,
    pending: [],
    leaving: [],
    copies: [host],
    host: branch.port === null ? null : host,
  }));
  return { ...old, branches, deleted: [] };
}

function oldPath({ directory }: ControlOptions): string {
  return join(directory, 'project.json');
}
