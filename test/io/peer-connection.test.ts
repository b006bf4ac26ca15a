/** Connections between hosts: who is let in. */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { type Failure } from '../../src/base/failure.ts';
import {
  connectPeer,
  listenForPeers,
  type ConnectionListener,
  type PeerCall,
  type PeerConnection,
} from '../../src/io/peer-connection.ts';
import { takeTestPort } from '../ports.ts';

const address = '127.0.0.1';
const secret = 'told to the hosts of one cluster';
const a = { host: 'a', secret };
const b = { host: 'b', secret };
const never = new AbortController().signal;

/** Listens as host b; says everything back, and notes who came and who was refused. */
async function echoingHost(
  test: TestContext,
): Promise<{ target: PeerCall; came: string[]; strangers: Failure[]; hangUp: () => void }> {
  const came: string[] = [];
  const strangers: Failure[] = [];
  const connections: PeerConnection[] = [];
  const server = await listenForPeers(b, {
    address,
    port: 0,
    onPeer: (connection) => {
      came.push(connection.peer);
      connections.push(connection);
      return listener((bytes) => {
        connection.send(bytes);
      });
    },
    onStranger: (failure) => strangers.push(failure),
  });
  test.after(() => {
    server.close();
  });
  const target = { host: 'b', address, port: server.port, signal: never };
  return {
    target,
    came,
    strangers,
    hangUp: () => {
      for (const connection of connections) connection.close();
    },
  };
}

function listener(onMessage: (bytes: Uint8Array) => void): ConnectionListener {
  return { onMessage, onClose: () => undefined };
}

test('peer connection: hosts that share a secret exchange messages', async (t) => {
  const { target, came } = await echoingHost(t);
  const { promise: answered, resolve } = Promise.withResolvers<string>();
  const connection = await connectPeer(
    a,
    target,
    listener((bytes) => {
      resolve(Buffer.from(bytes).toString());
    }),
  );

  connection.send(Buffer.from('over the wire'));

  equal(await answered, 'over the wire');
  deepEqual(came, ['a']);
  connection.close();
});

test('peer connection: a caller with another secret is refused, and sees it', async (t) => {
  const { target, came } = await echoingHost(t);
  const stranger = { host: 'a', secret: 'another' };

  await rejects(connectPeer(stranger, target, listener(ignore)), { code: 'peer_refused' });

  deepEqual(came, []);
});

test('peer connection: a caller who knows no secret is not let in by what it heard', async (t) => {
  const { target, came, strangers } = await echoingHost(t);
  const socket = connect({ host: address, port: target.port });
  const hello = { stemma: 2, from: 'a', to: 'b', nonce: '00'.repeat(32) };
  socket.write(framed(hello));
  const [welcome] = (await once(socket, 'data')) as [Buffer];

  const { proof } = JSON.parse(welcome.subarray(4).toString()) as { proof: string };
  socket.end(framed({ proof })); // reflects what the called one has proved
  await once(socket, 'close');

  deepEqual(came, []);
  equal(strangers.at(-1)?.code, 'peer_refused');
});

test('peer connection: a caller who meant another host is refused', async (t) => {
  const { target, came, strangers } = await echoingHost(t);

  const calling = connectPeer(a, { ...target, host: 'c' }, listener(ignore));

  await rejects(calling, { code: 'peer_unreachable' });
  deepEqual(came, []);
  match(strangers[0]!.message, /to=c/);
});

test('peer connection: a caller of another version is refused, and the host says of which', async (t) => {
  const { target, came, strangers } = await echoingHost(t);
  const socket = connect({ host: address, port: target.port });
  socket.write(framed({ stemma: 1, from: 'a', to: 'b', nonce: '00'.repeat(32) }));
  socket.resume();
  await once(socket, 'close');

  deepEqual(came, []);
  match(strangers[0]!.message, /^peer refused\. version=1/);
});

test('peer connection: bytes that are no handshake end the call and nothing else', async (t) => {
  const { target, came, strangers } = await echoingHost(t);
  const nonsense = [Buffer.from('GET / HTTP/1.1\r\n\r\n'), framed(7 as unknown as object)];
  for (const bytes of nonsense) {
    const socket = connect({ host: address, port: target.port });
    socket.on('error', ignore);
    socket.write(bytes);
    await once(socket, 'close');
  }

  const { connection } = await conversation(target);

  deepEqual(came, ['a']);
  equal(strangers.length, 2);
  connection.close();
});

test('peer connection: a call cut at any byte of the handshake lets nobody in', async (t) => {
  const { target, came } = await echoingHost(t);
  const whole = framed({ stemma: 2, from: 'a', to: 'b', nonce: '00'.repeat(32) });
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const socket = connect({ host: address, port: target.port });
    socket.on('error', ignore);
    socket.resume();
    socket.end(whole.subarray(0, cut));
    await once(socket, 'close');
  }

  deepEqual(came, []);
});

test('peer connection: nobody at the port is unreachable', async () => {
  const target = { host: 'b', address, port: await takeTestPort(address), signal: never };

  await rejects(connectPeer(a, target, listener(ignore)), { code: 'peer_unreachable' });
});

test('peer connection: a call that nobody answers ends with its signal', async (t) => {
  const silent = createServer();
  t.after(() => silent.close());
  await once(silent.listen(0, address), 'listening');
  const { port } = silent.address() as AddressInfo;
  const hangUp = new AbortController();
  const calling = connectPeer(
    a,
    { host: 'b', address, port, signal: hangUp.signal },
    listener(ignore),
  );
  const [taken] = (await once(silent, 'connection')) as [Socket];

  hangUp.abort();

  await rejects(calling, { code: 'peer_unreachable' });
  taken.destroy();
});

test('peer connection: both ends hear that it is over', async (t) => {
  const { target, hangUp } = await echoingHost(t);
  const { closed } = await conversation(target);

  hangUp();

  equal((await closed).code, 'peer_unreachable');
});

/** A connection over which something has been said and answered. */
async function conversation(
  target: PeerCall,
): Promise<{ connection: PeerConnection; closed: Promise<Failure> }> {
  const { promise: answered, resolve } = Promise.withResolvers<Uint8Array>();
  const { promise: closed, resolve: onClose } = Promise.withResolvers<Failure>();
  const connection = await connectPeer(a, target, { onMessage: resolve, onClose });
  connection.send(Buffer.from('hello'));
  await answered;
  return { connection, closed };
}

function ignore(): void {
  return;
}

function framed(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}
