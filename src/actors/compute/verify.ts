/**
 * Verify: what storage would give the next compute, block by block, against what this Postgres has.
 */
import { assert } from '../../base/assert.ts';
import { keyKinds } from '../../base/key.ts';
import { parseLsn, type Lsn } from '../../base/lsn.ts';
import { ensureMajor, type Major } from '../../postgres/major.ts';
import { formatVersionedPath, relationForks } from '../../postgres/relation-path.ts';
import { type SlruKind } from '../../postgres/ingest/slru-store.ts';
import { type Context } from '../../runtime/actor.ts';
import { Pool } from '../../runtime/pool.ts';
import { type TimelineMessage, type TimelineState } from '../timeline/protocol.ts';
import {
  type BlockDifference,
  type CompareResult,
  type CompareTasks,
  type FileToCompare,
} from './compare.ts';
import { type ComputeMessage, type ComputeOptions, type VerifyReport } from './protocol.ts';
import { openSql, type Run } from './run.ts';

/** One channel, so one thread; without work, none. */
const pool = new Pool<CompareTasks>({
  tasks: new URL('./compare.ts', import.meta.url),
  threadsMax: 1,
  waitingMax: 64,
  idle_ms: 5_000,
});
const limits = { timeout_ms: 600_000 };
/** Rounds in which a block that differs may turn out to have changed meanwhile. */
const roundsMax = 5;
const differencesShown = 20;
const filesPerTask = 64;
/** Blocks of a 1 GiB file (`RELSEG_SIZE`). */
const blocksPerFile = 131_072;

/**
 * Has Postgres write everything out, then compares every block of every permanent relation and every
 * SLRU page. A block that differs is looked at again after another checkpoint, since Postgres goes on
 * meanwhile; one that still differs is a difference. The free-space map is a hint that Postgres does
 * not log: its blocks are not compared.
 */
export async function verify(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: Run,
): Promise<VerifyReport> {
  const began_ms = context.clock.monotonic_ms();
  const lsn = await writeOut(context, options, run);
  const state = await describe(context, options, lsn);
  const files = filesToCompare(state, ensureMajor(options.major));
  let result = await compareAll(run, files, lsn);
  const { blocks, sizes } = result;
  for (let round = 1; round < roundsMax && result.differences.length > 0; round += 1) {
    const again = await writeOut(context, options, run);
    result = await compareAll(run, blocksAgain(result.differences), again);
  }
  const first = [...sizes, ...result.differences.map(describeDifference)];
  return {
    lsn,
    relations: state.relations.filter(({ fork }) => fork === relationForks.main).length,
    blocks,
    slruPages: state.slruSegments.reduce((sum, segment) => sum + segment.blocks, 0),
    differences: first.length,
    first: first.slice(0, differencesShown),
    duration_ms: Math.round(context.clock.monotonic_ms() - began_ms),
  };
}

/** Everything up to the LSN returned is in Postgres's files, and ingested. */
async function writeOut(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: Run,
): Promise<Lsn> {
  const sql = await openSql(run);
  await sql.query('checkpoint');
  const { rows } = await sql.query('select pg_current_wal_flush_lsn()::text');
  const text = rows[0]?.[0];
  assert(typeof text === 'string', 'a primary has a flush position');
  const at = parseLsn(text);
  const timeline = context.ref<TimelineMessage>(`timeline/${options.timeline}`);
  await context.ask(timeline, { kind: 'waitForLsn', at, ...limits }, limits);
  return at;
}

async function describe(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  at: Lsn,
): Promise<TimelineState> {
  const timeline = context.ref<TimelineMessage>(`timeline/${options.timeline}`);
  return context.ask(timeline, { kind: 'describeState', at }, limits);
}

/** Every file made of pages whose content is in the WAL. */
function filesToCompare(state: TimelineState, major: Major): FileToCompare[] {
  const unlogged = new Set(
    state.relations.filter(({ fork }) => fork === relationForks.init).map(relationName),
  );
  const files: FileToCompare[] = [];
  for (const relation of state.relations) {
    const { tablespace, database, relation: number, fork, blocks } = relation;
    if (fork === relationForks.freeSpaceMap) continue;
    if (fork !== relationForks.init && unlogged.has(relationName(relation))) continue;
    const family = { kind: keyKinds.relationBlock, tablespace, database, relation: number, fork };
    for (let firstBlock = 0, segment = 0; firstBlock < blocks; segment += 1) {
      const file = {
        kind: 'relation',
        tablespace,
        database,
        relation: number,
        fork,
        segment,
      } as const;
      const path = formatVersionedPath({ ...file, backend: null }, major);
      const count = Math.min(blocksPerFile, blocks - firstBlock);
      files.push({ path, family, firstBlock, blocks: count, only: null });
      firstBlock += count;
    }
  }
  for (const { slru, segment, blocks } of state.slruSegments) {
    const family = {
      kind: keyKinds.slruBlock,
      tablespace: slru,
      database: 0,
      relation: segment,
      fork: 0,
    };
    const path = formatVersionedPath({ kind: 'slru', slru: slru as SlruKind, segment }, major);
    files.push({ path, family, firstBlock: 0, blocks, only: null });
  }
  return files;
}

async function compareAll(
  run: Run,
  files: readonly FileToCompare[],
  floor: Lsn,
): Promise<CompareResult> {
  const { timeline, channels, bell } = run.pages;
  const common = { mountPoint: run.mountPoint, timeline, bell, floor, channel: channels.at(-1)! };
  let blocks = 0;
  const sizes: string[] = [];
  const differences: BlockDifference[] = [];
  for (let at = 0; at < files.length; at += filesPerTask) {
    const task = { ...common, files: files.slice(at, at + filesPerTask) };
    const result = await pool.run('compareFiles', task);
    blocks += result.blocks;
    sizes.push(...result.sizes);
    differences.push(...result.differences);
  }
  return { blocks, sizes, differences };
}

/** The blocks that differed, each file once. */
function blocksAgain(differences: readonly BlockDifference[]): FileToCompare[] {
  const byPath = new Map<string, { file: FileToCompare; only: number[] }>();
  for (const { file, block } of differences) {
    const known = byPath.get(file.path);
    if (known === undefined) byPath.set(file.path, { file, only: [block] });
    else known.only.push(block);
  }
  return [...byPath.values()].map(({ file, only }) => ({ ...file, only }));
}

function describeDifference({ file, block, what }: BlockDifference): string {
  return `${file.path} block ${block}: ${what}`;
}

function relationName(one: { tablespace: number; database: number; relation: number }): string {
  return `${one.tablespace}/${one.database}/${one.relation}`;
}
