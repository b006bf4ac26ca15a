/** What the `wal` thread can start: whoever takes WAL, stores it and hands it on. */
import { RealDisk } from '../../io/disk.ts';
import { acceptorOn } from '../acceptor/acceptor.ts';
import { proposer } from '../proposer/proposer.ts';
import { walSender } from '../wal-sender/wal-sender.ts';
import { registryOf } from './registry.ts';

export const behaviors = registryOf([acceptorOn(new RealDisk()), proposer, walSender]);
