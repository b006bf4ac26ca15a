/**
 * Seeds defects and sees the oracle find them: `npm run mutate [-- --only heap,gin] [--major 18]`.
 *
 * Each defect goes into a copy of the sources, which then redoes the stored samples and, if those show
 * nothing, replays a log whose outcome stock recovery has given. Prints a table; exit code 1 when a defect
 * was not found, or the sources without one fail.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureMajor } from '../../src/postgres/major.ts';
import { makeCluster, removeCluster, type Cluster } from '../postgres/redo/oracle-server.ts';
import { lives } from './lives.ts';
import { mutants, type Mutant } from './mutants.ts';
import { replayLog } from './replay-log.ts';
import { recover } from './stock-recovery.ts';

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, major: { type: 'string', default: '18' } },
});
/** A check that takes longer does not end, which is as good as a difference. */
const checkTimeout_ms = 120_000;
const only = values.only.split(',');
const project = fileURLToPath(new URL('../..', import.meta.url));

process.exitCode = await run();

async function run(): Promise<number> {
  const cluster = makeCluster(ensureMajor(Number(values.major)));
  const copy = copyOfSources();
  try {
    await lives.find(({ name }) => name === 'crashes')!.live(cluster);
    recover(cluster, replayLog(cluster.before, join(cluster.data, 'pg_wal')).report);
    const whole = findDefect(copy, cluster);
    if (whole !== null) throw new Error(`the sources fail without a defect: ${whole}`);
    const wanted = mutants.filter(({ module }) => only.some((name) => module.includes(name)));
    const found = wanted.map((mutant) => tryMutant(copy, cluster, mutant));
    return found.every((each) => each) ? 0 : 1;
  } finally {
    removeCluster(cluster);
    rmSync(copy, { recursive: true, force: true });
  }
}

function copyOfSources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'stemma-mutants-'));
  for (const part of ['src', 'test', 'package.json'])
    cpSync(join(project, part), join(copy, part), { recursive: true });
  symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Whether the defect is found. Prints a line of the table. */
function tryMutant(copy: string, cluster: Cluster, { module, defect, find, put }: Mutant): boolean {
  const path = join(copy, 'src', 'postgres', `${module}.ts`);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2) {
    process.stdout.write(`| \`${module}\` | ${defect} | **no longer applies** |\n`);
    return false;
  }
  writeFileSync(
    path,
    source.replace(find, () => put),
  );
  try {
    const by = findDefect(copy, cluster);
    process.stdout.write(`| \`${module}\` | ${defect} | ${by ?? '**not found**'} |\n`);
    return by !== null;
  } finally {
    writeFileSync(path, source);
  }
}

/** What shows the defect; null when nothing does. */
function findDefect(copy: string, { root }: Cluster): string | null {
  const samples = runCheck(copy, ['check-samples.ts']);
  if (samples !== null) return samples;
  return runCheck(copy, ['check-log.ts', root]);
}

function runCheck(copy: string, [program, ...args]: readonly string[]): string | null {
  const script = join(copy, 'test', 'oracle', program!);
  const options = { encoding: 'utf8', timeout: checkTimeout_ms } as const;
  const { status, stdout } = spawnSync(process.execPath, [script, ...args], options);
  if (status === 0) return null;
  const said = stdout.trim();
  return said === '' ? `${program!.replace('.ts', '')} fails` : said;
}
