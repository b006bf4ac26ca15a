/**
 * ReplayLog: a base directory and the WAL that follows it, replayed and checked.
 */
import { formatLsn } from '../../src/base/lsn.ts';
import { type Major } from '../../src/postgres/major.ts';
import { openBase } from './base-directory.ts';
import { type FoldedTip } from './folded-tip.ts';
import { PageCheck, type Difference, type KindCount } from './page-check.ts';
import { readWal, type WalEnd } from './wal-files.ts';

export interface ReplayReport {
  readonly major: Major;
  readonly segmentSize: number;
  readonly start: string;
  /** How the log ended, in words. */
  readonly end: string;
  readonly wal: WalEnd;
  readonly records: number;
  readonly compared: number;
  readonly mismatched: number;
  /** By the record's name. */
  readonly kinds: ReadonlyMap<string, KindCount>;
  readonly differences: readonly Difference[];
  readonly refusals: ReadonlyMap<string, number>;
}

export interface Replayed {
  readonly report: ReplayReport;
  /** What the base has become. */
  readonly tip: FoldedTip;
}

export function replayLog(base: string, walDirectory: string): Replayed {
  const { control, start, tip } = openBase(base);
  const { major, walSegmentSize: segmentSize } = control;
  const check = new PageCheck(major, tip);
  const source = { directory: walDirectory, major, segmentSize, start };
  const wal = readWal(source, (record) => {
    check.record(record);
  });
  const counts = [...check.kinds.values()];
  const report = {
    ...{ major, segmentSize, wal },
    start: formatLsn(start),
    end: `${formatLsn(wal.end)}: ${wal.why}`,
    records: sum(counts.map(({ records }) => records)),
    compared: sum(counts.map(({ compared }) => compared)),
    mismatched: sum(counts.map(({ mismatched }) => mismatched)),
    kinds: check.kinds,
    differences: check.differences,
    refusals: check.refusals,
  };
  return { report, tip };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
