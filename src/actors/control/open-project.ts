/**
 * OpenProject: project.json read and its timelines started; or a new project made, with one branch,
 * `main`, that begins as what `initdb` leaves.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfThere, replaceFile } from '../../io/atomic-file.ts';
import { makeDataDirectory } from '../../io/initdb.ts';
import { type Context } from '../../runtime/actor.ts';
import { inspectDirectory } from './imported-directory.ts';
import { type ControlMessage, type ControlOptions } from './protocol.ts';
import { decodeProject, encodeProject, type Branch, type Project } from './project.ts';
import { type Timelines } from './timelines.ts';

const rootBranch = 'main';

/** Fails with `project_file_damaged`, `project_file_version` or what starting a timeline fails with. */
export async function openProject(
  context: Context<ControlMessage>,
  options: ControlOptions,
  timelines: Timelines,
): Promise<Project> {
  const path = projectPath(options);
  const bytes = readFileIfThere(path);
  if (bytes === null) return makeProject(context, options, timelines);
  const project = decodeProject(bytes, path);
  for (const branch of project.branches) await timelines.start(project, branch, null);
  return project;
}

export function saveProject(options: ControlOptions, project: Project): void {
  replaceFile(projectPath(options), encodeProject(project));
}

async function makeProject(
  context: Context<ControlMessage>,
  options: ControlOptions,
  timelines: Timelines,
): Promise<Project> {
  const folder = join(options.directory, 'initdb');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const { major, segment_bytes, uid, gid } = options;
  makeDataDirectory(folder, { major, segment_bytes }, { uid, gid });
  const made = inspectDirectory(folder);
  const branch: Branch = {
    name: rootBranch,
    timeline: Buffer.from(context.random.bytes(16)).toString('hex'),
    parent: null,
    ancestor: null,
    createdAt_ms: context.clock.now_ms(),
    port: null,
    running: false,
  };
  const project: Project = {
    name: 'default',
    major,
    systemId: made.systemId,
    segment_bytes: made.segment_bytes,
    branches: [branch],
  };
  await timelines.createRoot(project, branch, made);
  saveProject(options, project);
  rmSync(folder, { recursive: true });
  return project;
}

function projectPath(options: ControlOptions): string {
  return join(options.directory, 'project.json');
}
