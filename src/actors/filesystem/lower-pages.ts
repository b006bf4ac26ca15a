/**
 * LowerPages: where a reader thread gets a page that Postgres has not written (or that was trimmed).
 *
 * Blocking, since a reader thread has no event loop. An implementation is a module with `openLower`.
 */
import { type KeyFamily } from '../../base/key.ts';
import { type Lsn } from '../../base/lsn.ts';

export interface LowerRequest {
  /** Kind `relationBlock` or `slruBlock`. The record is reused: copy what must outlive the call. */
  readonly family: KeyFamily;
  readonly firstBlock: number;
  readonly blocks: number;
  /** A version at or after this LSN. */
  readonly floor: Lsn;
}

export interface LowerPages {
  /**
   * Fills `target` (`blocks * 8192` bytes) with pages; a page that does not exist is zeros.
   * Throws a `Failure` when it cannot: the read is answered with EIO.
   */
  read(request: LowerRequest, target: Uint8Array): void;
}

/** What the module of a `LowerSource` exports. */
export interface LowerModule {
  /** `reader` counts from 0: each reader thread has its own instance. */
  openLower(options: unknown, reader: number): LowerPages | Promise<LowerPages>;
}
