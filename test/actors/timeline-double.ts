/**
 * A timeline that only collects the WAL it is given, and may be slow or fail on order.
 */
import { strict as assert } from 'node:assert';
import { Failure } from '../../src/base/failure.ts';
import { lsn, type Lsn } from '../../src/base/lsn.ts';
import {
  type IngestWal,
  type TimelineDescription,
  type TimelineMessage,
} from '../../src/actors/timeline/protocol.ts';
import { defineActor, type Context } from '../../src/runtime/actor.ts';

export interface DoubleOptions {
  readonly startLsn: Lsn;
}

/** Shared with the test: what arrived, and how the double behaves. */
export const collected = {
  chunks: [] as { readonly begin: Lsn; readonly bytes: Uint8Array }[],
  /** Asks of `ingestWal` to refuse before taking one again. */
  refusals: 0,
  /** Highest number of chunks handed over and not yet answered. */
  inFlightMax: 0,
  /** What every double says that it has on its own disk. */
  durableLsn: lsn(0),
  onChunk: (): void => undefined,
};
let inFlight = 0;

interface State {
  received: Lsn;
}

export const timelineDouble = defineActor<TimelineMessage, State, DoubleOptions>({
  name: 'timeline',
  mailboxMax: 64,
  restart: 'permanent',
  start: (_context, { startLsn }) => ({ received: startLsn }),
  receive: (context, state, message) => {
    if (message.kind === 'describeTimeline') {
      const { received } = state;
      const { durableLsn: diskConsistentLsn } = collected;
      const stands = { receivedLsn: received, ingestedLsn: received, diskConsistentLsn };
      context.answer(message, stands as TimelineDescription);
    } else if (message.kind === 'ingestWal') {
      inFlight += 1;
      collected.inFlightMax = Math.max(collected.inFlightMax, inFlight);
      // Answered later, so that a second chunk handed over meanwhile would be seen.
      setImmediate(() => {
        inFlight -= 1;
        ingest(context, state, message);
      });
    }
  },
  stop: () => undefined,
});

function ingest(context: Context<TimelineMessage>, state: State, message: IngestWal): void {
  if (collected.refusals > 0) {
    collected.refusals -= 1;
    context.refuse(message, new Failure('disk_full', {}));
    return;
  }
  assert.equal(message.begin, state.received, 'chunks are contiguous');
  state.received = lsn(message.begin + message.bytes.length);
  collected.chunks.push({ begin: message.begin, bytes: message.bytes });
  context.answer(message, { receivedLsn: state.received, ingestedLsn: state.received });
  collected.onChunk();
}
