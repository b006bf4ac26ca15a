/**
 * The pool of threads for pure work.
 */
import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from '../../src/runtime/pool.ts';
import { type tasks } from './pool-tasks.ts';

async function withPool(body: (pool: Pool<typeof tasks>) => Promise<void>): Promise<void> {
  const pool = new Pool<typeof tasks>({
    tasks: new URL('./pool-tasks.ts', import.meta.url),
    threadsMax: 1,
    waitingMax: 1,
    idle_ms: 1_000,
  });
  try {
    await body(pool);
  } finally {
    await pool.close();
  }
}

test('pool: a task runs with its data and gives its result', async () => {
  await withPool(async (pool) => {
    equal(await pool.run('sum', [1, 2, 3]), 6);
  });
});

test('pool: no thread is started before there is work', async () => {
  await withPool((pool) => {
    equal(pool.threads, 0);
    return Promise.resolve();
  });
});

test('pool: a task’s failure keeps its code and values', async () => {
  await withPool(async (pool) => {
    const failing = pool.run('fail', 'timeline/1');

    await rejects(failing, { code: 'actor_missing', values: { path: 'timeline/1' } });
  });
});

test('pool: a bug in a task comes back as an error that is no failure', async () => {
  await withPool(async (pool) => {
    await rejects(pool.run('blunder', undefined), { name: 'TypeError', message: 'a bug' });
  });
});

test('pool: a task whose thread dies fails, and the next one runs', async () => {
  await withPool(async (pool) => {
    await rejects(pool.run('exit', undefined), { code: 'thread_died' });

    equal(await pool.run('sum', [4, 5]), 9);
  });
});

test('pool: tasks beyond what may wait are refused', async () => {
  await withPool(async (pool) => {
    const cell = new SharedArrayBuffer(4);
    const running = pool.run('wait', cell);
    const waiting = pool.run('sum', [1]);

    await rejects(pool.run('sum', [2]), { code: 'mailbox_full' });
    Atomics.store(new Int32Array(cell), 0, 1);
    Atomics.notify(new Int32Array(cell), 0);

    await running;
    equal(await waiting, 1);
  });
});
