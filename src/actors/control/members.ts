/**
 * Members: the acceptors of branches, as people ask for them: who they are, and others instead.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { abortChange, beginChange, resumeChange } from '../../consensus/change.ts';
import { type ChangeDecision, type ChangeOutcome } from '../../consensus/change-state.ts';
import {
  allMembers,
  hostOf,
  mayBegin,
  mayDelete,
  memberOn,
  type Configuration,
} from '../../consensus/membership.ts';
import { type TimelineIdentity } from '../../consensus/identity.ts';
import { type Context } from '../../runtime/actor.ts';
import { MemberChange } from './member-change.ts';
import { type InTurn } from './one-by-one.ts';
import { type OtherHosts } from './other-hosts.ts';
import { type ProjectStore } from './project-store.ts';
import { findBranch, type Branch } from './project.ts';
import {
  type AbortChange,
  type ChangeReport,
  type ControlMessage,
  type ControlOptions,
  type DropMember,
  type MakeMember,
  type MemberDescription,
  type ReplaceMember,
} from './protocol.ts';
import { type Timelines } from './timelines.ts';

export interface MembersParts {
  readonly context: Context<ControlMessage>;
  readonly options: Pick<ControlOptions, 'host' | 'hosts'>;
  readonly projects: ProjectStore;
  readonly timelines: Pick<
    Timelines,
    'describe' | 'describeMember' | 'describeLog' | 'join' | 'leave'
  >;
  readonly others: OtherHosts;
  /** Does one step after the other of what changes which acceptors run on this host. */
  readonly inTurn: InTurn;
  /** Settles after about a second. */
  readonly pause: () => Promise<void>;
}

/** How often a change waits for somebody, a second each, before it is stuck. */
const patience = 30;

export class Members {
  readonly #parts: MembersParts;

  constructor(parts: MembersParts) {
    this.#parts = parts;
  }

  async list(name: string): Promise<readonly MemberDescription[]> {
    const { projects, timelines } = this.#parts;
    const branch = findBranch(await projects.refresh(), name);
    const described = allMembers(branch.configuration).map(
      async (id): Promise<MemberDescription> => {
        const known = await timelines.describeMember(branch, id);
        return {
          member: id,
          host: hostOf(id),
          role: roleOf(branch.configuration, id),
          term: known?.term ?? null,
          flushLsn: known?.flushLsn ?? null,
          commitLsn: known?.commitLsn ?? null,
        };
      },
    );
    return Promise.all(described);
  }

  /** Begins a change, or goes on with the one that is under way if it is the same. */
  async replace({ branch: name, member, host }: ReplaceMember): Promise<ChangeReport> {
    const { projects, options } = this.#parts;
    const branch = findBranch(await projects.refresh(), name);
    ensure(options.hosts.includes(host), 'host_unknown', { host });
    const { configuration, leaving } = branch;
    const membership = { configuration, leaving };
    const first =
      configuration.newMembers === null
        ? beginChange(membership, { remove: [member], addOn: [host] }, patience)
        : resumeChange(membership, patience);
    return this.#drive(branch, first, 'done');
  }

  /** Calls off the change that is under way, whoever drives it: he finds himself overtaken. */
  async abort({ branch: name }: AbortChange): Promise<ChangeReport> {
    const branch = findBranch(await this.#parts.projects.refresh(), name);
    const { configuration, leaving } = branch;
    return this.#drive(branch, abortChange({ configuration, leaving }, patience), 'aborted');
  }

  /**
   * On the host of a joiner: begins its log, unless it may have voted already. Asked late, by whoever was
   * overtaken, it fails with `acceptor_not_member`, and whoever lives here now lives on.
   */
  async make({ branch: name, id, from }: MakeMember): Promise<void> {
    const { projects, timelines, options, inTurn } = this.#parts;
    const log = await timelines.describeLog(findBranch(await projects.refresh(), name), from);
    await inTurn(async () => {
      const branch = findBranch(await projects.refresh(), name);
      const { configuration } = branch;
      const newborn = mayBegin(configuration, id);
      const { generation } = configuration;
      const belongs = newborn || memberOn(configuration, options.host) === id;
      ensure(belongs, 'acceptor_not_member', { acceptor: id, generation });
      await timelines.join(branch, { id, log, newborn });
    });
  }

  /** On the host of a member that is none any more: deletes what it kept. */
  async drop({ branch: name, id }: DropMember): Promise<void> {
    const { projects, timelines, inTurn } = this.#parts;
    await inTurn(async () => {
      const branch = findBranch(await projects.refresh(), name);
      const { configuration } = branch;
      const { generation } = configuration;
      ensure(mayDelete(configuration, id), 'acceptor_is_member', { acceptor: id, generation });
      await timelines.leave(branch, id);
    });
  }

  async #drive(
    branch: Branch,
    first: ChangeDecision,
    wanted: ChangeOutcome,
  ): Promise<ChangeReport> {
    const { context, options, projects, others, pause } = this.#parts;
    const { host, hosts } = options;
    const identity = await this.#identityOf(branch);
    const change = new MemberChange({
      ...{ context, host, hosts, projects, others, branch, identity, pause },
    });
    const outcome = await change.run(first);
    const now = findBranch(await projects.refresh(), branch.name);
    const members = now.configuration.members.join();
    if (outcome !== wanted) throw new Failure('change_not_done', { outcome, members });
    return { outcome, members: now.configuration.members };
  }

  async #identityOf(branch: Branch): Promise<TimelineIdentity> {
    const { projects, timelines } = this.#parts;
    const { major, systemId, segment_bytes: segmentSize } = projects.project;
    const { startLsn } = await timelines.describe(branch);
    return { timeline: branch.timeline, major, systemId, segmentSize, startLsn };
  }
}

function roleOf({ members, newMembers }: Configuration, id: string): MemberDescription['role'] {
  if (!members.includes(id)) return 'joining';
  return newMembers === null || newMembers.includes(id) ? 'member' : 'leaving';
}
