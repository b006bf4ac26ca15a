/**
 * HostClient: how the command line talks to the host that has a data directory open.
 */
import { request } from 'node:http';
import { ensure, Failure } from '../base/failure.ts';
import { findHost } from './host-directory.ts';

export interface HostRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body: object | null;
}

/**
 * Sends one request to the host of `directory`. Fails with `host_missing` when none runs there and
 * with `host_refused` when it said no.
 */
export async function askHost(directory: string, asked: HostRequest): Promise<unknown> {
  const host = findHost(directory);
  if (host?.api == null) throw new Failure('host_missing', { directory });
  const { status, text } = await send(host.api, asked);
  const body = text === '' ? {} : (JSON.parse(text) as unknown);
  ensure(status < 400, 'host_refused', { reason: (body as { message?: string }).message ?? text });
  return body;
}

function send(api: string, asked: HostRequest): Promise<{ status: number; text: string }> {
  const body = asked.body === null ? '' : JSON.stringify(asked.body);
  const headers = body === '' ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    // No timeout: a verification takes as long as the branch is large.
    const sent = request(new URL(asked.path, api), { method: asked.method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 500, text: Buffer.concat(chunks).toString() });
      });
    });
    sent.on('error', (cause) => {
      reject(new Failure('host_missing', { api, reason: cause.message }, cause));
    });
    sent.end(body);
  });
}
