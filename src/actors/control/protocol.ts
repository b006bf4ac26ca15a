/**
 * What control understands: the branches and endpoints of this host's project. Path: `control/host`.
 */
import { type Lsn } from '../../base/lsn.ts';
import { type Ask, type Tell } from '../../runtime/actor.ts';
import {
  type ComputeFenced,
  type ComputeSettings,
  type VerifyReport,
} from '../compute/protocol.ts';
import { type ArchiverSettings } from '../archiver/protocol.ts';
import { type TimelineSettings } from '../timeline/protocol.ts';
import { type Branch } from './project.ts';

/** What the host keeps, and for whom. */
export interface DescribeHost extends Ask<'describeHost', HostDescription> {
  readonly kind: 'describeHost';
}
export interface HostDescription {
  readonly host: string;
  /** Where the Postgres of `main` runs, or ran last. */
  readonly mainHost: string | null;
  readonly project: string;
  readonly postgresMajor: number;
  readonly branches: number;
  readonly endpoints: number;
}

/**
 * Cuts a branch. Fails with `branch_exists`, `branch_missing` (the parent), `branch_name_invalid`,
 * `lsn_before_history`, `lsn_in_future`.
 */
export interface CreateBranch extends Ask<'createBranch', BranchDescription> {
  readonly name: string;
  readonly parent: string;
  /** Where to cut, rounded down to the end of a record; null is the end of the log. */
  readonly at: Lsn | null;
}
export interface BranchDescription {
  readonly name: string;
  readonly timeline: string;
  readonly parent: string | null;
  /** Where it was cut from its parent: the end of a record. */
  readonly parentLsn: Lsn | null;
  readonly endLsn: Lsn;
  readonly createdAt_ms: number;
  /** Why the branch takes no more WAL, in words; null while it does. */
  readonly halted: string | null;
}

export interface ListBranches extends Ask<'listBranches', readonly BranchDescription[]> {
  readonly kind: 'listBranches';
}

/** Fails with `branch_missing`, `branch_has_children`, `branch_in_use`. */
export interface DeleteBranch extends Ask<'deleteBranch', null> {
  readonly name: string;
}

/** Runs it on this host; where it ran before, it ends. */
export interface StartEndpoint extends Ask<'startEndpoint', StartedEndpoint> {
  readonly branch: string;
}
export interface StartedEndpoint {
  readonly branch: string;
  readonly connectionString: string;
  readonly startMs: number;
}

export interface StopEndpoint extends Ask<'stopEndpoint', null> {
  readonly branch: string;
}

export interface ListEndpoints extends Ask<'listEndpoints', readonly EndpointDescription[]> {
  readonly kind: 'listEndpoints';
}
export interface EndpointDescription {
  readonly branch: string;
  /** Where it runs, or ran last. */
  readonly host: string;
  readonly state: string;
  readonly connectionString: string | null;
  readonly pid: number | null;
  readonly restarts: number;
  readonly lastFailure: string | null;
}

/** As this host sees it. */
export interface DescribeEndpoint extends Ask<'describeEndpoint', EndpointDescription> {
  readonly branch: string;
}

/** Where a branch's WAL is, with what it inherited. Fails with `branch_missing`. */
export interface FindWal extends Ask<'findWal', BranchWal> {
  readonly branch: string;
}
export interface BranchWal {
  /** Decimal text of the 64-bit system identifier. */
  readonly systemId: string;
  readonly major: number;
  readonly segmentSize: number;
  /** Oldest first, without gaps; the last is the branch's own and goes on. */
  readonly ranges: readonly WalRange[];
}
/** WAL that one timeline wrote. */
export interface WalRange {
  readonly timeline: string;
  /** Paths of the acceptors that keep it, or are to: this host's first. Not empty. */
  readonly acceptors: readonly string[];
  /** 0 for the first timeline: its acceptor knows where its log begins. */
  readonly from: Lsn;
  /** null where it goes on. */
  readonly to: Lsn | null;
}

/**
 * Who the acceptors of a timeline are now, as in `WalRange`, for those who read from them and whom all
 * have failed. As the project was a few seconds ago, however many ask. Fails with `branch_missing`.
 */
export interface FindAcceptors extends Ask<'findAcceptors', readonly string[]> {
  readonly kind: 'findAcceptors';
  readonly timeline: string;
}

/** Rebuilds every block from storage and compares. The endpoint must run: `endpoint_stopped`. */
export interface VerifyBranch extends Ask<'verifyBranch', VerifyReport> {
  readonly branch: string;
}

/** Makes what this host is to keep of a branch not yet in the project. Repeated, it changes nothing. */
export interface AdoptBranch extends Ask<'adoptBranch', null> {
  readonly branch: Branch;
}
/** A branch that was adopted did not come to be. */
export interface DropBranch extends Tell<'dropBranch'> {
  readonly timeline: string;
}
/** Another host has changed the project. */
export interface ProjectChanged extends Tell<'projectChanged'> {
  readonly kind: 'projectChanged';
}

/** The acceptors of a branch, and how far each is. */
export interface ListMembers extends Ask<'listMembers', readonly MemberDescription[]> {
  readonly kind: 'listMembers';
  readonly branch: string;
}
export interface MemberDescription {
  readonly member: string;
  readonly host: string;
  readonly role: 'member' | 'joining' | 'leaving';
  /** null, like what follows, when it does not answer. */
  readonly term: number | null;
  readonly flushLsn: Lsn | null;
  readonly commitLsn: Lsn | null;
}

/**
 * Has a new acceptor on `host` take the place of `member`. A change under way is gone on with instead.
 * Fails with `change_invalid`, `host_unknown`, `change_not_done`.
 */
export interface ReplaceMember extends Ask<'replaceMember', ChangeReport> {
  readonly kind: 'replaceMember';
  readonly branch: string;
  readonly member: string;
  readonly host: string;
}
/**
 * Calls off the change of members that is under way: the old ones stay. Fails with `change_missing`,
 * `change_decided`, `change_not_done`.
 */
export interface AbortChange extends Ask<'abortChange', ChangeReport> {
  readonly kind: 'abortChange';
  readonly branch: string;
}
export interface ChangeReport {
  readonly outcome: string;
  readonly members: readonly string[];
}

/**
 * Begins the log of a joiner on this host, as the acceptor `from` tells. Fails with `acceptor_not_member`
 * when the project has moved on without the joiner.
 */
export interface MakeMember extends Ask<'makeMember', null> {
  readonly kind: 'makeMember';
  readonly branch: string;
  readonly id: string;
  readonly from: string;
}
/** Deletes what this host keeps of a member that is none any more. */
export interface DropMember extends Ask<'dropMember', null> {
  readonly kind: 'dropMember';
  readonly branch: string;
  readonly id: string;
}

/** What control is started with. */
export interface ControlOptions {
  /** The host's folder. */
  readonly directory: string;
  /** This host's name. */
  readonly host: string;
  /** All hosts of the cluster, this one included; their order is the same everywhere. */
  readonly hosts: readonly string[];
  /** Folder of the object store. */
  readonly objectStore: string;
  /** Hosts that keep the pages of a new branch. */
  readonly pageCopies: number;
  /** Major, and size of a WAL segment, of a project made now; one that exists keeps its own. */
  readonly major: number;
  readonly segment_bytes: number;
  readonly uid: number;
  readonly gid: number;
  /** First TCP port given to an endpoint; 0 takes any free one. */
  readonly firstPort: number;
  readonly address: string;
  readonly compute: ComputeSettings;
  readonly timeline: TimelineSettings;
  readonly archiver: ArchiverSettings;
}

/** Starts every endpoint that ran on this host when it went down. Answers when each runs or has failed. */
export interface ResumeEndpoints extends Ask<'resumeEndpoints', null> {
  readonly kind: 'resumeEndpoints';
}

/** Stops every Postgres, and leaves it to the next start of the host to start them again. */
export interface StopComputes extends Ask<'stopComputes', null> {
  readonly kind: 'stopComputes';
}

/** A pause is over. */
export interface PauseEnded extends Tell<'pauseEnded'> {
  readonly pause: number;
}

export type ControlMessage =
  | PauseEnded
  | ComputeFenced
  | AdoptBranch
  | ListMembers
  | ReplaceMember
  | AbortChange
  | MakeMember
  | DropMember
  | DescribeEndpoint
  | DropBranch
  | ProjectChanged
  | ResumeEndpoints
  | StopComputes
  | DescribeHost
  | CreateBranch
  | ListBranches
  | DeleteBranch
  | StartEndpoint
  | StopEndpoint
  | ListEndpoints
  | FindWal
  | FindAcceptors
  | VerifyBranch;
