/**
 * Registry of the quorum's actors for tests: the acceptors' disk and the object store are the test's, and a
 * stand-in for the compute notes what its proposer tells it.
 */
import pLimit from 'p-limit';
import { type ComputeMessage } from '../../src/actors/compute/protocol.ts';
import { acceptorOn } from '../../src/actors/acceptor/acceptor.ts';
import { archiverOn } from '../../src/actors/archiver/archiver.ts';
import { proposer } from '../../src/actors/proposer/proposer.ts';
import { walReceiver } from '../../src/actors/wal-receiver/wal-receiver.ts';
import { walSender } from '../../src/actors/wal-sender/wal-sender.ts';
import { type Behaviors } from '../../src/runtime/actor.ts';
import { controlDouble } from './control-double.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { FaultyStore } from './faulty-store.ts';
import { timelineDouble } from './timeline-double.ts';

export const disk = new FaultyDisk();
/** The object store of all archivers. */
export const store = new FaultyStore();

/** Segments that archivers have under way. */
export const archivedAtOnce = 2;

/** What owners were told, by all proposers of this test file. */
export const told: string[] = [];
const waiting = new Set<() => void>();

/** Resolves once an owner was told something of that kind. */
export async function toldOwner(kind: string): Promise<void> {
  while (!told.includes(kind)) await new Promise<void>((resolve) => waiting.add(resolve));
}

const owner = {
  name: 'compute',
  mailboxMax: 64,
  restart: 'permanent' as const,
  start: (): null => null,
  receive: (_context: unknown, _state: null, message: ComputeMessage): void => {
    told.push(message.kind);
    for (const resolve of waiting) resolve();
    waiting.clear();
  },
  stop: (): void => undefined,
};

export const behaviors: Behaviors = {
  acceptor: acceptorOn(disk),
  archiver: archiverOn(() => store, pLimit(archivedAtOnce)),
  control: controlDouble,
  proposer: proposer,
  'wal-receiver': walReceiver,
  'wal-sender': walSender,
  timeline: timelineDouble,
  compute: owner,
};
