/**
 * Sample: what a running Postgres says about its transactions, for whoever wants to know which of
 * the pages it wrote storage can rebuild by now.
 */
import { assert } from '../../base/assert.ts';
import { parseLsn } from '../../base/lsn.ts';
import { type PostgresClient } from '../../io/postgres-client.ts';
import { nextFullXidPast } from '../../postgres/xid.ts';
import { type Context } from '../../runtime/actor.ts';
import { type SampleTaken } from '../filesystem/protocol.ts';
import { type TimelineMessage } from '../timeline/protocol.ts';
import { type ComputeOptions } from './protocol.ts';
import { type ComputeMessage } from './protocol.ts';
import { openSql, type Run } from './run.ts';

const limits = { timeout_ms: 10_000 };

/** Xids that are assigned and not ended, subtransactions aside: 32 bits each. */
const assignedXids = `
  select backend_xid::text from pg_stat_activity where backend_xid is not null
  union all select transaction::text from pg_prepared_xacts`;
const horizon = `
  select pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text, pg_current_wal_insert_lsn()::text
  from (select pg_current_snapshot() as s) as now`;

/**
 * Takes a sample and tells the mount, when the mount holds more than it should: at rest Postgres is
 * asked nothing.
 */
export async function takeSample(
  context: Context<ComputeMessage>,
  options: ComputeOptions,
  run: Run,
): Promise<void> {
  const { upper_bytes } = await context.ask(run.filesystem, { kind: 'describeMount' }, limits);
  if (upper_bytes <= options.upperTarget_bytes) return;
  const { writeMark } = await context.ask(run.filesystem, { kind: 'markWrites' }, limits);
  const transactions = await readTransactions(await openSql(run));
  const timeline = context.ref<TimelineMessage>(`timeline/${options.timeline}`);
  const { ingestedLsn } = await context.ask(timeline, { kind: 'describeTimeline' }, limits);
  context.tell(run.filesystem, { kind: 'sampleTaken', writeMark, ingestedLsn, ...transactions });
}

/**
 * `pg_snapshot_xmax` is one past the newest xid that *ended*; newer ones may be assigned and running.
 * Whoever runs is listed first and the snapshot is taken after: an xid assigned before the listing is
 * in it, or has ended by the time of the snapshot and is below its xmax.
 */
async function readTransactions(
  sql: PostgresClient,
): Promise<Pick<SampleTaken, 'xmin' | 'nextXid' | 'insertLsn'>> {
  const { rows: assigned } = await sql.query(assignedXids);
  const { rows } = await sql.query(horizon);
  const [xminText, xmaxText, lsnText] = rows[0] ?? [];
  assert(typeof xminText === 'string' && typeof xmaxText === 'string', 'a snapshot has two ends');
  assert(typeof lsnText === 'string', 'a primary has an insert position');
  const xmax = Number(xmaxText);
  const running = assigned.map(([xid]) => nextFullXidPast(Number(xid), xmax));
  const nextXid = Math.max(xmax, ...running);
  return { xmin: Number(xminText), nextXid, insertLsn: parseLsn(lsnText) };
}
