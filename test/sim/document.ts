/**
 * Document: the project in the simulated store, as whoever sees all sees it.
 */
import {
  changeBranch,
  decodeProject,
  encodeProject,
  findBranch,
  type Branch,
  type Project,
} from '../../src/actors/control/project.ts';
import { type Membership } from '../../src/consensus/change-state.ts';
import { branchName, identity, timeline } from './setting.ts';
import { type SimulatedStore } from './simulated-store.ts';

const key = 'projects/default.json';

export class Document {
  readonly #store: SimulatedStore;
  #read: { readonly version: string; readonly project: Project } | null = null;

  /** A project with one branch that nobody has begun yet. */
  constructor(store: SimulatedStore, members: readonly string[]) {
    this.#store = store;
    const branch: Branch = {
      name: branchName,
      timeline,
      parent: null,
      ancestor: null,
      createdAt_ms: 0,
      configuration: { generation: 1, members, newMembers: null },
      pending: members,
      leaving: [],
      copies: members,
      host: null,
      port: null,
      running: false,
    };
    const { major, systemId, segmentSize } = identity;
    const kept = { name: 'simulated', branches: [branch], deleted: [] };
    this.#write({ ...kept, major, systemId, segment_bytes: segmentSize });
  }

  get project(): Project {
    const { bytes, version } = this.#store.peek(key)!;
    if (this.#read?.version !== version)
      this.#read = { version, project: decodeProject(bytes, key) };
    return this.#read.project;
  }

  get membership(): Membership {
    return findBranch(this.project, branchName);
  }

  /** The branch's compute runs on this host. */
  runsOn(host: string): void {
    this.#write(changeBranch(this.project, branchName, { host, running: true }));
  }

  /** It stopped there. */
  stoppedOn(host: string): void {
    const now = findBranch(this.project, branchName);
    if (now.host === host && now.running)
      this.#write(changeBranch(this.project, branchName, { running: false }));
  }

  #write(project: Project): void {
    this.#store.put(key, encodeProject(project));
  }
}
