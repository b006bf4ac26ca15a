/**
 * The ring: whole messages, in order, whatever their sizes and wherever the end falls.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../src/io/random.ts';
import { createRing, RingConsumer, RingProducer } from '../../../src/runtime/threads/ring.ts';

function messageOf(length: number, stamp: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (stamp + at) % 256);
}

function drain(consumer: RingConsumer): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let next = consumer.next(); next !== null; next = consumer.next())
    messages.push(next.slice());
  return messages;
}

test('ring: messages of every size pass whole and in order', () => {
  const memory = createRing(4_096);
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];
  const random = new SeededRandom(7);
  const received: Uint8Array[] = [];
  const sent = Array.from({ length: 500 }, (_, index) =>
    messageOf(1 + random.below(index % 10 === 0 ? 9_000 : 300), index),
  );

  for (const message of sent) {
    for (let at = 0; at < message.length; at = producer.write(message, at))
      if (at > 0 || !producer.fits(message.length)) received.push(...drain(consumer));
    if (random.oneIn(5)) received.push(...drain(consumer));
  }
  received.push(...drain(consumer));

  deepEqual(received, sent);
});

test('ring: a full ring takes nothing until something was read', () => {
  const memory = createRing(4_096);
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];
  const message = messageOf(500, 1);
  let written = 0;
  while (producer.write(message, 0) === message.length) written += 1;

  const before = producer.write(message, 0);
  drain(consumer);

  deepEqual([before, producer.write(message, 0)], [0, 500]);
  ok(written >= 7, `written=${written}`);
});

test('ring: a message that fits is written at once', () => {
  const memory = createRing(4_096);
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];
  const random = new SeededRandom(3);

  for (let round = 0; round < 2_000; round += 1) {
    const message = messageOf(1 + random.below(3_000), round);
    if (producer.fits(message.length)) equal(producer.write(message, 0), message.length);
    else drain(consumer);
  }
});

test('ring: with room announced, a record of any length makes progress', () => {
  const memory = createRing(4_096);
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];
  const random = new SeededRandom(5);

  for (let round = 0; round < 2_000; round += 1) {
    const message = messageOf(1 + random.below(9_000), round);
    if (producer.hasRoom) ok(producer.write(message, 0) > 0);
    else consumer.next();
    drain(consumer);
    while (producer.write(messageOf(200, 0), 0) > 0 && !random.oneIn(4));
  }
});

test('ring: positions go on past 4 GiB', () => {
  const memory = createRing(4_096);
  const nearEnd = -4_096; // 2^32 - 4096, as both ends would have left it
  const header = new Int32Array(memory, 0, 48);
  header[0] = nearEnd;
  header[16] = nearEnd;
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];
  const sent = Array.from({ length: 100 }, (_, index) => messageOf(200, index));

  const received = sent.flatMap((message) => {
    producer.write(message, 0);
    return drain(consumer);
  });

  deepEqual(received, sent);
});

test('ring: a producer that waits for room is seen once', () => {
  const memory = createRing(4_096);
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];

  producer.awaitRoom();

  deepEqual([consumer.takeWaiting(), consumer.takeWaiting()], [true, false]);
});
