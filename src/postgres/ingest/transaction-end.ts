/**
 * TransactionEnd: a commit or abort record, taken apart (`ParseCommitRecord`, `ParseAbortRecord` in
 * src/backend/access/rmgrdesc/xactdesc.c). A cursor reused for every record: offsets are into its
 * `bytes`.
 */
import { lsnZero, type Lsn } from '../../base/lsn.ts';
import { type Major } from '../major.ts';
import { type WalRecord } from '../wal-record.ts';
import { type MainData } from './main-data.ts';

/** `XLOG_XACT_HAS_INFO` in the record's info. */
const hasInfo = 0x80;
/** `XACT_XINFO_HAS_…`. */
const xinfoBits = {
  database: 0x001,
  children: 0x002,
  relations: 0x004,
  invalidations: 0x008,
  twoPhase: 0x010,
  origin: 0x020,
  gid: 0x080,
  droppedStatistics: 0x100,
} as const;

const xidSize = 4;
/** `RelFileLocator`: tablespace, database, relation. */
export const relationLocatorSize = 12;
/** `SharedInvalidationMessage`. */
const invalidationSize = 16;
/** `xl_xact_stats_item`: object ids took 64 bits in 18. */
const statisticsItemSize: Readonly<Record<Major, number>> = { 15: 12, 16: 12, 17: 12, 18: 16 };

export class TransactionEnd {
  /** Microseconds since 2000-01-01. */
  time_us = 0;
  /** Where the subtransactions' xids stand. */
  children = 0;
  childCount = 0;
  /** Where the locators of relations to drop stand. */
  relations = 0;
  relationCount = 0;
  /** The prepared transaction; 0 when it was not prepared. */
  preparedXid = 0;
  /** Whether the transaction was replayed from another server; then the next two say where from. */
  hasOrigin = false;
  originLsn: Lsn = lsnZero;
  originTime_us = 0;

  /** Fails with `wal_record_malformed` when a part reaches past the record's end. */
  read(record: WalRecord, data: MainData, major: Major): this {
    this.#reset();
    this.time_us = data.i64();
    const xinfo = (record.info & hasInfo) === 0 ? 0 : data.u32();
    if ((xinfo & xinfoBits.database) !== 0) data.skip(8);
    if ((xinfo & xinfoBits.children) !== 0) {
      const at = data.skipCounted(xidSize);
      this.children = at + 4;
      this.childCount = record.view.getInt32(at, true);
    }
    if ((xinfo & xinfoBits.relations) !== 0) {
      const at = data.skipCounted(relationLocatorSize);
      this.relations = at + 4;
      this.relationCount = record.view.getInt32(at, true);
    }
    if ((xinfo & xinfoBits.droppedStatistics) !== 0) data.skipCounted(statisticsItemSize[major]);
    if ((xinfo & xinfoBits.invalidations) !== 0) data.skipCounted(invalidationSize);
    if ((xinfo & xinfoBits.twoPhase) !== 0) this.preparedXid = data.u32();
    if ((xinfo & xinfoBits.gid) !== 0) data.skipText();
    if ((xinfo & xinfoBits.origin) !== 0) this.#readOrigin(data);
    return this;
  }

  #readOrigin(data: MainData): void {
    this.hasOrigin = true;
    this.originLsn = data.lsn();
    this.originTime_us = data.i64();
  }

  #reset(): void {
    this.children = 0;
    this.childCount = 0;
    this.relations = 0;
    this.relationCount = 0;
    this.preparedXid = 0;
    this.hasOrigin = false;
  }
}
