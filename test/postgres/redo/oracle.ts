/**
 * The redo oracle: a stock Postgres runs a workload and says, in every WAL record, what the pages the
 * record touched must look like. Our redo must make the same pages.
 */
import {
  makeCluster,
  removeCluster,
  runServer,
  type OracleServer,
  type Settings,
} from './oracle-server.ts';
import { replay, type OracleReport, type RedoObserver } from './oracle-replay.ts';

/** Something done to a server so that it writes records of certain kinds. */
export type Workload = (server: OracleServer) => Promise<void>;

export interface OracleOptions {
  readonly major: number;
  /** Run one after the other on the same server. */
  readonly workloads: readonly Workload[];
  /** Beyond the oracle's own. With `full_page_writes=off` nearly all pages come from redo. */
  readonly settings: Settings;
  /** Sees every redo that was right. */
  readonly observer?: RedoObserver;
}

/** Runs the workloads and replays what they logged. */
export async function runOracle(options: OracleOptions): Promise<OracleReport> {
  const cluster = makeCluster(options.major);
  try {
    await runServer(cluster, options.settings, async (server) => {
      for (const workload of options.workloads) await workload(server);
    });
    return replay(cluster, options.observer ?? null);
  } finally {
    removeCluster(cluster);
  }
}

/** One line per kind of record and block, then the differences. */
export function formatReport(report: OracleReport): string {
  const lines = [...report.blocks].map(([name, count]) => {
    const { compared, mismatched, imaged, unchecked, unknown } = count;
    const counts = { compared, mismatched, imaged, unchecked, unknown };
    const words = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
    return `${name.padEnd(24)} ${words.join(' ')}`;
  });
  return [...lines, ...report.differences].join('\n');
}
