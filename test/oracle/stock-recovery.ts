/**
 * StockRecovery: a stock Postgres recovers the same base with the same WAL, to the same record, and
 * is shut down there. What it then has on disk must be what we have: the whole page, to the byte.
 *
 * It replays from an archive and never becomes a primary, so nothing but redo has touched its pages:
 * no hint is set, no page is pruned. Only checksums are left out, and free-space maps, which are not kept.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyKinds, type KeyFamily, type KeyKind } from '../../src/base/key.ts';
import { formatLsn } from '../../src/base/lsn.ts';
import { type Major } from '../../src/postgres/major.ts';
import { sizeFrom } from '../../src/postgres/ingest/block-store.ts';
import { PageHeader, pageSize } from '../../src/postgres/page.ts';
import { relationForks } from '../../src/postgres/relation-path.ts';
import { slruDifferences, valueDifferences } from '../postgres/ingest/compare.ts';
import { listFiles, type ImportedFile } from '../postgres/ingest/data-directory.ts';
import { type Cluster } from '../postgres/redo/oracle-server.ts';
import { describeDifference } from '../postgres/redo/page-difference.ts';
import { stockHome } from '../postgres/stock-home.ts';
import { type FoldedTip } from './folded-tip.ts';
import { type ReplayReport } from './replay-log.ts';

export interface RecoveryReport {
  /** Blocks of relations compared, and pages of SLRUs. */
  readonly blocks: number;
  readonly slruPages: number;
  readonly forks: number;
  /** In words; the first ones. */
  readonly differences: readonly string[];
  readonly differing: number;
}

const nobody = 65_534;
const timeout_ms = 300_000;
const differencesKept = 20;
const valueKinds = [keyKinds.database, keyKinds.relationMap, keyKinds.twoPhase] as const;

/** The cluster's server must not run; `tip` is what we made of `before` and its WAL. */
export function compareWithRecovery(
  cluster: Cluster,
  replayed: ReplayReport,
  tip: FoldedTip,
): RecoveryReport {
  const directory = join(cluster.root, 'recovered');
  try {
    recover(cluster, directory, replayed);
    return compareDirectory(directory, replayed.major, tip);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function recover(cluster: Cluster, directory: string, { wal }: ReplayReport): void {
  cpSync(cluster.before, directory, { recursive: true, preserveTimestamps: true });
  rmSync(join(directory, 'pg_wal'), { recursive: true, force: true });
  mkdirSync(join(directory, 'pg_wal', 'archive_status'), { recursive: true });
  cpSync(join(cluster.data, 'postgresql.conf'), join(directory, 'postgresql.conf'));
  const settings = {
    restore_command: `cp "${join(cluster.data, 'pg_wal')}/%f" "%p"`,
    recovery_target_lsn: formatLsn(wal.lastRecord),
    recovery_target_action: 'shutdown',
    hot_standby: 'off',
    wal_consistency_checking: '',
    unix_socket_directories: cluster.root,
    shared_buffers: '128MB',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  appendFileSync(join(directory, 'postgresql.conf'), lines.join(''));
  writeFileSync(join(directory, 'recovery.signal'), '');
  const done = runAsNobody('sh', ['-c', `chown -R ${nobody}:${nobody} "$0"`, directory], false);
  if (done.status !== 0) throw new Error(done.stderr);
  const postgres = join(stockHome(cluster.major), 'bin', 'postgres');
  const { stdout, stderr } = runAsNobody(postgres, ['-D', directory], true);
  const log = `${stdout}${stderr}`;
  if (!log.includes('shutdown at recovery target'))
    throw new Error(`stock recovery did not reach its target: ${log.slice(-2_000)}`);
}

function runAsNobody(
  command: string,
  args: readonly string[],
  asNobody: boolean,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const drop = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
  const [program, all] = asNobody ? ['setpriv', [...drop, command, ...args]] : [command, args];
  return spawnSync(program, all, {
    encoding: 'utf8',
    cwd: '/',
    timeout: timeout_ms,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  });
}

function compareDirectory(directory: string, major: Major, tip: FoldedTip): RecoveryReport {
  const differences: string[] = [];
  const files = listFiles(directory, major);
  const relations = files.filter((file) => isCompared(file, unloggedOf(files)));
  let blocks = 0;
  const onDisk = new Map<string, { family: KeyFamily; blocks: number }>();
  for (const { action, bytes } of relations) {
    if (action.kind !== 'pages') continue;
    const file = bytes();
    const count = file.length / pageSize;
    for (let page = 0; page < count; page += 1) {
      const theirs = file.subarray(page * pageSize, (page + 1) * pageSize);
      const what = pageDifference(tip, action.blocks, action.firstBlock + page, theirs);
      if (what !== null) differences.push(what);
    }
    blocks += count;
    const known = onDisk.get(nameOf(action.size))?.blocks ?? 0;
    const size = Math.max(known, count === 0 ? 0 : action.firstBlock + count);
    onDisk.set(nameOf(action.size), { family: action.size, blocks: size });
  }
  for (const { family, blocks: size } of onDisk.values()) {
    const ours = sizeOf(tip, family);
    if (ours !== size) differences.push(`${nameOf(family)} has ${size} blocks, ours ${ours}`);
  }
  differences.push(...extraRelations(tip, files));
  differences.push(...slruDifferences(tip, directory, major));
  for (const kind of valueKinds) differences.push(...valueDifferences(tip, directory, major, kind));
  return {
    blocks,
    slruPages: slruPages(files),
    forks: onDisk.size,
    differences: differences.slice(0, differencesKept),
    differing: differences.length,
  };
}

function isCompared({ action }: ImportedFile, unlogged: ReadonlySet<string>): boolean {
  if (action.kind !== 'pages' || action.blocks.kind !== keyKinds.relationBlock) return false;
  const { fork } = action.blocks;
  if (fork === relationForks.freeSpaceMap) return false;
  return fork === relationForks.init || !unlogged.has(relationOf(action.blocks));
}

/** Relations that have an init fork: theirs are not versioned but for it. */
function unloggedOf(files: readonly ImportedFile[]): ReadonlySet<string> {
  return new Set(
    files.flatMap(({ action }) =>
      action.kind === 'pages' && action.blocks.fork === relationForks.init
        ? [relationOf(action.blocks)]
        : [],
    ),
  );
}

function slruPages(files: readonly ImportedFile[]): number {
  return files.reduce((total, { action, bytes }) => {
    const isSlru = action.kind === 'pages' && action.blocks.kind === keyKinds.slruBlock;
    return isSlru ? total + bytes().length / pageSize : total;
  }, 0);
}

/** Forks that we have and the server has not. */
function extraRelations(tip: FoldedTip, files: readonly ImportedFile[]): string[] {
  const there = new Set(
    files.flatMap(({ action }) => (action.kind === 'pages' ? [nameOf(action.size)] : [])),
  );
  const unlogged = unloggedOf(files);
  return live(tip, keyKinds.relationSize)
    .filter(({ fork }) => fork !== relationForks.freeSpaceMap)
    .filter((family) => family.fork === relationForks.init || !unlogged.has(relationOf(family)))
    .filter((family) => !there.has(nameOf(family)))
    .map((family) => `${nameOf(family)} is only ours`);
}

function live(tip: FoldedTip, kind: KeyKind): KeyFamily[] {
  return tip.live(kind).map(({ family }) => family);
}

function pageDifference(
  tip: FoldedTip,
  family: KeyFamily,
  block: number,
  theirs: Uint8Array,
): string | null {
  const ours = tip.page(tip.key(family, block)) ?? new Uint8Array(pageSize);
  if (Buffer.compare(ours, theirs) === 0) return null;
  const what = describeDifference(withoutChecksum(theirs), withoutChecksum(ours));
  return what === null ? null : `${nameOf(family)} block ${block}: ${what}`;
}

function withoutChecksum(page: Uint8Array): Uint8Array {
  const copy = page.slice();
  PageHeader.checksum.set(new DataView(copy.buffer), 0, 0);
  return copy;
}

function sizeOf(tip: FoldedTip, family: KeyFamily): number {
  const value = tip.value(family);
  return value === null || value.length === 0 ? -1 : sizeFrom(value);
}

function relationOf({ tablespace, database, relation }: KeyFamily): string {
  return `${tablespace}/${database}/${relation}`;
}

function nameOf(family: KeyFamily): string {
  return `${relationOf(family)} fork ${family.fork}`;
}
