/**
 * The page channel: a blocking thread asks, this thread serves.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  allocateBell,
  allocatePageChannel,
  BellListener,
  channelPagesMax,
  PageChannel,
} from '../../src/runtime/page-channel.ts';
import { stampedFamily, type PageAsk, type PageAskReport } from './stamped.ts';

const pageSize = 8_192;

interface Asking {
  readonly channel: PageChannel;
  readonly bell: SharedArrayBuffer;
  /** The reports of all asks; ends when the thread has. */
  readonly reports: () => Promise<readonly PageAskReport[]>;
  readonly nextReport: () => Promise<PageAskReport>;
  /** Looks until it holds; fails when the thread has ended before. */
  readonly until: (holds: () => boolean) => Promise<void>;
}

/** Runs a thread that makes these asks, and serves them meanwhile. */
async function asking(
  asks: readonly PageAsk[],
  body: (asking: Asking) => Promise<void>,
): Promise<void> {
  const memory = allocatePageChannel();
  const bell = allocateBell();
  const worker = new Worker(new URL('./page-asker-thread.ts', import.meta.url), {
    workerData: { channel: memory, bell, asks },
    execArgv: [],
  });
  const all: PageAskReport[] = [];
  worker.on('message', (report: PageAskReport) => all.push(report));
  let over = false;
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      over = true;
      resolve();
    });
  });
  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      ok(!over, 'the thread still waits');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  async function reports(): Promise<readonly PageAskReport[]> {
    await ended;
    return all;
  }
  function nextReport(): Promise<PageAskReport> {
    return new Promise((resolve) => worker.once('message', resolve));
  }
  try {
    await body({ channel: new PageChannel(memory), bell, reports, nextReport, until });
  } finally {
    await worker.terminate();
  }
}

/** Fills every page with its block number. */
function stampPages(channel: PageChannel): void {
  const { firstBlock, count } = channel.request;
  const pages = channel.pages(count);
  for (let index = 0; index < count; index += 1)
    pages.fill(firstBlock + index, index * pageSize, (index + 1) * pageSize);
  channel.finish();
}

const patient = { timeout_ms: 20_000 } as const;

test('page channel: the asker gets the pages the server filled in, ask after ask', async () => {
  const asks = [7, 20].map((firstBlock) => ({ firstBlock, count: 3, ...patient }));
  await asking(asks, async ({ channel, bell, reports }) => {
    const listener = new BellListener(bell);
    void listener.listen(() => {
      if (channel.waiting) stampPages(channel);
      return false;
    });

    const stamps = (await reports()).map((report) => report.stamps);
    listener.stop();

    deepEqual(stamps, [
      [7, 8, 9],
      [20, 21, 22],
    ]);
  });
});

test('page channel: the server reads the request as it was written', async () => {
  await asking(
    [{ firstBlock: 2 ** 32 - 300, count: channelPagesMax, ...patient }],
    async (running) => {
      const { channel, reports, until } = running;
      await until(() => channel.waiting);

      const { request } = channel;
      channel.finish();
      await reports();

      const { firstBlock, count, floor, timeline, family } = request;
      deepEqual(
        { firstBlock, count, floor, timeline, family },
        {
          firstBlock: 2 ** 32 - 300,
          count: 256,
          floor: 2 ** 40,
          timeline: 3,
          family: stampedFamily,
        },
      );
    },
  );
});

test('page channel: a refusal carries its reason', async () => {
  await asking([{ firstBlock: 1, count: 1, ...patient }], async ({ channel, reports, until }) => {
    await until(() => channel.waiting);

    channel.refuse('layer lost. key=7');

    match((await reports())[0]!.failure!, /pages refused.*layer lost\. key=7/);
  });
});

test('page channel: an asker that nobody serves gives up', async () => {
  await asking([{ firstBlock: 1, count: 1, timeout_ms: 10 }], async ({ reports }) => {
    match((await reports())[0]!.failure!, /pages timed out/);
  });
});

test('page channel: a late answer does not pass for the answer to the next request', async () => {
  const asks = [
    { firstBlock: 1, count: 1, timeout_ms: 300 },
    { firstBlock: 2, count: 1, ...patient },
  ];
  await asking(asks, async ({ channel, bell, nextReport, reports, until }) => {
    const gaveUp = nextReport();
    await until(() => channel.waiting);
    await gaveUp;
    await until(() => Atomics.load(new Int32Array(bell), 0) === 2); // the second request is there

    channel.pages(1).fill(1);
    channel.finish(); // of the first
    await until(() => channel.waiting);
    stampPages(channel);

    deepEqual((await reports())[1]?.stamps, [2]);
  });
});

test('page channel: a server that comes late serves what waits already', async () => {
  await asking(
    [{ firstBlock: 5, count: 1, ...patient }],
    async ({ channel, bell, reports, until }) => {
      await until(() => channel.waiting);

      const listener = new BellListener(bell);
      void listener.listen(() => {
        if (channel.waiting) stampPages(channel);
        return false;
      });
      const [report] = await reports();
      listener.stop();

      equal(report?.stamps[0], 5);
    },
  );
});

test('page channel: a bell that never stops leaves a turn to others', async () => {
  const bell = allocateBell();
  const rings = new Int32Array(bell);
  const listener = new BellListener(bell);
  let others = 0;
  setImmediate(() => (others += 1));
  let served = 0;
  const stopped = listener.listen(() => {
    served += 1;
    if (served === 100 || others > 0) listener.stop();
    else Atomics.add(rings, 0, 1);
    return false;
  });
  await stopped;

  equal(others, 1);
  ok(served < 100);
});

test('page channel: a server with more to do goes on without a bell, and leaves others a turn', async () => {
  const listener = new BellListener(allocateBell());
  const order: string[] = [];
  const stopped = listener.listen(() => {
    order.push('slice');
    setImmediate(() => order.push('other'));
    if (order.length < 5) return true;
    listener.stop();
    return false;
  });
  await stopped;

  deepEqual(order.slice(0, 5), ['slice', 'other', 'slice', 'other', 'slice']);
});
