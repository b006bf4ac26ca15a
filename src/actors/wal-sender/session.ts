/**
 * Session: one client from its startup to its end, command by command. The branch it follows is the one
 * that had the name at its startup; who the acceptors are is asked anew for each command.
 */
import { Failure, ensure } from '../../base/failure.ts';
import { formatLsn } from '../../base/lsn.ts';
import {
  authenticationOk,
  backendKeyData,
  commandComplete,
  copyBothResponse,
  copyDone,
  emptyQueryResponse,
  errorResponse,
  parameterStatus,
  readyForQuery,
  resultRow,
  type ResultColumn,
} from '../../io/postgres-replies.ts';
import { walTimelineId } from '../../postgres/wal-page.ts';
import { type Context } from '../../runtime/actor.ts';
import { type BranchWal } from '../control/protocol.ts';
import { dismiss, enterPhase, followerCount, type Client } from './client.ts';
import { type CommittedTips } from './committed-tips.ts';
import { type CommittedWal, type OpenedWal } from './committed-wal.ts';
import { type WalSenderMessage, type WalSenderOptions } from './protocol.ts';
import { refusalOf } from './refusal.ts';
import { parseReplicationCommand, type ReplicationCommand } from './replication-command.ts';
import { serverParameter, startupReports } from './server-parameters.ts';
import { readStartup } from './startup.ts';
import { streamWal } from './wal-stream.ts';
import { ensureKept } from './wal-source.ts';

/** What all sessions share. */
export interface SessionHost {
  readonly context: Context<WalSenderMessage>;
  readonly options: WalSenderOptions;
  readonly clients: ReadonlySet<Client>;
  readonly wal: CommittedWal;
  readonly tips: CommittedTips;
}

interface Session {
  readonly host: SessionHost;
  readonly client: Client;
  readonly wal: BranchWal;
}

const sqlstates = {
  tooManyConnections: '53300',
  protocolViolation: '08P01',
  undefinedFile: '58P01',
  internalError: 'XX000', // what Postgres says of a start it cannot serve
} as const;

/** Settles when the client has gone. Fails with bugs only. */
export async function serveClient(host: SessionHost, client: Client): Promise<void> {
  const { context } = host;
  try {
    const session = await openSession(host, client);
    if (session !== null) await serveCommands(session);
    enterPhase(client, 'ending', context.clock.monotonic_ms());
    await client.connection.end();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const refusal = refusalOf(error, 'FATAL', null);
    await dismiss(client, refusal, context.clock.monotonic_ms());
  }
}

/** Lets a client in, or returns null when it only came to cancel something. */
async function openSession(host: SessionHost, client: Client): Promise<Session | null> {
  const { context, options, clients } = host;
  const { connection } = client;
  const parameters = await connection.startUp();
  if (parameters === null) return null;
  const { branch, applicationName } = readStartup(parameters);
  ensure(followerCount(clients) < options.clientsMax, 'replication_refused', {
    sqlstate: sqlstates.tooManyConnections,
    reason: `there are ${options.clientsMax} followers already`,
  });
  enterPhase(client, 'idle', context.clock.monotonic_ms());
  const wal = await host.wal.find(branch);
  const reports = startupReports({ ...wal, applicationName });
  await connection.write(
    authenticationOk(),
    ...reports.map(([name, value]) => parameterStatus(name, value)),
    backendKeyData(context.random.below(2 ** 31), context.random.below(2 ** 31)),
    readyForQuery(),
  );
  return { host, client, wal };
}

async function serveCommands(session: Session): Promise<void> {
  const { connection } = session.client;
  for (;;) {
    const message = await connection.next();
    switch (message?.type) {
      case undefined:
      case 'X':
        return;
      case 'Q':
        await onQuery(session, message.payload.subarray(0, -1).toString());
        break;
      case 'd':
      case 'c':
      case 'f':
        break; // of a copy that is over
      default:
        throw new Failure('replication_refused', {
          sqlstate: sqlstates.protocolViolation,
          reason: `only simple queries are taken, not messages of type "${message!.type}"`,
        });
    }
  }
}

async function onQuery(session: Session, text: string): Promise<void> {
  const { client, wal } = session;
  try {
    await perform(session, parseReplicationCommand(text));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    await client.connection.write(errorResponse(refusalOf(error, 'ERROR', wal.segmentSize)));
  }
  await client.connection.write(readyForQuery());
}

function perform(session: Session, command: ReplicationCommand): Promise<void> {
  switch (command.kind) {
    case 'nothing':
      return session.client.connection.write(emptyQueryResponse());
    case 'identifySystem':
      return onIdentifySystem(session);
    case 'show':
      return onShow(session, command.name);
    case 'timelineHistory':
      return onTimelineHistory(command.timelineId);
    case 'createSlot':
      return onCreateSlot(session, command.slot);
    case 'dropSlot':
      return session.client.connection.write(commandComplete('DROP_REPLICATION_SLOT'));
    case 'readSlot':
      return onReadSlot(session);
    case 'startReplication':
      return onStartReplication(session, command);
  }
}

async function openWal({ host, wal }: Session): Promise<OpenedWal> {
  return host.wal.open(await host.wal.findAgain(wal));
}

async function onIdentifySystem(session: Session): Promise<void> {
  const { client, wal } = session;
  const { commitLsn } = await openWal(session);
  const row = [wal.systemId, String(walTimelineId), formatLsn(commitLsn), null];
  await client.connection.write(
    resultRow([...texts('systemid'), timeline, ...texts('xlogpos', 'dbname')], row),
    commandComplete('IDENTIFY_SYSTEM'),
  );
}

async function onShow({ client, wal }: Session, name: string): Promise<void> {
  const value = serverParameter(wal, name);
  await client.connection.write(resultRow(texts(name), [value]), commandComplete('SHOW'));
}

/** The first timeline has no history, and ours is always the first. */
async function onTimelineHistory(timelineId: number): Promise<void> {
  const reason = `timeline ${timelineId} has no history file`;
  const refused = { sqlstate: sqlstates.undefinedFile, reason };
  return Promise.reject(new Failure('replication_refused', refused));
}

async function onCreateSlot({ client }: Session, slot: string): Promise<void> {
  const columns = texts('slot_name', 'consistent_point', 'snapshot_name', 'output_plugin');
  await client.connection.write(
    resultRow(columns, [slot, '0/0', null, null]),
    commandComplete('CREATE_REPLICATION_SLOT'),
  );
}

/** A slot of any name stands at the oldest WAL there is, so who has nothing yet can get all of it. */
async function onReadSlot(session: Session): Promise<void> {
  const { source } = await openWal(session);
  const columns = [...texts('slot_type', 'restart_lsn'), { ...timeline, name: 'restart_tli' }];
  await session.client.connection.write(
    resultRow(columns, ['physical', formatLsn(source.startLsn), String(walTimelineId)]),
    commandComplete('READ_REPLICATION_SLOT'),
  );
}

type StartReplication = Extract<ReplicationCommand, { readonly kind: 'startReplication' }>;

async function onStartReplication(session: Session, command: StartReplication): Promise<void> {
  const { host, client } = session;
  const { context, wal, tips } = host;
  const { from, timelineId } = command;
  const opened = await openWal(session);
  const { commitLsn } = opened;
  ensure((timelineId ?? walTimelineId) === walTimelineId, 'replication_refused', {
    sqlstate: sqlstates.internalError,
    reason: `timeline ${timelineId ?? ''} is not in this server's history`,
  });
  ensure(from <= commitLsn, 'replication_refused', {
    sqlstate: sqlstates.internalError,
    reason: `requested start ${formatLsn(from)} is ahead of what is committed, ${formatLsn(commitLsn)}`,
  });
  ensureKept(opened.source, from);
  await client.connection.write(copyBothResponse());
  await streamWal({ context, client, opened, wal, tips, from });
  enterPhase(client, 'idle', context.clock.monotonic_ms());
  // Two, as Postgres has them: of the copy and of the command.
  const completed = ['START_STREAMING', 'START_REPLICATION'].map(commandComplete);
  await client.connection.write(copyDone(), ...completed);
}

const timeline: ResultColumn = { name: 'timeline', type: 'int8' };

function texts(...names: readonly string[]): ResultColumn[] {
  return names.map((name) => ({ name, type: 'text' }));
}
