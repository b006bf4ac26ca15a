/**
 * HttpServer: a JSON interface over HTTP on a loopback address. Requests are validated against each
 * route's JSON schema before its handler sees them; failures leave as `{ code, message, values }`.
 */
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { Failure } from '../base/failure.ts';
import { type FailureCode, type FailureKind } from '../base/failure-codes.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With parameters as `:name`. */
  readonly path: string;
  /** JSON schema of the body; null when it has none. */
  readonly body: object | null;
  readonly handle: (request: RouteRequest) => Promise<unknown>;
}

export interface RouteRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface HttpServerOptions {
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly routes: readonly Route[];
}

export interface HttpServer {
  readonly url: string;
  close(): Promise<void>;
}

const statusOfKind: Readonly<Record<FailureKind, number>> = {
  invalid: 400,
  unavailable: 503,
  fenced: 409,
  cancelled: 503,
  corrupt: 500,
};
const statusOfCode: Partial<Readonly<Record<FailureCode, number>>> = {
  branch_missing: 404,
  branch_exists: 409,
  branch_has_children: 409,
  branch_in_use: 409,
  endpoint_stopped: 409,
};

/** Fails with `address_in_use` or `address_refused`. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = fastify({ forceCloseConnections: true });
  for (const route of options.routes) addRoute(server, route);
  server.setErrorHandler((error, _request, reply) => sendError(reply, error));
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ code: 'route_missing', message: `no ${request.method} ${request.url}` }),
  );
  const url = await listen(server, options.address, options.port);
  return { url, close: () => server.close() };
}

function addRoute(server: FastifyInstance, route: Route): void {
  server.route({
    method: route.method,
    url: route.path,
    ...(route.body === null ? {} : { schema: { body: route.body } }),
    handler: async (request, reply) => {
      const params = request.params as Readonly<Record<string, string>>;
      const result = await route.handle({ params, body: request.body });
      return reply.send(result ?? {});
    },
  });
}

function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  if (error instanceof Failure) {
    const status = statusOfCode[error.code] ?? statusOfKind[error.kind];
    return reply.code(status).send({
      code: error.code,
      message: error.message,
      values: error.values,
    });
  }
  const { statusCode = 500, message } = error as { statusCode?: number; message: string };
  const code = statusCode < 500 ? 'request_invalid' : 'internal_error';
  return reply.code(statusCode).send({ code, message });
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    const inUse = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const code = inUse ? 'address_in_use' : 'address_refused';
    throw new Failure(code, { address: host, port, reason: String(cause) }, cause);
  }
}
