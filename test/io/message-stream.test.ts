/** Messages over a stream of bytes. */
import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { frameMessage, MessageReader } from '../../src/io/message-stream.ts';

const messages = ['', 'a', 'some more bytes'].map((text) => Buffer.from(text));
const stream = Buffer.concat(messages.map(frameMessage));

test('message stream: messages come out as they went in, wherever the stream is cut', () => {
  for (let first = 0; first <= stream.length; first += 1) {
    for (let second = first; second <= stream.length; second += 1) {
      const taken: string[] = [];
      const reader = new MessageReader(100, (bytes) => taken.push(Buffer.from(bytes).toString()));

      reader.push(stream.subarray(0, first));
      reader.push(stream.subarray(first, second));
      reader.push(stream.subarray(second));

      deepEqual(taken, ['', 'a', 'some more bytes']);
    }
  }
});

test('message stream: a longer message than is allowed is refused before it is taken', () => {
  const reader = new MessageReader(14, () => undefined);

  throws(
    () => {
      reader.push(stream);
    },
    { code: 'message_too_large' },
  );
});
