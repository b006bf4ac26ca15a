/**
 * VersionCursor: a stream of versions in file order: by key, then LSN, then order of arrival. What
 * a delta file is written from, whether the source is memory, one file or a merge of many.
 */
import { type Key } from '../base/key.ts';
import { type Lsn } from '../base/lsn.ts';
import { type Chunk } from './version-list.ts';

/** Stands on a version until `ended`. The chunk is valid until `advance`. */
export interface VersionCursor {
  readonly ended: boolean;
  readonly key: Key;
  readonly lsn: Lsn;
  readonly init: boolean;
  readonly chunk: Chunk;
  readonly offset: number;
  readonly size: number;
  advance(): void;
}
