/**
 * A timeline that only keeps the WAL it is given, and compares: what it is given twice, and what is
 * committed. After a crash it begins again at an earlier record's end, as one does whose layers were
 * not all on disk.
 */
import { Failure } from '../../src/base/failure.ts';
import { lsn, type Lsn } from '../../src/base/lsn.ts';
import {
  type TimelineDescription,
  type TimelineMessage,
} from '../../src/actors/timeline/protocol.ts';
import { type SeededRandom } from '../../src/io/random.ts';
import { type Behavior } from '../../src/runtime/actor.ts';
import { type Ledger } from './ledger.ts';
import { patient } from './watched-acceptor.ts';

/** What one timeline was given: outlives its crashes. */
export interface Recording {
  /** Ends of chunks, the start first. */
  readonly ends: Lsn[];
  received: Lsn;
}

interface State {
  readonly recording: Recording;
  received: Lsn;
}

export interface RecordingOptions {
  readonly name: string;
}

const refusal_oneIn = 40;
/** A crash goes back at most so many chunks. */
export const endsKept = 3;

export function recordingTimeline(
  ledger: Ledger,
  random: SeededRandom,
  recordings: ReadonlyMap<string, Recording>,
): Behavior<TimelineMessage, State, RecordingOptions> {
  return {
    name: 'timeline',
    mailboxMax: 64,
    restart: 'permanent',
    intensity: patient,
    start: (_context, { name }) => {
      const recording = recordings.get(name)!;
      recording.received = random.pick(recording.ends.slice(-endsKept));
      return { recording, received: recording.received };
    },
    receive: (context, state, message) => {
      if (message.kind === 'describeTimeline') {
        const { received } = state;
        const diskConsistentLsn = state.recording.ends.slice(-endsKept)[0]!;
        const stands = { receivedLsn: received, ingestedLsn: received, diskConsistentLsn };
        context.answer(message, stands as TimelineDescription);
      } else if (message.kind === 'ingestWal') {
        const { begin, bytes } = message;
        if (begin !== state.received) throw new Failure('timeline_gap', { begin });
        if (random.oneIn(refusal_oneIn)) throw new Failure('disk_full', {});
        ledger.committedIs(begin, bytes, context.self.path);
        state.received = lsn(begin + bytes.length);
        ledger.reportedEnd(state.received, context.self.path);
        state.recording.received = state.received;
        if (state.received > state.recording.ends.at(-1)!)
          state.recording.ends.push(state.received);
        context.answer(message, { receivedLsn: state.received, ingestedLsn: state.received });
      }
    },
    stop: () => undefined,
  };
}
