/**
 * IngestState: what the effects of records work on, one per timeline. Everything in it is a cache of
 * the tip, or a buffer.
 */
import { type Major } from '../major.ts';
import { type WalRecord } from '../wal-record.ts';
import { BlockStore } from './block-store.ts';
import { CheckpointState } from './checkpoint-state.ts';
import { MainData } from './main-data.ts';
import { Scratch } from './scratch.ts';
import { slruKinds, SlruStore } from './slru-store.ts';
import { type Tip } from './tip.ts';

export class IngestState {
  readonly major: Major;
  readonly tip: Tip;
  readonly blocks: BlockStore;
  readonly checkpoint: CheckpointState;
  readonly clog: SlruStore;
  readonly multixactOffsets: SlruStore;
  readonly multixactMembers: SlruStore;
  readonly commitTimestamps: SlruStore;
  /** Where values are written before they are put. */
  readonly scratch = new Scratch();
  readonly data = new MainData();
  /** A multixact offsets page made before its own record came; -1: none (multixact.ts). */
  offsetsPageMadeEarly = -1;
  /** Time of the newest commit or abort ingested, in microseconds since 2000-01-01; 0: none yet. */
  lastTransactionEnd_us = 0;

  constructor(major: Major, tip: Tip) {
    this.major = major;
    this.tip = tip;
    this.blocks = new BlockStore(tip);
    this.checkpoint = new CheckpointState(major, tip);
    this.clog = new SlruStore(slruKinds.clog, tip, this.blocks);
    this.multixactOffsets = new SlruStore(slruKinds.multixactOffsets, tip, this.blocks);
    this.multixactMembers = new SlruStore(slruKinds.multixactMembers, tip, this.blocks);
    this.commitTimestamps = new SlruStore(slruKinds.commitTimestamps, tip, this.blocks);
  }
}

/** Turns one record of a resource manager into puts, beyond those of its blocks. */
export type Effect = (state: IngestState, record: WalRecord) => void;
