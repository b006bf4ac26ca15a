/**
 * A timeline that only collects the WAL it is given, and may be slow or fail on order.
 */
import { Failure } from '../../src/base/failure.ts';
import { lsn, type Lsn } from '../../src/base/lsn.ts';
import {
  type TimelineDescription,
  type TimelineMessage,
} from '../../src/actors/timeline/protocol.ts';
import { defineActor } from '../../src/runtime/actor.ts';

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
  receive: async (context, state, message) => {
    if (message.kind === 'describeTimeline') {
      const stands = { receivedLsn: state.received, ingestedLsn: state.received };
      context.answer(message, stands as TimelineDescription);
    } else if (message.kind === 'ingestWal') {
      inFlight += 1;
      collected.inFlightMax = Math.max(collected.inFlightMax, inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
      if (collected.refusals > 0) {
        collected.refusals -= 1;
        throw new Failure('disk_full', {});
      }
      if (message.begin !== state.received) throw new Error('a gap in the WAL handed over');
      state.received = lsn(message.begin + message.bytes.length);
      collected.chunks.push({ begin: message.begin, bytes: message.bytes });
      context.answer(message, { receivedLsn: state.received, ingestedLsn: state.received });
      collected.onChunk();
    }
  },
  stop: () => undefined,
});
