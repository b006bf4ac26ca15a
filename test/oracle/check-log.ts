/**
 * Replays a kept cluster and compares it with what stock recovery made of it:
 * `node test/oracle/check-log.ts CLUSTER`, with `before`, `data` and `recovered` in it. Exit code 1 if
 * anything differs.
 */
import { join } from 'node:path';
import { replayLog } from './replay-log.ts';
import { compareDirectory } from './stock-recovery.ts';

const root = process.argv[2]!;
const { report, tip } = replayLog(join(root, 'before'), join(root, 'data', 'pg_wal'));
const { differing } = compareDirectory(join(root, 'recovered'), report.major, tip);
process.stdout.write(`${report.mismatched} records, ${differing} blocks differ\n`);
process.exitCode = report.mismatched + differing === 0 ? 0 : 1;
