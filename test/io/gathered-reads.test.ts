/** Reads of a replication stream: a small one is told of at once, full ones are gathered. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type CopySink, PostgresClient } from '../../src/io/postgres-client.ts';

const full_bytes = 65_536;

/** What the kernel has read is what the test says. */
class ScriptedSocket extends Duplex {
  override _read(): void {
    // only what is emitted
  }

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }

  setNoDelay(): this {
    return this;
  }

  /** A read of so many bytes, all of one CopyData message. */
  reads(size: number): void {
    const bytes = Buffer.alloc(size);
    bytes.write('d', 'latin1');
    bytes.writeUInt32BE(size - 1, 1);
    this.emit('data', bytes);
  }
}

async function stream(): Promise<{ socket: ScriptedSocket; came: (number | 'done')[] }> {
  const socket = new ScriptedSocket();
  const client = new PostgresClient(socket as unknown as Socket);
  const came: (number | 'done')[] = [];
  const sink: CopySink = {
    onData: (bytes) => came.push(bytes.length),
    onReadDone: () => came.push('done'),
    onEnd: () => undefined,
  };
  const copying = client.startCopy('START_REPLICATION', sink);
  await turn();
  socket.emit('data', Buffer.from('W\0\0\0\x07\0\0\0', 'latin1'));
  await copying;
  came.length = 0; // the answer to the command was a read too
  return { socket, came };
}

test('gathered reads: a small read is told of before anything else happens', async () => {
  const { socket, came } = await stream();

  socket.reads(100);

  deepEqual(came, [95, 'done']);
});

test('gathered reads: those that follow a full one belong to it, and then it is told of', async () => {
  const { socket, came } = await stream();

  socket.reads(full_bytes);
  await turn();
  socket.reads(full_bytes);
  await turn();
  socket.reads(100);
  for (let turns = 0; turns < 10; turns += 1) await turn();

  deepEqual(came, [full_bytes - 5, full_bytes - 5, 95, 'done']);
});

test('gathered reads: however fast they come, a mebibyte is enough', async () => {
  const { socket, came } = await stream();
  const reads = 64;

  for (let n = 0; n < reads; n += 1) {
    socket.reads(full_bytes);
    await turn();
  }
  for (let turns = 0; turns < 10; turns += 1) await turn();

  const told = came.filter((what) => what === 'done').length;
  ok(told >= 3 && told <= 4, `${told}`);
  equal(came.at(-1), 'done');
  equal(came.length - told, reads);
});
