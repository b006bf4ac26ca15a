/**
 * Registry: every behaviour a thread can start, by name. Each thread loads this module for itself.
 */
import { type Behaviors, type AnyBehavior } from '../runtime/actor.ts';
import { DirectoryStore } from '../io/directory-store.ts';
import { RealDisk } from '../io/disk.ts';
import { acceptorOn } from './acceptor/acceptor.ts';
import { api } from './api/api.ts';
import { archiverOn } from './archiver/archiver.ts';
import { compute } from './compute/compute.ts';
import { control } from './control/control.ts';
import { filesystem } from './filesystem/filesystem.ts';
import { proposer } from './proposer/proposer.ts';
import { pageReader } from './timeline/page-reader.ts';
import { timeline } from './timeline/timeline.ts';
import { walReceiver } from './wal-receiver/wal-receiver.ts';
import { walSender } from './wal-sender/wal-sender.ts';

const all = [
  acceptorOn(new RealDisk()),
  api,
  archiverOn((folder) => new DirectoryStore(folder)),
  compute,
  control,
  filesystem,
  pageReader,
  proposer,
  timeline,
  walReceiver,
  walSender,
] as const;

// A registry is looked up by name and given options of unknown type: the spawner and the actor agree
// on them through the actor's protocol.
export const behaviors: Behaviors = Object.fromEntries(
  all.map((behavior) => [behavior.name, behavior as unknown as AnyBehavior]),
);
