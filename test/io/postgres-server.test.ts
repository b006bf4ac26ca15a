/**
 * The server's side of Postgres's protocol, with our own client and with sockets that say what they
 * are told.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { createConnection, type Socket } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { connectPostgres, type PostgresClient } from '../../src/io/postgres-client.ts';
import {
  authenticationOk,
  commandComplete,
  errorResponse,
  readyForQuery,
  resultRow,
} from '../../src/io/postgres-replies.ts';
import { startPostgresServer, type PostgresConnection } from '../../src/io/postgres-server.ts';

const tlsRequest = '\0\0\0\x08\x04\xd2\x16\x2f';
const gssRequest = '\0\0\0\x08\x04\xd2\x16\x30';
const cancelRequest = '\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02';

test('server: a client gets in, asks, and is answered', async () => {
  await withServer(async ({ connect, taken }) => {
    const connecting = connect();
    const server = await taken();
    const parameters = (await server.startUp())!;
    await server.write(authenticationOk(), readyForQuery());
    const client = await connecting;
    const asked = client.query('SHOW x');

    const message = (await server.next())!;
    const columns = [
      { name: 'x', type: 'text' },
      { name: 'y', type: 'int8' },
    ] as const;
    const row = resultRow(columns, ['é', null]);
    await server.write(row, commandComplete('SHOW'), readyForQuery());

    deepEqual(
      [...parameters],
      [
        ['user', 'u'],
        ['database', 'd'],
        ['replication', 'true'],
        ['client_encoding', 'UTF8'],
      ],
    );
    deepEqual([message.type, message.payload.toString()], ['Q', 'SHOW x\0']);
    deepEqual(await asked, { columns: ['x', 'y'], rows: [['é', null]] });
  });
});

test('server: an error carries its SQLSTATE', async () => {
  await withServer(async ({ connect, taken }) => {
    const refused = rejects(connect(), {
      code: 'postgres_error',
      values: { sqlstate: '3D000', message: 'no such branch', detail: null },
    });
    const server = await taken();
    await server.startUp();

    await server.end(
      errorResponse({ severity: 'FATAL', sqlstate: '3D000', message: 'no such branch' }),
    );

    await refused;
  });
});

test('server: encryption is declined, and the client goes on without', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();
    const starting = server.startUp();

    socket.write(gssRequest, 'latin1');
    const first = await said(socket, 1);
    socket.write(tlsRequest, 'latin1');
    const second = await said(socket, 1);
    socket.write(startup('user\0me\0\0'));

    deepEqual([first, second], ['N', 'N']);
    deepEqual([...(await starting)!], [['user', 'me']]);
  });
});

test('server: a client that asks for encryption again and again is broken', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();

    socket.write(tlsRequest.repeat(3), 'latin1');

    await rejects(server.startUp(), { code: 'postgres_protocol_broken' });
  });
});

test('server: whoever comes to cancel something wants nothing else', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();

    socket.write(cancelRequest, 'latin1');

    equal(await server.startUp(), null);
  });
});

test('server: a startup in pieces, with a command behind it, is taken apart', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();
    const bytes = Buffer.concat([startup('user\0me\0\0'), Buffer.from('Q\0\0\0\x06x\0')]);
    const starting = server.startUp();

    for (const byte of bytes.subarray(0, 20)) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write(bytes.subarray(20));

    deepEqual([...(await starting)!], [['user', 'me']]);
    equal((await server.next())!.payload.toString(), 'x\0');
  });
});

test('server: what a later protocol would have is declined by name', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();
    const starting = server.startUp();

    socket.write(startup('user\0me\0_pq_.more\0on\0\0', 0x00030002));
    const answer = await said(socket, 23);

    equal(answer, 'v\0\0\0\x16\0\x03\0\0\0\0\0\x01_pq_.more\0');
    equal((await starting)!.get('user'), 'me');
  });
});

for (const [what, bytes] of [
  ['another major version of the protocol', startup('user\0me\0\0', 0x00020000)],
  ['a length that counts less than itself', Buffer.from('\0\0\0\x07\0\x03\0\0', 'latin1')],
  ['a startup longer than any', Buffer.from('\x7f\0\0\0\0\x03\0\0', 'latin1')],
  ['a startup without an end', Buffer.from('\0\0\0\x0c\0\x03\0\0user', 'latin1')],
] as const)
  test(`server: ${what} breaks the protocol`, async () => {
    await withServer(async ({ raw, taken }) => {
      const socket = await raw();
      const server = await taken();

      socket.write(bytes);

      await rejects(server.startUp(), { code: 'postgres_protocol_broken' });
    });
  });

test('server: a message longer than any command breaks the protocol', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();
    socket.write(startup('user\0me\0\0'));
    await server.startUp();

    socket.write('Q\0\x02\0\0', 'latin1');

    await rejects(server.next(), { code: 'postgres_protocol_broken' });
  });
});

test('server: a client that goes away is gone, whatever is asked of it', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();
    socket.write(startup('user\0me\0\0'));
    await server.startUp();

    socket.resetAndDestroy();

    equal(await server.next(), null);
    await server.write(readyForQuery());
    await server.end(readyForQuery());
    equal(server.isOpen, false);
  });
});

test('server: who writes waits while the client does not read', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();
    socket.pause();
    const chunk = new Uint8Array(2 ** 20);
    const max = 64 * chunk.length; // more than sockets of any machine take
    let written = 0;
    let waiting: Promise<void> | null = null;

    while (waiting === null && written < max) {
      const writing = server.write(chunk);
      written += chunk.length;
      const done = await Promise.race([writing.then(() => true), quiet().then(() => false)]);
      if (!done) waiting = writing;
    }
    socket.resume();

    ok(written < max, `${written} bytes were taken from the writer`);
    await waiting;
    equal(server.isOpen, true);
  });
});

test('server: who writes to a client that is dropped does not wait for ever', async () => {
  await withServer(async ({ raw, taken }) => {
    const socket = await raw();
    const server = await taken();
    socket.pause();
    const writing = server.write(new Uint8Array(2 ** 26));

    server.destroy();

    await writing;
    equal(server.isOpen, false);
  });
});

test('server: a port that is taken is refused by name', async () => {
  await withServer(async ({ port }) => {
    await rejects(
      start(port, () => undefined),
      { code: 'address_in_use' },
    );
  });
});

interface Running {
  readonly port: number;
  readonly connect: () => Promise<PostgresClient>;
  readonly raw: () => Promise<Socket>;
  /** The server's end of the next connection. */
  readonly taken: () => Promise<PostgresConnection>;
}

async function withServer(body: (running: Running) => Promise<void>): Promise<void> {
  const connections: PostgresConnection[] = [];
  const clients: { destroy(failure?: Error): void }[] = [];
  let onTaken = Promise.withResolvers<PostgresConnection>();
  const server = await start(0, (connection) => {
    connections.push(connection);
    onTaken.resolve(connection);
  });
  const port = Number(server.address.split(':')[1]);
  try {
    await body({
      port,
      connect: () =>
        connectPostgres({
          host: '127.0.0.1',
          port,
          user: 'u',
          database: 'd',
          parameters: { replication: 'true' },
          timeout_ms: 10_000,
        }),
      raw: async () => {
        const socket = createConnection({ host: '127.0.0.1', port });
        socket.on('error', () => undefined);
        clients.push(socket);
        await once(socket, 'connect');
        return socket;
      },
      taken: async () => {
        const connection = await onTaken.promise;
        onTaken = Promise.withResolvers();
        return connection;
      },
    });
  } finally {
    for (const client of clients) client.destroy();
    for (const connection of connections) connection.destroy();
    await server.close();
  }
}

function start(
  port: number,
  onConnection: (connection: PostgresConnection) => void,
): ReturnType<typeof startPostgresServer> {
  return startPostgresServer({
    address: '127.0.0.1',
    port,
    connectionsMax: 4,
    onConnection,
    onTrouble: (reason) => {
      throw new Error(reason);
    },
  });
}

function startup(parameters: string, version = 0x00030000): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + parameters.length, 0);
  head.writeUInt32BE(version, 4);
  return Buffer.concat([head, Buffer.from(parameters)]);
}

/** The next `count` bytes a server says. */
async function said(socket: Socket, count: number): Promise<string> {
  for (;;) {
    const bytes = socket.read(count) as Buffer | null;
    if (bytes !== null) return bytes.toString('latin1');
    await once(socket, 'readable');
  }
}

/** Everything that can happen in this process by itself has happened. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
