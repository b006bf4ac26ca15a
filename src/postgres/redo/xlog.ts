/**
 * Redo of the XLOG resource manager (src/backend/access/transam/xlog.c, `xlog_redo`).
 *
 * Only its full-page images touch pages, and those are stored as images, never as records: what is
 * left to redo here is a hint whose image was left out. Checkpoints, counters and parameters are
 * state of the timeline, not of a page.
 */
import { type BlockRecord, type Redo } from '../page-value.ts';
import { Failure } from '../../base/failure.ts';

export const xlogRedo: Readonly<Partial<Record<number, Redo>>> = {
  0xa0: redoNothing, // XLOG_FPI_FOR_HINT without an image (full_page_writes=off): a hint, not a change
  0xb0: redoImage, // XLOG_FPI
};

function redoNothing(): void {
  // The page keeps its LSN too: Postgres does not touch the buffer.
}

/** `XLOG_FPI` is nothing but images, so one without is damaged. */
function redoImage(_page: DataView, record: BlockRecord): void {
  throw new Failure('redo_record_malformed', { rmgr: record.rmgr, info: record.info });
}
