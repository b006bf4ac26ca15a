/** Connections between hosts that are cut at every byte: nothing arrives in part. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { connectPeer, listenForPeers, type PeerConnection } from '../../src/io/peer-connection.ts';
import { layWire, type Direction } from '../chaos/wire.ts';

const secret = 'the secret of a test';
const address = '127.0.0.1';
const question = Buffer.from('a message that is asked');
const answer = Buffer.from('and one that answers it');
/** More than both handshake and messages take. */
const bytes_max = 420;

for (const direction of ['forth', 'back'] as const satisfies readonly Direction[]) {
  test(`peer connection: cut at any byte ${direction}, it carries whole messages or none`, async (t) => {
    const heard: string[] = [];
    const server = await listenForPeers(
      { host: 'b', secret },
      {
        address,
        port: 0,
        onStranger: () => undefined,
        onPeer: (connection) => ({
          onMessage: (bytes) => {
            heard.push(Buffer.from(bytes).toString());
            connection.send(answer);
          },
          onClose: () => undefined,
        }),
      },
    );
    t.after(() => {
      server.close();
    });
    const wire = await layWire(t, server.port);

    let answered = 0;
    for (let cut = 1; cut <= bytes_max; cut += 1) {
      wire.cutAfter(cut, direction);
      const outcome = await ask(wire.port);
      wire.mend();
      if (outcome === answer.toString()) answered += 1;
      else equal(outcome, 'peer_unreachable', `cut=${cut}`);
    }

    deepEqual([...new Set(heard)], [question.toString()]);
    equal(answered > 0, true, 'the last cuts are behind the last byte');
    equal(wire.cuts > 150, true, 'the first ones are not');
  });
}

/** The answer to the question, or the code of what was heard instead. */
function ask(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let connection: PeerConnection | null = null;
  connectPeer(
    { host: 'a', secret },
    { host: 'b', address, port, signal: new AbortController().signal },
    {
      onMessage: (bytes) => {
        resolve(Buffer.from(bytes).toString());
        connection?.close();
      },
      onClose: ({ code }) => {
        resolve(code);
      },
    },
  ).then(
    (made) => {
      connection = made;
      made.send(question);
    },
    (error: unknown) => {
      resolve(error instanceof Failure ? error.code : String(error));
    },
  );
  return promise;
}
