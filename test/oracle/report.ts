/**
 * What the oracle found, as text for people or JSON for programs.
 */
import { type Major } from '../../src/postgres/major.ts';
import { type Coverage } from './coverage.ts';
import { type DecoderReport } from './decoder-check.ts';
import { type KindCount } from './page-check.ts';
import { type ReplayReport } from './replay-log.ts';
import { type RecoveryReport } from './stock-recovery.ts';

export interface LifeReport extends ReplayReport {
  readonly life: string;
  readonly recovery: RecoveryReport | null;
  readonly decoder: DecoderReport | null;
}

export interface MajorReport {
  readonly major: Major;
  readonly reports: readonly LifeReport[];
  readonly coverage: Coverage;
  readonly json: boolean;
}

export function mergeKinds(reports: readonly LifeReport[]): ReadonlyMap<string, KindCount> {
  const merged = new Map<string, KindCount>();
  for (const { kinds } of reports)
    for (const [name, count] of kinds) {
      const sum = merged.get(name) ?? emptyCount();
      for (const field of Object.keys(count) as (keyof KindCount)[]) sum[field] += count[field];
      merged.set(name, sum);
    }
  return merged;
}

/** One life of one server. */
export function printLife(report: LifeReport): void {
  const { life, major, records, compared, mismatched, wal, recovery, decoder } = report;
  const counts = `${records} records, ${compared} pages compared, ${mismatched} differ`;
  print(`Postgres ${major}, life ${life}: ${counts}`);
  print(`  log from ${report.start} to ${report.end}`);
  if (wal.filesLeft > 0) print(`  ${wal.filesLeft} later WAL files were not read`);
  for (const [why, count] of report.refusals) print(`  refused ${count} records: ${why}`);
  if (recovery !== null) printRecovery(recovery);
  if (decoder !== null) printDecoder(decoder);
  const [first] = report.differences;
  if (first !== undefined) print(`first difference: ${first.record}\n${first.bytes}`);
}

function printRecovery(report: RecoveryReport): void {
  const { blocks, slruPages, forks, olderStamps, differing, differences } = report;
  const counts = `${blocks} blocks of ${forks} forks, ${slruPages} slru pages, ${differing} differ`;
  print(`  stock recovery: ${counts}`);
  if (olderStamps > 0) print(`  all-visible pages with an older LSN of ours: ${olderStamps}`);
  if (differences[0] !== undefined) print(`first difference: ${differences[0]}`);
}

function printDecoder({ programs, differing, differences }: DecoderReport): void {
  const lines = Object.entries(programs).map(([program, count]) =>
    typeof count === 'number' ? `${program} ${count} lines` : `${program}: ${count}`,
  );
  print(`  decoder: ${lines.join(', ')}; ${differing} differ`);
  if (differences[0] !== undefined) print(`first difference: ${differences[0]}`);
}

/** All lives of a major together: counts by kind of record, and coverage. */
export function printMajor({ major, reports, coverage, json }: MajorReport): void {
  const kinds = mergeKinds(reports);
  const { seen, unseen, excused } = coverage;
  if (json) {
    const lives = reports.map((report) => ({ ...report, ...plain(report) }));
    print(JSON.stringify({ major, lives, kinds: Object.fromEntries(kinds), coverage }));
    return;
  }
  print(`\nPostgres ${major}, by resource manager and record`);
  printCounts(kinds);
  const total = seen.length + unseen.length + Object.keys(excused).length;
  print(`coverage: ${seen.length} of ${total} kinds of records were seen`);
  print(`  never seen: ${unseen.length === 0 ? 'none' : unseen.join(', ')}`);
  for (const [name, why] of Object.entries(excused)) print(`  cannot be seen: ${name}: ${why}`);
  print('');
}

function plain(report: LifeReport): object {
  return {
    kinds: Object.fromEntries(report.kinds),
    refusals: Object.fromEntries(report.refusals),
  };
}

const columns: readonly (keyof KindCount)[] = [
  'records',
  'compared',
  'mismatched',
  'imaged',
  'unchecked',
  'refused',
];

function printCounts(kinds: ReadonlyMap<string, KindCount>): void {
  print([''.padEnd(32), ...columns.map((name) => name.padStart(11))].join(''));
  for (const [name, count] of [...kinds].sort(([a], [b]) => (a < b ? -1 : 1)))
    print([name.padEnd(32), ...columns.map((field) => String(count[field]).padStart(11))].join(''));
}

function emptyCount(): KindCount {
  return { records: 0, compared: 0, mismatched: 0, imaged: 0, unchecked: 0, refused: 0 };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
