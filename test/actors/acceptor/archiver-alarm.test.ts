/** The archiver is woken once for every rest, and certainly. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ArchiverAlarm } from '../../../src/actors/acceptor/archiver-alarm.ts';
import { type AcceptorMessage } from '../../../src/actors/acceptor/protocol.ts';
import { Failure } from '../../../src/base/failure.ts';
import { type Context } from '../../../src/runtime/actor.ts';

test('alarm: it is rung once after a rest, however much is appended', async () => {
  const { alarm, asked, ring } = scene();

  await ring();
  await ring();
  equal(asked.length, 1);
  alarm.rest();
  await ring();

  equal(asked.length, 2);
});

test('alarm: while nobody has heard it is rung again, one ask at a time', async () => {
  const { asked, ring, refuse } = scene();

  refuse(new Failure('ring_full', {}));
  await ring();
  await ring();
  equal(asked.length, 2);
  refuse(null);
  await ring();
  await ring();

  equal(asked.length, 3);
});

test('alarm: an answer from before the rest does not count', async () => {
  const { alarm, asked, ring, gate } = scene();
  const { promise, resolve } = Promise.withResolvers<undefined>();

  gate(promise);
  await ring();
  alarm.rest();
  resolve(undefined);
  await setImmediate();
  await ring();

  equal(asked.length, 2);
});

test('alarm: without an archiver nobody is asked', async () => {
  const { asked, ring } = scene(null);

  await ring();

  equal(asked.length, 0);
});

interface Scene {
  readonly alarm: ArchiverAlarm;
  readonly asked: string[];
  /** Rings, and waits until the answer has come if it comes at once. */
  readonly ring: () => Promise<void>;
  readonly refuse: (failure: Failure | null) => void;
  /** Answers wait for it. */
  readonly gate: (open: Promise<unknown>) => void;
}

function scene(path: string | null = 'archiver/t'): Scene {
  const asked: string[] = [];
  let failure: Failure | null = null;
  let open: Promise<unknown> = Promise.resolve();
  const context = {
    ref: (to: string) => ({ path: to }),
    ask: async (to: { readonly path: string }, message: { readonly kind: string }) => {
      asked.push(`${message.kind} ${to.path}`);
      await open;
      if (failure !== null) throw failure;
    },
  } as unknown as Context<AcceptorMessage>;
  const alarm = new ArchiverAlarm(path);
  return {
    alarm,
    asked,
    ring: async () => {
      alarm.ring(context);
      await setImmediate();
    },
    refuse: (next) => {
      failure = next;
    },
    gate: (next) => {
      open = next;
    },
  };
}
