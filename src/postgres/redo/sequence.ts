/**
 * Redo of sequences (src/backend/commands/sequence.c): one page with one tuple, made anew by every
 * record.
 */
import { ensure } from '../../base/failure.ts';
import { bytes, struct, u32 } from '../../base/struct.ts';
import { PageHeader, initPage } from '../page.ts';
import { itemLength, placement, reserveItem } from '../page-items.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import { HeapTuple, tupleAt } from './heap-tuple.ts';
import { copyBytes } from './page-bytes.ts';

export const sequenceRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x00: redoSequence, // XLOG_SEQ_LOG
};

/** `xl_seq_rec`: which relation; the tuple follows it. */
export const SequenceRecord = struct({ locator: bytes(12) }, { size: 12 });
/** `sequence_magic`, the special space. */
const SequenceSpecial = struct({ magic: u32 }, { size: 4 });
const sequenceMagic = 0x1717;
const firstSlot = 1;

/** `seq_redo`. */
function redoSequence(page: DataView, record: BlockRecord): void {
  const size = record.mainSize - SequenceRecord.size;
  ensure(size > 0, 'redo_record_malformed', { mainSize: record.mainSize });
  initPage(page, SequenceSpecial.size);
  SequenceSpecial.magic.set(page, PageHeader.special.get(page, 0), sequenceMagic);
  const at = reserveItem(page, firstSlot, size, placement.shuffle);
  copyBytes(page, at, record.view, record.main + SequenceRecord.size, size);
  PageHeader.lsn.set(page, 0, record.end);
}

/**
 * Masks what the tuple counts. A record promises 32 values at once (`SEQ_LOG_VALS`), so a rebuilt page
 * is ahead of its server's, and a server that starts from it skips the rest of them.
 */
export function maskSequenceCounters(page: DataView): void {
  const tuple = tupleAt(page, firstSlot);
  const header = HeapTuple.headerSize.get(page, tuple);
  const size = itemLength(page, firstSlot) - header;
  new Uint8Array(page.buffer, page.byteOffset + tuple + header, size).fill(0);
}
