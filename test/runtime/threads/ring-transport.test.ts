/**
 * The transport between two threads, both ends on this one.
 */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame } from '../../../src/runtime/kernel/frame.ts';
import { createPulse, Pulse } from '../../../src/runtime/threads/pulse.ts';
import { createRing } from '../../../src/runtime/threads/ring.ts';
import { RingTransport } from '../../../src/runtime/threads/ring-transport.ts';

interface Ends {
  readonly near: RingTransport;
  readonly arrived: Frame[];
  /** Resolves when this many frames have arrived. */
  readonly arrive: (count: number) => Promise<void>;
  /** The far end begins to read only now. */
  readonly listen: () => void;
}

function withEnds(body: (ends: Ends) => Promise<void>): Promise<void> {
  const pulse = new Pulse(createPulse(2));
  const [there, back] = [createRing(4_096), createRing(4_096)];
  const [near, far] = [new RingTransport(0, pulse, longest), new RingTransport(1, pulse, longest)];
  near.connect({ thread: 1, inbound: back, outbound: there });
  far.connect({ thread: 0, inbound: there, outbound: back });
  near.listen(() => undefined);
  const arrived: Frame[] = [];
  async function arrive(count: number): Promise<void> {
    while (arrived.length < count) await new Promise((resolve) => setImmediate(resolve));
  }
  function listen(): void {
    far.listen((_thread, frame) => arrived.push(frame));
  }
  return body({ near, arrived, arrive, listen }).finally(() => {
    near.close();
    far.close();
  });
}

const waits = { settled: false } as const;

function answer(id: number, length: number): Frame {
  return [2, id, new Uint8Array(length)];
}

/** Of a message, in bytes. */
const longest = 2 ** 26;

test('ring transport: nothing overtakes what waits for room', async () => {
  await withEnds(async ({ near, arrived, arrive, listen }) => {
    near.send(1, answer(1, 10_000), waits);
    listen(); // makes room, of which the near end has not heard yet
    near.send(1, answer(2, 10), waits);
    await arrive(2);

    deepEqual(
      arrived.map(([, id]) => id),
      [1, 2],
    );
  });
});

test('ring transport: an ask that expired while it waited is not sent', async () => {
  await withEnds(async ({ near, arrived, arrive, listen }) => {
    const expiring = { settled: false };
    near.send(1, answer(1, 10_000), waits);
    near.send(1, answer(2, 10), expiring);
    near.send(1, answer(3, 10), waits);

    expiring.settled = true;
    listen();
    await arrive(2);

    deepEqual(
      arrived.map(([, id]) => id),
      [1, 3],
    );
  });
});

test('ring transport: a tell is refused while anything waits', async () => {
  await withEnds(async ({ near }) => {
    near.send(1, answer(1, 10_000), waits);

    equal(near.send(1, answer(2, 10), null), false);
    await Promise.resolve();
  });
});

test('ring transport: asks that wait are bounded', async () => {
  await withEnds(async ({ near }) => {
    near.send(1, answer(0, 10_000), waits);

    throws(
      () => {
        for (let id = 1; id <= 4_096; id += 1)
          near.send(1, [1, id, 'a/b', '', { kind: 'add' }], waits);
      },
      { code: 'ring_full' },
    );
    await Promise.resolve();
  });
});

test('ring transport: a message longer than the longest is refused', async () => {
  await withEnds(async ({ near }) => {
    near.send(1, answer(1, longest / 2), waits);

    throws(() => near.send(1, answer(1, longest), waits), { code: 'message_too_large' });
    await Promise.resolve();
  });
});

test('ring transport: a thread that is gone takes nothing', async () => {
  await withEnds(async ({ near }) => {
    near.disconnect(1);

    equal(near.send(1, answer(1, 10), waits), false);
    await Promise.resolve();
  });
});
