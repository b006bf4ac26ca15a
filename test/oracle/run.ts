/**
 * The redo oracle as a program.
 *
 * `npm run oracle [-- --majors 15,16,17,18] [--lives redo,images] [--json]`: stock servers of each major
 * live through everything they can log; their logs are replayed and compared with what they put into
 * them, with what a stock recovery makes of them, and with what pg_walinspect and pg_waldump read.
 *
 * `npm run oracle -- --base PGDATA --wal DIR [--json]`: a foreign data directory, stopped or a base
 * backup, and the WAL that follows it.
 *
 * Exit code 1 when anything differs, or when there is no record to replay.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureMajor, majors, type Major } from '../../src/postgres/major.ts';
import { makeCluster, removeCluster } from '../postgres/redo/oracle-server.ts';
import { checkDecoder } from './decoder-check.ts';
import { lives, type Life } from './lives.ts';
import { mergeKinds, printLife, printMajor, type LifeReport } from './report.ts';
import { coverageOf } from './coverage.ts';
import { replayLog } from './replay-log.ts';
import { compareWithRecovery } from './stock-recovery.ts';
import { parseLsn } from '../../src/base/lsn.ts';

const { values } = parseArgs({
  options: {
    majors: { type: 'string', default: majors.join(',') },
    lives: { type: 'string', default: '' },
    base: { type: 'string', default: '' },
    wal: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});

process.exitCode = values.base === '' ? await runMajors() : runForeign();

async function runMajors(): Promise<number> {
  let differs = false;
  const names = values.lives.split(',').filter((name) => name !== '');
  const wanted = lives.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const major of values.majors.split(',').map((each) => ensureMajor(Number(each)))) {
    const reports: LifeReport[] = [];
    for (const life of wanted) reports.push(await runLife(major, life));
    const coverage = coverageOf(major, mergeKinds(reports));
    printMajor({ major, reports, coverage, json: values.json });
    differs ||= reports.some(hasDifferences);
  }
  return differs ? 1 : 0;
}

async function runLife(major: Major, life: Life): Promise<LifeReport> {
  const cluster = makeCluster(major);
  try {
    const listing = await life.live(cluster);
    const directory = join(cluster.data, 'pg_wal');
    const { report, tip } = replayLog(cluster.before, directory);
    const recovery = life.recovers ? compareWithRecovery(cluster, report, tip) : null;
    const { segmentSize } = report;
    const source = { directory, major, segmentSize, start: parseLsn(report.start) };
    const decoder = checkDecoder(source, listing);
    const whole = { life: life.name, ...report, recovery, decoder };
    if (!values.json) printLife(whole);
    return whole;
  } finally {
    removeCluster(cluster);
  }
}

function runForeign(): number {
  const { report: replayed } = replayLog(values.base, values.wal);
  const report = { life: 'foreign', ...replayed, recovery: null, decoder: null };
  if (!values.json) printLife(report);
  const { major } = replayed;
  const coverage = coverageOf(major, replayed.kinds);
  printMajor({ major, reports: [report], coverage, json: values.json });
  return hasDifferences(report) || report.records === 0 ? 1 : 0;
}

function hasDifferences({ mismatched, recovery, decoder }: LifeReport): boolean {
  return mismatched + (recovery?.differing ?? 0) + (decoder?.differing ?? 0) > 0;
}
