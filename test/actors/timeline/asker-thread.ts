/**
 * A blocking thread that asks for pages, as a mount's does: makes each request it is told of, posts the
 * pages or why there are none, and waits for the next.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Failure } from '../../../src/base/failure.ts';
import { PageAsker, type PageRequest } from '../../../src/runtime/page-channel.ts';

const { channel, bell } = workerData as { channel: SharedArrayBuffer; bell: SharedArrayBuffer };
const asker = new PageAsker(channel, bell);
const timeout_ms = 20_000;

parentPort!.on('message', (request: PageRequest) => {
  try {
    parentPort!.postMessage(asker.ask(request, timeout_ms).slice());
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    parentPort!.postMessage(error.message);
  }
});
