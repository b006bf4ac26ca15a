/**
 * StockRecovery: a stock Postgres recovers the same base with the same WAL, to the same record, and
 * is shut down there. What it then has on disk must be what we have: the whole page, to the byte.
 *
 * It replays from an archive and never becomes a primary, so nothing but redo has touched its pages:
 * no hint is set, no page is pruned. Only checksums are left out, and free-space maps, which are not
 * kept. Where hints are logged, a server also stamps heap pages that were marked all-visible, by a setting
 * of its own that the log does not repeat; we leave them with an older LSN. Those pages are counted.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyKinds, type KeyFamily, type KeyKind } from '../../src/base/key.ts';
import { formatLsn } from '../../src/base/lsn.ts';
import { type Major } from '../../src/postgres/major.ts';
import { originProgress } from '../../src/postgres/ingest/replication-origin.ts';
import { sizeFrom } from '../../src/postgres/ingest/block-store.ts';
import { ControlFile15 } from '../../src/postgres/control-file.ts';
import { PageHeader, pageSize } from '../../src/postgres/page.ts';
import { relationForks } from '../../src/postgres/relation-path.ts';
import { slruDifferences, valueDifferences } from '../postgres/ingest/compare.ts';
import { listFiles, readOrigins, type ImportedFile } from '../postgres/ingest/data-directory.ts';
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
  /** Pages equal but for an older LSN of ours. */
  readonly olderStamps: number;
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
  const directory = recover(cluster, replayed);
  try {
    return compareDirectory(directory, replayed.major, tip);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Has a stock server recover as far as we did; the directory it left, within the cluster's root. */
export function recover(cluster: Cluster, { wal }: ReplayReport): string {
  const directory = join(cluster.root, 'recovered');
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
  return directory;
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

/** Compares what we have with a directory that recovery left. */
export function compareDirectory(directory: string, major: Major, tip: FoldedTip): RecoveryReport {
  const differences: string[] = [];
  const files = listFiles(directory, major);
  const relations = files.filter((file) => isCompared(file, unloggedOf(files)));
  const stamps = { allowed: logsHints(directory), older: 0 };
  let blocks = 0;
  const onDisk = new Map<string, { family: KeyFamily; blocks: number }>();
  for (const { action, bytes } of relations) {
    if (action.kind !== 'pages') continue;
    const file = bytes();
    const count = file.length / pageSize;
    for (let page = 0; page < count; page += 1) {
      const theirs = file.subarray(page * pageSize, (page + 1) * pageSize);
      const ours = pageOf(tip, action.blocks, action.firstBlock + page);
      const what = pageDifference(ours, theirs, stamps);
      const place = `${nameOf(action.blocks)} block ${action.firstBlock + page}`;
      if (what !== null) differences.push(`${place}: ${what}`);
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
  differences.push(...originDifferences(directory, tip));
  for (const kind of valueKinds) differences.push(...valueDifferences(tip, directory, major, kind));
  return {
    blocks,
    slruPages: slruPages(files),
    forks: onDisk.size,
    olderStamps: stamps.older,
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

/** Progress of replication origins. */
function originDifferences(directory: string, tip: FoldedTip): string[] {
  const theirs = readOrigins(directory);
  const ours = tip.live(keyKinds.auxFile).map(({ family }) => family);
  const differing = ours.filter(
    (family) => theirs.get(family.relation) !== originProgress(tip.value(family)!),
  );
  const known = new Set(ours.map(({ relation }) => relation));
  const missing = [...theirs.keys()].filter((origin) => !known.has(origin));
  return [...differing.map(({ relation }) => relation), ...missing].map(
    (origin) => `the progress of replication origin ${origin}`,
  );
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

/** Pages that are as they should be but for an older LSN: whether they may be, and how many are. */
interface Stamps {
  readonly allowed: boolean;
  older: number;
}

/** `XLogHintBitIsNeeded`, for the server that recovered. */
function logsHints(directory: string): boolean {
  const file = new Uint8Array(readFileSync(join(directory, 'global', 'pg_control')));
  const view = new DataView(file.buffer);
  return (
    ControlFile15.walLogHints.get(view, 0) !== 0 ||
    ControlFile15.dataChecksumVersion.get(view, 0) !== 0
  );
}

function pageOf(tip: FoldedTip, family: KeyFamily, block: number): Uint8Array {
  return tip.page(tip.key(family, block)) ?? new Uint8Array(pageSize);
}

function pageDifference(ours: Uint8Array, theirs: Uint8Array, stamps: Stamps): string | null {
  if (Buffer.compare(ours, theirs) === 0) return null;
  const our = viewOfCopy(ours);
  const their = viewOfCopy(theirs);
  PageHeader.checksum.set(their, 0, 0);
  PageHeader.checksum.set(our, 0, 0);
  const stamp = PageHeader.lsn.get(their, 0);
  const isOlder = stamps.allowed && PageHeader.lsn.get(our, 0) < stamp;
  if (isOlder) {
    const stamped = viewOfCopy(bytesOf(our));
    PageHeader.lsn.set(stamped, 0, stamp);
    if (Buffer.compare(bytesOf(stamped), bytesOf(their)) === 0) {
      stamps.older += 1;
      return null;
    }
  }
  return describeDifference(bytesOf(their), bytesOf(our));
}

function viewOfCopy(page: Uint8Array): DataView<ArrayBuffer> {
  return new DataView(new Uint8Array(page).buffer);
}

function bytesOf(view: DataView<ArrayBuffer>): Uint8Array {
  return new Uint8Array(view.buffer);
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
