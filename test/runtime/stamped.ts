/**
 * What the tests of shared pages and their threads agree on.
 */
import { keyKinds, type KeyFamily } from '../../src/base/key.ts';

export const stampedFamily: KeyFamily = {
  kind: keyKinds.relationBlock,
  tablespace: 1_663,
  database: 5,
  relation: 16_384,
  fork: 0,
};

export interface CacheReaderData {
  readonly cache: SharedArrayBuffer;
  /** Whole pages, torn pages, stop. */
  readonly counts: SharedArrayBuffer;
  readonly blocks: number;
}

export interface PageAskerData {
  readonly channel: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
  readonly asks: readonly PageAsk[];
}

export interface PageAsk {
  readonly firstBlock: number;
  readonly count: number;
  readonly timeout_ms: number;
}

export interface PageAskReport {
  /** First byte of each page, or nothing when it failed. */
  readonly stamps: readonly number[];
  readonly failure: string | null;
}
