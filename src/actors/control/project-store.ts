/**
 * ProjectStore: the project in the object store, which all hosts change by compare-and-swap.
 */
import { Failure } from '../../base/failure.ts';
import { type ObjectStore } from '../../io/object-store.ts';
import { decodeProject, encodeProject, type Project } from './project.ts';

const key = 'projects/default.json';
/** Each further try means that another host has changed the project meanwhile. */
const tries_max = 100;

interface Known {
  readonly project: Project;
  readonly version: string;
}

/** The project, or null when there is none yet. Fails with `project_file_damaged` and as the store does. */
export async function readProject(store: ObjectStore): Promise<Known | null> {
  const stored = await store.get(key);
  if (stored === null) return null;
  return { project: decodeProject(stored.bytes, key), version: stored.version };
}

export class ProjectStore {
  readonly #store: ObjectStore;
  #known: Known;

  private constructor(store: ObjectStore, known: Known) {
    this.#store = store;
    this.#known = known;
  }

  /** The project there is; when there is none, the one that `make` makes, or that another host made first. */
  static async open(store: ObjectStore, make: () => Promise<Project>): Promise<ProjectStore> {
    const found = await readProject(store);
    if (found !== null) return new ProjectStore(store, found);
    const project = await make();
    const version = await store.putIfUnchanged(key, encodeProject(project), null);
    if (version !== null) return new ProjectStore(store, { project, version });
    throw new Failure('project_exists', { key });
  }

  /** As this host knows it: what was read last. */
  get project(): Project {
    return this.#known.project;
  }

  /** As it is now or, while the store is away, as it was read last. */
  async latest(): Promise<Project> {
    try {
      return await this.refresh();
    } catch (error) {
      if (error instanceof Failure && error.kind === 'unavailable') return this.project;
      throw error;
    }
  }

  async refresh(): Promise<Project> {
    const found = await readProject(this.#store);
    if (found === null) throw new Failure('project_file_damaged', { path: key, reason: 'missing' });
    this.#known = found;
    return found.project;
  }

  /**
   * Makes one change, durable when it returns. `step` is a function of the project as it is then: it runs
   * again when another host was faster, and what it fails with leaves everything as it was. A failure of the
   * store says nothing of the outcome: `refresh` tells.
   */
  async change(step: (project: Project) => Project): Promise<Project> {
    for (let tries = 0; tries < tries_max; tries += 1) {
      const project = step(this.#known.project);
      if (project === this.#known.project) return project;
      const bytes = encodeProject(project);
      const version = await this.#store.putIfUnchanged(key, bytes, this.#known.version);
      if (version !== null) {
        this.#known = { project, version };
        return project;
      }
      await this.refresh();
    }
    throw new Failure('store_unavailable', { key, reason: 'others are always faster' });
  }
}
