/** Messages over a stream of bytes. */
import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { frameMessage, MessageReader } from '../../src/io/message-stream.ts';

const none = new Uint8Array(0);
const messages = [
  ['', ''],
  ['a', ''],
  ['head', 'and its tail'],
  ['', 'a tail'],
  ['some bytes', ''],
].map(([head, tail]) => ({ head: Buffer.from(head!), tail: Buffer.from(tail!) }));
const stream = Buffer.concat(
  messages.flatMap(({ head, tail }) => [frameMessage(head, tail), tail]),
);

test('message stream: messages come out as they went in, wherever the stream is cut', () => {
  for (let first = 0; first <= stream.length; first += 1) {
    for (let second = first; second <= stream.length; second += 1) {
      const taken: { head: Buffer; tail: Buffer }[] = [];
      const reader = new MessageReader(100, (bytes, tail) => {
        taken.push({ head: Buffer.from(bytes), tail: Buffer.from(tail) });
      });

      reader.push(stream.subarray(0, first));
      reader.push(stream.subarray(first, second));
      reader.push(stream.subarray(second));

      deepEqual(taken, messages);
    }
  }
});

test('message stream: a longer message than is allowed is refused before it is taken', () => {
  for (const [head, tail] of [
    [Buffer.alloc(15), none],
    [Buffer.alloc(5), Buffer.alloc(10)],
  ] as const) {
    const reader = new MessageReader(14, () => undefined);

    throws(
      () => {
        reader.push(frameMessage(head, tail));
      },
      { code: 'message_too_large' },
    );
  }
});
