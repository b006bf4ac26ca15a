/**
 * WalDirectory: where the WAL of branches is, for those who read it from acceptors.
 */
import { ensure } from '../../base/failure.ts';
import { type Clock } from '../../runtime/actor.ts';
import { type ProjectStore } from './project-store.ts';
import { branchOf, walRanges } from './project.ts';
import { type BranchWal } from './protocol.ts';
import { type Timelines } from './timelines.ts';

export interface WalDirectoryParts {
  readonly clock: Clock;
  readonly projects: ProjectStore;
  readonly timelines: Timelines;
}

/** Those who ask again for acceptors may be as many as timelines: they share a look at the project. */
const lookPause_ms = 10_000;

export class WalDirectory {
  readonly #parts: WalDirectoryParts;
  #looked_ms = Number.NEGATIVE_INFINITY;

  constructor(parts: WalDirectoryParts) {
    this.#parts = parts;
  }

  /** Fails with `branch_missing`. */
  async find(branch: string): Promise<BranchWal> {
    const { projects, timelines } = this.#parts;
    const project = await projects.latest();
    const { systemId, major, segment_bytes: segmentSize } = project;
    const ranges = walRanges(project, branch).map((range) => {
      const acceptors = timelines.acceptorPaths(branchOf(project, range.timeline)!);
      return { ...range, acceptors };
    });
    return { systemId, major, segmentSize, ranges };
  }

  /** Fails with `branch_missing`. */
  async findAcceptors(timeline: string): Promise<readonly string[]> {
    const { clock, projects, timelines } = this.#parts;
    const now_ms = clock.monotonic_ms();
    if (now_ms - this.#looked_ms >= lookPause_ms) {
      this.#looked_ms = now_ms;
      await projects.latest(); // what another host announced may not have come here
    }
    const branch = branchOf(projects.project, timeline);
    ensure(branch !== null, 'branch_missing', { timeline });
    return timelines.acceptorPaths(branch);
  }
}
