/**
 * The Postgres client, with a stock Postgres 18 and with a server that says what it is told.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { connectPostgres, type PostgresClient } from '../../src/io/postgres-client.ts';
import { PostgresFrames } from '../../src/io/postgres-frames.ts';
import { StockServer } from '../actors/proposer/stock-server.ts';

let server: StockServer;
before(async () => {
  server = new StockServer(18);
  await server.start();
});
after(async () => {
  await server.remove();
});

test('client: rows come as text, null as null', async () => {
  await withClient(async (client) => {
    const result = await client.query(
      "select 1 as a, null as b, 'é' as c union all select 2, 'x', ''",
    );

    deepEqual(result, {
      columns: ['a', 'b', 'c'],
      rows: [
        ['1', null, 'é'],
        ['2', 'x', ''],
      ],
    });
  });
});

test('client: queries given at once run one after the other', async () => {
  await withClient(async (client) => {
    const results = await Promise.all([1, 2, 3].map((n) => client.query(`select ${n}`)));

    deepEqual(
      results.map(({ rows }) => rows[0]![0]),
      ['1', '2', '3'],
    );
  });
});

test('client: what the server refuses carries its SQLSTATE, and the connection goes on', async () => {
  await withClient(async (client) => {
    await rejects(client.query('select 1/0'), {
      code: 'postgres_error',
      values: { sqlstate: '22012', message: 'division by zero', detail: null },
    });

    deepEqual((await client.query('select 2')).rows, [['2']]);
  });
});

test('client: a result larger than many reads comes whole', async () => {
  await withClient(async (client) => {
    const { rows } = await client.query("select repeat('r', 3000000) from generate_series(1, 3)");

    deepEqual(
      rows.map(([text]) => text?.length),
      [3_000_000, 3_000_000, 3_000_000],
    );
  });
});

test('client: a database that does not exist is refused with its SQLSTATE', async () => {
  const options = {
    ...server.follow.address,
    database: 'nowhere',
    parameters: {},
    timeout_ms: 5_000,
  };

  await rejects(connectPostgres(options), /sqlstate=3D000/);
});

test('client: a server that is not there is unreachable', async () => {
  const options = {
    host: '/nowhere',
    port: 1,
    user: 'u',
    database: 'd',
    parameters: {},
    timeout_ms: 5_000,
  };

  await rejects(connectPostgres(options), { code: 'postgres_unreachable', kind: 'unavailable' });
});

test('client: a server that never answers is unreachable after the timeout', async () => {
  await withListener('', async (port) => {
    const options = {
      host: '127.0.0.1',
      port,
      user: 'u',
      database: 'd',
      parameters: {},
      timeout_ms: 50,
    };

    await rejects(connectPostgres(options), { code: 'postgres_unreachable' });
  });
});

test('client: a server that talks nonsense breaks the protocol', async () => {
  await withListener('R\0\0\0\0nonsense', async (port) => {
    const options = {
      host: '127.0.0.1',
      port,
      user: 'u',
      database: 'd',
      parameters: {},
      timeout_ms: 5_000,
    };

    await rejects(connectPostgres(options), { code: 'postgres_protocol_broken' });
  });
});

test('client: a query under way when the connection breaks is unreachable', async () => {
  const client = await server.connect();
  const observer = await server.connect();
  const sleeping = client.query('select pg_sleep(30)');
  const refused = rejects(sleeping, { kind: /unavailable|invalid/ });

  const killed =
    'select pg_terminate_backend(pid) from pg_stat_activity ' +
    "where query like 'select pg_sleep%' and pid <> pg_backend_pid()";
  while ((await observer.query(killed)).rows.length === 0);
  await refused;

  await rejects(client.query('select 1'), { code: 'postgres_unreachable' });
});

test('frames: messages cut at any two places come out the same, and stay as they were', () => {
  const messages = ['Z\0\0\0\x05I', 'd\0\0\0\x0bpayload', 'c\0\0\0\x04'];
  const stream = Buffer.from(messages.join(''), 'latin1');
  for (let first = 0; first <= stream.length; first += 1)
    for (let second = first; second <= stream.length; second += 1) {
      const frames = new PostgresFrames();
      const got: Buffer[] = [];
      for (const piece of [
        stream.subarray(0, first),
        stream.subarray(first, second),
        stream.subarray(second),
      ])
        frames.push(Buffer.from(piece), (message) => got.push(message));
      deepEqual(
        got.map((each) => each.toString('latin1')),
        messages,
      );
    }
  ok(stream.length > 20);
});

async function withClient(body: (client: PostgresClient) => Promise<void>): Promise<void> {
  const client = await server.connect();
  try {
    await body(client);
  } finally {
    await client.end();
  }
  equal(client.isOpen, false);
}

/** A server that says `greeting` to whoever connects, and then nothing. */
async function withListener(
  greeting: string,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const listener = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(greeting, 'latin1'));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  try {
    await body((listener.address() as AddressInfo).port);
  } finally {
    listener.close();
  }
}
