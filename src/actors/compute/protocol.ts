/**
 * What a compute understands: one Postgres on one branch. Path: `compute/<timeline id>`.
 */
import { type Lsn } from '../../base/lsn.ts';
import { type Configuration } from '../../consensus/membership.ts';
import { type Ask, type Tell } from '../../runtime/actor.ts';
import { type MountFailed } from '../filesystem/protocol.ts';

/** What every compute is started with. */
export interface ComputeSettings {
  readonly sharedBuffers_bytes: number;
  readonly maxConnections: number;
  readonly startTimeout_ms: number;
  readonly stopTimeout_ms: number;
  readonly readerThreads: number;
  readonly upperTarget_bytes: number;
  readonly upperMax_bytes: number;
  readonly trimSample_ms: number;
  /** Shared memory of rebuilt pages. */
  readonly pageCache: SharedArrayBuffer;
}

/** What a compute is started with. */
export interface ComputeOptions extends ComputeSettings {
  readonly timeline: string;
  readonly branch: string;
  /** Scratch: whatever is in it may be deleted whenever the compute does not run. */
  readonly folder: string;
  readonly major: number;
  readonly segmentSize: number;
  readonly systemId: string;
  readonly address: string;
  readonly port: number;
  readonly uid: number;
  readonly gid: number;
  /** The acceptors of the branch's WAL. Acceptors that know newer ones have the last word. */
  readonly configuration: Configuration;
  /** Where they live: `{host}` stands for the host of each. */
  readonly acceptorPath: string;
  /** Path of who is told `computeFenced`, and decides what follows. */
  readonly owner: string;
}

/** Starts Postgres from storage, or says where it runs. Answered when it accepts connections. */
export interface StartCompute extends Ask<'startCompute', StartComputeResult> {
  readonly kind: 'startCompute';
}
export interface StartComputeResult {
  readonly connectionString: string;
  /** From the request to a Postgres that accepts connections; 0 when it ran already. */
  readonly start_ms: number;
  /** The end of the log it was started from. */
  readonly startLsn: Lsn;
}

/** Shuts Postgres down and takes its mount away. Everything acknowledged is with the quorum. */
export interface StopCompute extends Ask<'stopCompute', null> {
  readonly kind: 'stopCompute';
}

export interface DescribeCompute extends Ask<'describeCompute', ComputeDescription> {
  readonly kind: 'describeCompute';
}
export interface ComputeDescription {
  readonly state: 'stopped' | 'starting' | 'running' | 'stopping';
  readonly connectionString: string | null;
  readonly pid: number | null;
  /** Starts after a death nobody asked for. */
  readonly restarts: number;
  /** Why the last start or run ended, in words; null when it was asked to. */
  readonly lastFailure: string | null;
}

/** Compares every block of storage with what this Postgres has. */
export interface VerifyCompute extends Ask<'verifyCompute', VerifyReport> {
  readonly kind: 'verifyCompute';
}
export interface VerifyReport {
  readonly lsn: Lsn;
  readonly relations: number;
  readonly blocks: number;
  readonly slruPages: number;
  readonly differences: number;
  /** The first differences, in words. */
  readonly first: readonly string[];
  readonly duration_ms: number;
}

/** A newer proposer was elected: this Postgres can never commit again. */
export interface ProposerFenced extends Tell<'proposerFenced'> {
  readonly run: number;
}
/** The proposer lost its connection to Postgres. */
export interface PostgresGone extends Tell<'postgresGone'> {
  readonly run: number;
}
/** The Postgres process ended. `run` says which start it belonged to. */
export interface PostgresExited extends Tell<'postgresExited'> {
  readonly run: number;
  readonly reason: string;
}
/** Time to ask Postgres which transactions still run. */
export interface SampleDue extends Tell<'sampleDue'> {
  readonly run: number;
}

/** A run was interrupted: time to start another. */
export interface ResumeDue extends Tell<'resumeDue'> {
  readonly kind: 'resumeDue';
}

/** To its owner: a compute ended for good, for its proposer was fenced; see `ProposerFenced`. */
export interface ComputeFenced extends Tell<'computeFenced'> {
  readonly timeline: string;
}

export type ComputeMessage =
  | ResumeDue
  | StartCompute
  | StopCompute
  | DescribeCompute
  | VerifyCompute
  | ProposerFenced
  | PostgresGone
  | PostgresExited
  | SampleDue
  | MountFailed;
