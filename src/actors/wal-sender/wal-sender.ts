/**
 * WalSender: Postgres's own physical replication of committed WAL, for whoever follows a branch:
 * pg_receivewal, a standby.
 *
 * Owns:    the listening socket, and a session for each client.
 * Serves:  clients of Postgres's protocol; whoever wants to know where it listens.
 * Promise: what a client is sent is committed, contiguous, and byte for byte what the acceptors have,
 *          an ancestor's WAL below the branch point included. Any acceptor that has it serves.
 * Crash:   connections are cut; clients come again and say where they are.
 * Never:   keeps anything for a client that is not there.
 */
import { assert, unreachable } from '../../base/assert.ts';
import { lsnZero } from '../../base/lsn.ts';
import { errorResponse } from '../../io/postgres-replies.ts';
import {
  startPostgresServer,
  type PostgresConnection,
  type PostgresServer,
} from '../../io/postgres-server.ts';
import { keepalive } from '../../io/replication-messages.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import { onSilence, type Client } from './client.ts';
import { CommittedTips } from './committed-tips.ts';
import { CommittedWal } from './committed-wal.ts';
import {
  type DescribeWalSender,
  type SessionBroke,
  type WalSenderMessage,
  type WalSenderOptions,
} from './protocol.ts';
import { serveClient, type SessionHost } from './session.ts';

export const walSender = defineActor<WalSenderMessage, State, WalSenderOptions>({
  name: 'wal-sender',
  mailboxMax: 256,
  restart: 'permanent',
  start,
  receive,
  stop: () => undefined,
});

type SenderContext = Context<WalSenderMessage>;

interface State {
  readonly server: PostgresServer;
  readonly followers: Followers;
}

interface Followers extends SessionHost {
  /** Everyone connected, also those who are refused, until they have gone. */
  readonly clients: Set<Client>;
  /** A `lookDue` is under way; one is while there are clients. */
  isLooking: boolean;
}

/** As many again as may follow hear why they may not; more are dropped. */
const connectionsPerClient = 2;
/** Looks at clients within the time after which a silent one is gone. */
const looksPerTimeout = 4;
const goodbye = errorResponse({
  severity: 'FATAL',
  sqlstate: '57P01', // admin_shutdown
  message: 'the host is shutting down, or this part of it begins anew',
});

async function start(context: SenderContext, options: WalSenderOptions): Promise<State> {
  const wal = new CommittedWal(context, options);
  const followers: Followers = {
    context,
    options,
    clients: new Set(),
    wal,
    tips: new CommittedTips(wal, context.clock),
    isLooking: false,
  };
  const server = await startPostgresServer({
    address: options.address,
    port: options.port,
    connectionsMax: options.clientsMax * connectionsPerClient,
    onConnection: (connection) => {
      onConnection(followers, connection);
    },
    onTrouble: (reason) => {
      context.log('warn', 'a follower could not connect', { reason });
    },
  });
  context.onEnd(() => {
    for (const { connection } of followers.clients) {
      void connection.end(goodbye);
      connection.destroy();
    }
    return server.close();
  });
  return { server, followers };
}

function receive(context: SenderContext, state: State, message: WalSenderMessage): void {
  switch (message.kind) {
    case 'describeWalSender':
      onDescribeWalSender(context, state, message);
      return;
    case 'lookDue':
      onLookDue(state.followers);
      return;
    case 'sessionBroke':
      onSessionBroke(message);
      return;
    default:
      unreachable(message);
  }
}

function onDescribeWalSender(
  context: SenderContext,
  { server }: State,
  asked: DescribeWalSender,
): void {
  context.answer(asked, { address: server.address });
}

function onConnection(followers: Followers, connection: PostgresConnection): void {
  const { context, clients } = followers;
  const heard_ms = context.clock.monotonic_ms();
  const client: Client = {
    connection,
    phase: 'starting',
    heard_ms,
    pinged: false,
    sentLsn: lsnZero,
  };
  clients.add(client);
  lookSoon(followers);
  serveClient(followers, client).then(
    () => {
      connection.destroy();
      clients.delete(client);
    },
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      context.tell(context.self, { kind: 'sessionBroke', error: text });
    },
  );
}

function lookSoon(followers: Followers): void {
  const { context, options } = followers;
  if (followers.isLooking) return;
  followers.isLooking = true;
  context.after(options.timeout_ms / looksPerTimeout, { kind: 'lookDue' });
}

function onLookDue(followers: Followers): void {
  const { context, options, clients } = followers;
  const now_ms = context.clock.monotonic_ms();
  for (const client of clients) {
    const { connection, phase, pinged, heard_ms, sentLsn } = client;
    switch (onSilence({ phase, pinged, quiet_ms: now_ms - heard_ms }, options.timeout_ms)) {
      case 'wait':
        break;
      case 'ping':
        client.pinged = true;
        void connection.write(keepalive(sentLsn, context.clock.now_ms(), true));
        break;
      case 'end':
        context.log('info', 'a follower that fell silent is dropped', { phase });
        connection.destroy();
        break;
    }
  }
  followers.isLooking = false;
  if (clients.size > 0) lookSoon(followers);
}

/** A bug: everything begins anew. */
function onSessionBroke({ error }: SessionBroke): void {
  assert(false, `a session ends by itself: ${error}`);
}
