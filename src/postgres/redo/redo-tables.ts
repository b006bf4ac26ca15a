/**
 * Redo tables: which function redoes which record, by resource manager and op code, and what of a
 * manager's pages is compared when a page is checked against Postgres's own.
 *
 * A manager's op code is `info & opMask`; what the mask leaves out are flags (heap's "init page").
 * A manager that is not here cannot be replayed, nor can an op code missing from its table.
 * Ids are positions in src/include/access/rmgrlist.h, the same in majors 15 to 18.
 */
import { type Redo } from '../page-value.ts';
import { brinOpMask, brinRedo } from './brin.ts';
import { btreeRedo } from './btree.ts';
import { genericRedo } from './generic.ts';
import { ginRedo } from './gin.ts';
import { gistRedo } from './gist.ts';
import { hashRedo } from './hash.ts';
import { heapOpMask, heapRedo } from './heap.ts';
import { heap2Redo } from './heap2.ts';
import { maskGin } from './masks-gin.ts';
import { maskGist, maskSpgist } from './masks-gist.ts';
import { maskHeap } from './masks-heap.ts';
import { maskBrin, maskBtree, maskGeneric, maskHash, maskSequence } from './masks-index.ts';
import { type Mask } from './masks.ts';
import { sequenceRedo } from './sequence.ts';
import { spgistRedo } from './spgist.ts';
import { xlogRedo } from './xlog.ts';

/** One resource manager's redo. */
export interface RedoTable {
  /** The manager's name, as pg_waldump prints it. */
  readonly name: string;
  /** The bits of `info` that are the op code. */
  readonly opMask: number;
  readonly redo: Readonly<Partial<Record<number, Redo>>>;
  /** `rm_mask`; null for a manager that has none. */
  readonly mask: Mask | null;
}

export const redoTables: Readonly<Partial<Record<number, RedoTable>>> = {
  0: { name: 'XLOG', opMask: 0xf0, redo: xlogRedo, mask: null },
  9: { name: 'Heap2', opMask: heapOpMask, redo: heap2Redo, mask: maskHeap },
  10: { name: 'Heap', opMask: heapOpMask, redo: heapRedo, mask: maskHeap },
  11: { name: 'Btree', opMask: 0xf0, redo: btreeRedo, mask: maskBtree },
  12: { name: 'Hash', opMask: 0xf0, redo: hashRedo, mask: maskHash },
  13: { name: 'Gin', opMask: 0xf0, redo: ginRedo, mask: maskGin },
  14: { name: 'Gist', opMask: 0xf0, redo: gistRedo, mask: maskGist },
  15: { name: 'Sequence', opMask: 0xf0, redo: sequenceRedo, mask: maskSequence },
  16: { name: 'SPGist', opMask: 0xf0, redo: spgistRedo, mask: maskSpgist },
  17: { name: 'BRIN', opMask: brinOpMask, redo: brinRedo, mask: maskBrin },
  20: { name: 'Generic', opMask: 0xf0, redo: genericRedo, mask: maskGeneric },
};
