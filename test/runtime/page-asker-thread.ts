/**
 * A blocking thread without an event loop's help: asks for one block after the other, and reports.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type Failure } from '../../src/base/failure.ts';
import { lsn } from '../../src/base/lsn.ts';
import { PageAsker } from '../../src/runtime/page-channel.ts';
import { stampedFamily, type PageAsk, type PageAskerData, type PageAskReport } from './stamped.ts';

const { channel, bell, asks } = workerData as PageAskerData;
const asker = new PageAsker(channel, bell);
for (const asked of asks) parentPort!.postMessage(report(asked));

function report({ firstBlock, count, timeout_ms }: PageAsk): PageAskReport {
  const request = { timeline: 3, family: stampedFamily, firstBlock, count, floor: lsn(2 ** 40) };
  try {
    const pages = asker.ask(request, timeout_ms);
    const stamps = Array.from({ length: count }, (_, index) => pages[index * 8_192]!);
    return { stamps, failure: null };
  } catch (error) {
    return { stamps: [], failure: (error as Failure).message };
  }
}
