/**
 * Api: the host's HTTP interface, on a loopback address.
 *
 * Owns:    the listening socket.
 * Serves:  the command line and scripts; every request becomes one ask of control.
 * Promise: an answer says what control said; nothing is remembered here.
 * Crash:   restart listens again and says where; requests under way are cut.
 * Never:   decides, or keeps state.
 */
import { parseLsn, formatLsn } from '../../base/lsn.ts';
import { announceApi } from '../../io/host-directory.ts';
import { startHttpServer, type HttpServer, type Route } from '../../io/http-server.ts';
import { defineActor, type Context } from '../../runtime/actor.ts';
import {
  type BranchDescription,
  type ControlMessage,
  type MemberDescription,
} from '../control/protocol.ts';
import { type WalSenderMessage } from '../wal-sender/protocol.ts';
import { type ApiMessage } from './protocol.ts';

export const api = defineActor<ApiMessage, State, ApiOptions>({
  name: 'api',
  mailboxMax: 16,
  restart: 'permanent',
  start,
  receive,
  stop: () => undefined,
});

export interface ApiOptions {
  readonly address: string;
  readonly port: number;
  /** The host's folder, where the address is written down. */
  readonly directory: string;
  /** Path of control. */
  readonly control: string;
  /** Path of the wal-sender. */
  readonly walSender: string;
}

interface State {
  readonly server: HttpServer;
}

/** Longer than any Postgres may take to start and any branch to be verified. */
const limits = { timeout_ms: 3_600_000 };

const createBranchBody = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    parent: { type: 'string' },
    at: { type: 'string' },
  },
};

const replaceMemberBody = {
  type: 'object',
  required: ['member', 'host'],
  additionalProperties: false,
  properties: { member: { type: 'string' }, host: { type: 'string' } },
};

async function start(context: Context<ApiMessage>, options: ApiOptions): Promise<State> {
  const routes = hostRoutes(context, options);
  const server = await startHttpServer({ ...options, routes });
  context.onEnd(() => server.close());
  announceApi(options.directory, server.url);
  return { server };
}

function receive(context: Context<ApiMessage>, state: State, message: ApiMessage): void {
  context.answer(message, { url: state.server.url });
}

function hostRoutes(context: Context<ApiMessage>, options: ApiOptions): Route[] {
  const control = context.ref<ControlMessage>(options.control);
  const walSender = context.ref<WalSenderMessage>(options.walSender);
  return [
    route('GET', '/v1/host', async () => {
      const host = await context.ask(control, { kind: 'describeHost' }, limits);
      const { address } = await context.ask(walSender, { kind: 'describeWalSender' }, limits);
      return { ...host, replication: address };
    }),
    route('GET', '/v1/branches', async () =>
      (await context.ask(control, { kind: 'listBranches' }, limits)).map(showBranch),
    ),
    {
      ...route('POST', '/v1/branches', async ({ body }) => {
        const { name, parent = 'main', at = null } = body as CreateBranchBody;
        const point = at === null ? null : parseLsn(at);
        return showBranch(
          await context.ask(control, { kind: 'createBranch', name, parent, at: point }, limits),
        );
      }),
      body: createBranchBody,
    },
    route('DELETE', '/v1/branches/:name', ({ params }) =>
      context.ask(control, { kind: 'deleteBranch', name: params['name']! }, limits),
    ),
    route('GET', '/v1/endpoints', () => context.ask(control, { kind: 'listEndpoints' }, limits)),
    route('POST', '/v1/branches/:name/start', ({ params }) =>
      context.ask(control, { kind: 'startEndpoint', branch: params['name']! }, limits),
    ),
    route('POST', '/v1/branches/:name/stop', ({ params }) =>
      context.ask(control, { kind: 'stopEndpoint', branch: params['name']! }, limits),
    ),
    route('GET', '/v1/branches/:name/members', async ({ params }) => {
      const list = { kind: 'listMembers', branch: params['name']! } as const;
      return (await context.ask(control, list, limits)).map(showMember);
    }),
    {
      ...route('POST', '/v1/branches/:name/members/replace', ({ params, body }) => {
        const { member, host } = body as ReplaceMemberBody;
        const replace = { kind: 'replaceMember', branch: params['name']!, member, host } as const;
        return context.ask(control, replace, limits);
      }),
      body: replaceMemberBody,
    },
    route('POST', '/v1/branches/:name/members/abort', ({ params }) =>
      context.ask(control, { kind: 'abortChange', branch: params['name']! }, limits),
    ),
    route('POST', '/v1/branches/:name/verify', async ({ params }) => {
      const report = await context.ask(
        control,
        { kind: 'verifyBranch', branch: params['name']! },
        limits,
      );
      return { ...report, lsn: formatLsn(report.lsn) };
    }),
  ];
}

interface ReplaceMemberBody {
  readonly member: string;
  readonly host: string;
}

interface CreateBranchBody {
  readonly name: string;
  readonly parent?: string;
  readonly at?: string;
}

function route(method: Route['method'], path: string, handle: Route['handle']): Route {
  return { method, path, body: null, handle };
}

/** LSNs leave as people write them. */
function showBranch(branch: BranchDescription): object {
  return {
    ...branch,
    parentLsn: branch.parentLsn === null ? null : formatLsn(branch.parentLsn),
    endLsn: formatLsn(branch.endLsn),
  };
}

function showMember(member: MemberDescription): object {
  const { flushLsn, commitLsn } = member;
  return {
    ...member,
    flushLsn: flushLsn === null ? null : formatLsn(flushLsn),
    commitLsn: commitLsn === null ? null : formatLsn(commitLsn),
  };
}
