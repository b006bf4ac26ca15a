/**
 * PipelinedCommits: one connection that has several commits under way at once, and how long each took from
 * when it was sent. What a driver does that does not wait for one answer before the next request.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Parser } from 'pg-protocol/dist/parser.js';
import { serialize } from 'pg-protocol';
import { type Server } from './server.ts';

/** Milliseconds per commit, in order; `depth` 1 waits for each answer. */
export async function timedCommits(
  { host, port, database }: Server,
  {
    statement,
    count,
    depth,
  }: { readonly statement: string; readonly count: number; readonly depth: number },
): Promise<readonly number[]> {
  const socket = connect({ host, port, noDelay: true });
  const parser = new Parser();
  const sent_ms: number[] = [];
  const took_ms: number[] = [];
  const { promise: done, resolve, reject } = Promise.withResolvers<undefined>();
  let ready = -1; // the first `ready` is that of the startup
  function send(): void {
    while (sent_ms.length < count && sent_ms.length - took_ms.length < depth) {
      sent_ms.push(performance.now());
      socket.write(serialize.query(statement));
    }
  }
  socket.on('error', reject);
  socket.on('data', (bytes: Buffer) => {
    parser.parse(bytes, ({ name }) => {
      if (name === 'error') reject(new Error(`refused: ${statement}`));
      if (name !== 'readyForQuery') return;
      if (ready >= 0) took_ms.push(performance.now() - sent_ms[ready]!);
      ready += 1;
      if (took_ms.length === count) resolve(undefined);
      else send();
    });
  });
  await once(socket, 'connect');
  socket.write(serialize.startup({ user: 'postgres', database }));
  await done;
  socket.end(serialize.end());
  return took_ms;
}
