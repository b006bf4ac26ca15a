/**
 * Ingest: turns each WAL record into its effects on a timeline, also those it only implies.
 *
 * Owns:    caches of the tip's state, so that it must be the only one to put into the tip.
 * Promise: when `record` returns, every version the record makes has been put, valid from the
 *          record's end on. When it fails, the timeline must not go on: some effects may be missing.
 * Never:   reads WAL, waits, or allocates for an ordinary record.
 *
 * A record's blocks are stored first, each as an image if the record has one that applies, else as
 * what redo needs of the record. What else it means depends on its resource manager.
 */
import { Failure } from '../../base/failure.ts';
import { keyKinds } from '../../base/key.ts';
import { formatLsn } from '../../base/lsn.ts';
import { type Major } from '../major.ts';
import { recordValueSize, writeRecordValue } from '../page-value.ts';
import { redoTables } from '../redo/redo-tables.ts';
import { customManagerMin, resourceManagers as ids } from '../resource-managers.ts';
import { imageValueSize, writeImageValue } from '../wal-image.ts';
import { type RecordBlock, type WalRecord } from '../wal-record.ts';
import { ingestClog } from './clog.ts';
import { ingestCommitTimestamp } from './commit-timestamp.ts';
import { ingestDatabase } from './database.ts';
import { ingestGist } from './gist.ts';
import { ingestHeap, ingestHeap2 } from './heap-visibility.ts';
import { ingestMultixact } from './multixact.ts';
import { ingestRelationMap } from './relation-map.ts';
import { ingestReplicationOrigin } from './replication-origin.ts';
import { ingestStandby } from './standby.ts';
import { whereIs } from './record-failure.ts';
import { type Effect, IngestState } from './state.ts';
import { ingestStorage } from './storage.ts';
import { ensureOwnTablespace, ingestTablespace } from './tablespace.ts';
import { type Tip } from './tip.ts';
import { ingestTransaction } from './transaction.ts';
import { ingestXlog } from './xlog.ts';

/** What the records of a manager mean beyond their blocks. */
const effects: Readonly<Partial<Record<number, Effect>>> = {
  [ids.xlog]: ingestXlog,
  [ids.transaction]: ingestTransaction,
  [ids.storage]: ingestStorage,
  [ids.clog]: ingestClog,
  [ids.database]: ingestDatabase,
  [ids.tablespace]: ingestTablespace,
  [ids.multixact]: ingestMultixact,
  [ids.relationMap]: ingestRelationMap,
  [ids.standby]: ingestStandby,
  [ids.heap2]: ingestHeap2,
  [ids.heap]: ingestHeap,
  [ids.gist]: ingestGist,
  [ids.commitTs]: ingestCommitTimestamp,
  [ids.replicationOrigin]: ingestReplicationOrigin,
  [ids.logicalMessage]: blocksOnly, // a message is for decoders: it changes nothing
};

/**
 * By manager id. A manager without effects of its own is taken if there is redo for its pages:
 * otherwise they could never be read. Any other is missing here.
 */
const effectOf: readonly (Effect | undefined)[] = Array.from(
  { length: customManagerMin },
  (_, id) => effects[id] ?? (redoTables[id] === undefined ? undefined : blocksOnly),
);

export class Ingest {
  readonly #state: IngestState;

  constructor(major: Major, tip: Tip) {
    this.#state = new IngestState(major, tip);
  }

  /** Time of the newest commit or abort so far, in microseconds since 2000-01-01; 0: none yet. */
  get lastTransactionEnd_us(): number {
    return this.#state.lastTransactionEnd_us;
  }

  /** The next full xid, as records tell: exact, where the stored checkpoint has an upper bound. */
  get nextXid(): number {
    return this.#state.checkpoint.nextXid;
  }

  /**
   * Puts everything a decoded record changes. Fails, for good, with `resource_manager_unsupported`,
   * `tablespace_unsupported`, `wal_record_unknown` or `wal_record_malformed` (all name the record).
   */
  record(record: WalRecord): void {
    const effect = effectOf[record.rmgr];
    if (effect === undefined) throw unsupportedManager(record);
    const state = this.#state;
    state.checkpoint.passXid(record.xid);
    for (let id = 0; id < record.blockCount; id += 1) {
      const block = record.blocks[id]!;
      if (block.present) storeBlock(state, record, id, block);
    }
    effect(state, record);
    state.checkpoint.store(record.end);
  }
}

/** Extends the relation as needed; a relation nobody created comes into being, as in redo. */
function storeBlock(state: IngestState, record: WalRecord, id: number, block: RecordBlock): void {
  const hasImage = block.hasImage && block.applyImage;
  if (!hasImage && record.rmgr === ids.xlog) return; // a hint whose image was left out
  ensureOwnTablespace(block.tablespace, record);
  const family = state.tip.families.id(
    keyKinds.relationBlock,
    block.tablespace,
    block.database,
    block.relation,
    block.fork,
  );
  const value = state.scratch.take(
    hasImage ? imageValueSize(record, id) : recordValueSize(record, id),
  );
  if (hasImage) writeImageValue(record, id, value, 0);
  else writeRecordValue(record, id, state.scratch.view, 0);
  state.blocks.put(family, block.block, record.end, hasImage || block.willInit, value);
}

/** The manager's pages could not be rebuilt. What was before the record can be branched. */
function unsupportedManager(record: WalRecord): Failure {
  const isCustom = record.rmgr >= customManagerMin;
  const manager = isCustom ? 'an extension' : managerName(record.rmgr);
  const wayOut = `branch create NAME --at ${formatLsn(record.start)}`;
  return new Failure('resource_manager_unsupported', { manager, ...whereIs(record), wayOut });
}

function managerName(id: number): string {
  return Object.entries(ids).find(([, each]) => each === id)?.[0] ?? String(id);
}

function blocksOnly(): void {
  // Everything the record means is in its blocks.
}
