/** Two hosts in one process: actors of one speak to actors of the other. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { takeTestPort } from '../../ports.ts';
import { type PeersOptions } from '../../../src/runtime/peers/peer-world.ts';
import { startRuntime, type Runtime } from '../../../src/runtime/runtime.ts';
import { type CounterMessage } from '../registry.ts';
import { answered, counterSpec, limits } from '../running.ts';

const address = '127.0.0.1';
const behaviors = new URL('../registry.ts', import.meta.url);

interface Pair {
  readonly a: Runtime;
  readonly b: Runtime;
  readonly startB: (secret?: string) => Promise<Runtime>;
}

/** Hosts a and b, each with the threads `wal`, which listens, and `storage`; b has counters on all. */
async function pair(t: TestContext): Promise<Pair> {
  const ports = { a: await takeTestPort(address), b: await takeTestPort(address) };
  async function start(host: 'a' | 'b', secret: string): Promise<Runtime> {
    const other = host === 'a' ? 'b' : 'a';
    const peers: PeersOptions = {
      self: { host, secret },
      listen: { thread: 'wal', address, port: ports[host] },
      hosts: [{ host: other, address, port: ports[other] }],
    };
    const threads = [{ name: 'wal' }, { name: 'storage' }];
    const runtime = await startRuntime({ behaviors, threads, peers, log: () => undefined });
    t.after(() => runtime.stop());
    return runtime;
  }
  async function startB(secret = 'shared'): Promise<Runtime> {
    const b = await start('b', secret);
    for (const thread of ['wal', 'storage', 'main'])
      await b.spawn(counterSpec({ name: thread, thread }));
    return b;
  }
  return { a: await start('a', 'shared'), b: await startB(), startB };
}

test('peers: an ask is answered by an actor of another host, on whichever thread', async (t) => {
  const { a } = await pair(t);
  const asked = ['wal', 'storage', 'main'].map((name, index) =>
    a.ask(a.ref<CounterMessage>(`b:counter/${name}`), { kind: 'add', amount: index + 1 }, limits),
  );

  deepEqual(await Promise.all(asked), [1, 2, 3]);
});

test('peers: actors on worker threads have links of their own', async (t) => {
  const { a } = await pair(t);
  await a.spawn(counterSpec({ name: 'here', thread: 'storage' }));
  const here = a.ref<CounterMessage>('counter/here');

  const relay = { kind: 'relay', path: 'b:counter/main', amount: 5 } as const;

  equal(await a.ask(here, relay, limits), 5);
});

test('peers: bytes cross unchanged, also more of them than one read takes', async (t) => {
  const { a } = await pair(t);
  const bytes = Buffer.alloc(3_000_000, 'stemma');
  const there = a.ref<CounterMessage>('b:counter/storage');

  const result = await a.ask(there, { kind: 'echo', bytes, lsn: 2 ** 52 }, limits);

  equal(Buffer.compare(result.bytes, bytes), 0);
  equal(result.lsn, 2 ** 52);
});

test('peers: tells arrive before what is asked after them', async (t) => {
  const { a } = await pair(t);
  const there = a.ref<CounterMessage>('b:counter/main');
  for (let told = 0; told < 50; told += 1) a.tell(there, { kind: 'added', amount: 1 });

  equal(await a.ask(there, { kind: 'add', amount: 0 }, limits), 50);
});

test('peers: a failure of the other side keeps its code', async (t) => {
  const { a } = await pair(t);

  const refused = a.ask(a.ref<CounterMessage>('b:counter/wal'), { kind: 'refuse' }, limits);

  await rejects(refused, { code: 'mailbox_full', values: { why: 'asked to' } });
});

test('peers: nobody at the path of another host, and no such host', async (t) => {
  const { a } = await pair(t);
  const add = { kind: 'add', amount: 1 } as const;

  const nobody = a.ask(a.ref<CounterMessage>('b:counter/nobody'), add, limits);
  const nowhere = a.ask(a.ref<CounterMessage>('c:counter/wal'), add, limits);

  await Promise.all([nobody, nowhere].map((asked) => rejects(asked, { code: 'actor_missing' })));
});

test('peers: when a connection breaks, asks that wait for an answer fail at once', async (t) => {
  const { a, b } = await pair(t);
  const there = a.ref<CounterMessage>('b:counter/storage');
  const held = a.ask(there, { kind: 'hold' }, { timeout_ms: 600_000 });
  const failed = rejects(held, { code: 'peer_unreachable' });
  await a.ask(there, { kind: 'add', amount: 1 }, limits);

  await b.faults.killThread('wal'); // the one that listens

  await failed;
});

test('peers: a host that comes back is spoken to again', async (t) => {
  const { a, b, startB } = await pair(t);
  const there = a.ref<CounterMessage>('b:counter/storage');
  await a.ask(there, { kind: 'add', amount: 5 }, limits);
  await b.stop();
  await rejects(a.ask(there, { kind: 'add', amount: 1 }, limits), { code: 'peer_unreachable' });

  await startB();

  equal(await answered(() => a.ask(there, { kind: 'add', amount: 1 }, limits)), 1);
});

test('peers: an asker that gives up is forgotten on the other host too', async (t) => {
  const { a, b } = await pair(t);
  const there = a.ref<CounterMessage>('b:counter/storage');
  const held = a.ask(there, { kind: 'hold' }, { timeout_ms: 20 });
  await rejects(held, { code: 'ask_timed_out' });

  await a.ask(there, { kind: 'release' }, limits);

  const stats = await b.stats();
  deepEqual(
    stats.map(({ pendingAsks }) => pendingAsks),
    [0, 0, 0],
  );
});

test('peers: a host with another secret is not spoken to', async (t) => {
  const { a, b, startB } = await pair(t);
  await b.stop();
  await startB('another');
  const there = a.ref<CounterMessage>('b:counter/wal');

  await rejects(a.ask(there, { kind: 'add', amount: 1 }, limits), { code: 'peer_refused' });
});
