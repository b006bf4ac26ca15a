/**
 * Mutants: one defect per module of redo and of ingest, each a change of one place in its source. The
 * oracle must find every one (mutate.ts).
 */
export interface Mutant {
  /** Below src/postgres, without `.ts`. */
  readonly module: string;
  /** The defect, in words. */
  readonly defect: string;
  /** Text that stands once in the module, and what it becomes. */
  readonly find: string;
  readonly put: string;
}

export const mutants: readonly Mutant[] = [
  {
    module: 'redo/heap',
    defect: 'a deleted tuple has no xmax',
    find: 'else HeapTuple.xmax.set(page, tuple, HeapDelete.xmax.get(view, main));',
    put: '',
  },
  {
    module: 'redo/heap2',
    defect: 'a lock by an updater is not recorded',
    find: 'HeapTuple.xmax.set(page, tuple, HeapLock.xmax.get(view, main));',
    put: '',
  },
  {
    module: 'redo/heap-prune',
    defect: 'freezing by plan leaves xmax',
    find: 'HeapTuple.xmax.set(page, tuple, FreezePlan.xmax.get(view, plan));',
    put: '',
  },
  {
    module: 'redo/heap-tuple',
    defect: 'a tuple points at the slot after its own',
    find: 'HeapTuple.ctidSlot.set(page, tuple, slot);',
    put: 'HeapTuple.ctidSlot.set(page, tuple, slot + 1);',
  },
  {
    module: 'redo/visibility-map',
    defect: 'cleared bits stay set',
    find: 'VisibilityClear.bits.set(target, at, bits);',
    put: 'VisibilityClear.bits.set(target, at, 0);',
  },
  {
    module: 'redo/btree',
    defect: "the metapage's level is one too high",
    find: 'BtreeMeta.level.set(page, meta, BtreeMetadata.level.get(view, data));',
    put: 'BtreeMeta.level.set(page, meta, BtreeMetadata.level.get(view, data) + 1);',
  },
  {
    module: 'redo/btree-dedup',
    defect: 'a posting list split by a new tuple does not get its TID',
    find: 'copyBytes(page, gap, newTuple, newAt, tidSize);',
    put: '',
  },
  {
    module: 'redo/btree-page',
    defect: 'a posting list is not marked as one',
    find: 'count | isPostingFlag);',
    put: 'count);',
  },
  {
    module: 'redo/sequence',
    defect: 'the special space lacks its magic',
    find: 'SequenceSpecial.magic.set(page, PageHeader.special.get(page, 0), sequenceMagic);',
    put: '',
  },
  {
    module: 'redo/generic',
    defect: 'ranges go one byte too far',
    find: 'target.set(source.subarray(at, at + length), offset);',
    put: 'target.set(source.subarray(at, at + length), offset + 1);',
  },
  {
    module: 'redo/gin',
    defect: 'a split stays incomplete when its downlink comes',
    find: 'flags & ~ginFlags.incompleteSplit);',
    put: 'flags);',
  },
  {
    module: 'redo/gin-page',
    defect: 'an inserted posting item overwrites its successor',
    find: 'moveItems(page, slot + 1, slot, count);',
    put: '',
  },
  {
    module: 'redo/gin-leaf',
    defect: 'segments that a record brings are not copied',
    find: 'copyBytes(this.#page, this.#write, view, from, size);',
    put: '',
  },
  {
    module: 'redo/gin-posting-list',
    defect: "a posting list's first position is one too high",
    find: 'PostingList.position.set(this.view, 0, tid % positions);',
    put: 'PostingList.position.set(this.view, 0, (tid % positions) + 1);',
  },
  {
    module: 'redo/hash',
    defect: 'the metapage does not count tuples',
    find: 'HashMeta.tupleCount.set(page, meta, HashMeta.tupleCount.get(page, meta) + count);',
    put: 'void count;',
  },
  {
    module: 'redo/hash-page',
    defect: "a new page's successor is block 0, not none",
    find: 'HashOpaque.next.set(page, opaqueAt, none);',
    put: '',
  },
  {
    module: 'redo/brin',
    defect: 'a summary is placed but not copied',
    find: 'copyBytes(page, at, view, data, dataSize);',
    put: '',
  },
  {
    module: 'redo/brin-page',
    defect: 'the range map lacks the slot',
    find: 'SummaryPointer.slot.set(page, at, slot);',
    put: '',
  },
  {
    module: 'redo/gist',
    defect: 'the halves of a split have no NSN',
    find: 'GistOpaque.nsn.set(page, gistOpaqueAt, GistPageSplit.nsn.get(view, main));',
    put: '',
  },
  {
    module: 'redo/gist-page',
    defect: 'flags are never cleared',
    find: '(flags & ~cleared) | set);',
    put: 'flags | set);',
  },
  {
    module: 'redo/spgist',
    defect: 'the last of the moved leafs is not inserted',
    find: '!== 0 ? 1 : moves + 1;',
    put: '!== 0 ? 1 : moves;',
  },
  {
    module: 'redo/spgist-page',
    defect: 'placeholders are not counted',
    find: 'placeholderCount.set(page, opaqueAt, placeholderCount.get(page, opaqueAt) + placeholders);',
    put: '',
  },
  {
    module: 'redo/spgist-picksplit',
    defect: 'an inner tuple on its parent page is not linked',
    find: 'if (SpgistPickSplit.innerIsParent.get(view, main) !== 0) linkInner(page, record);',
    put: '',
  },
  {
    module: 'redo/spgist-vacuum',
    defect: 'moved tuples stay where they were',
    find: 'setItem(page, one, itemOffset(page, other), itemFlagsOf(page, other), itemLength(page, other));',
    put: '',
  },
  {
    module: 'redo/page-bytes',
    defect: 'the last byte of a length that is no multiple of four is not copied',
    find: 'for (; done < size; done += 1)',
    put: 'for (; done < size - 1; done += 1)',
  },
  {
    module: 'redo/rebuild',
    defect: 'whole images are not laid down',
    find: 'this.#bytes.set(new Uint8Array(view.buffer, begin, pageSize));',
    put: 'void begin;',
  },
  {
    module: 'redo/slru',
    defect: "multixact members' strengths are not stored",
    find: 'page.setUint8(group + within, Member.status.get(view, member));',
    put: '',
  },
  {
    module: 'page-items',
    defect: 'compaction keeps the unused line pointers at the end',
    find: 'if (usedEnd !== end) PageHeader.lower.set(page, 0, usedEnd);',
    put: '',
  },
  {
    module: 'ingest/clog',
    defect: 'the last subtransaction of a page is forgotten',
    find: 'for (let each = first; each < end; each += 1) setClogIndex',
    put: 'for (let each = first; each < end - 1; each += 1) setClogIndex',
  },
  {
    module: 'ingest/multixact',
    defect: 'the end of the newest multixact is not known',
    find: 'setOffset(state, at, next, Math.max((offset + count) >>> 0, 1));',
    put: 'void next;',
  },
  {
    module: 'ingest/commit-timestamp',
    defect: 'subtransactions have the time of another',
    find: 'setCommitTimestampIndex(view, each - first, xids.at(each));',
    put: 'setCommitTimestampIndex(view, each - first, xids.at(first));',
  },
  {
    module: 'ingest/heap-visibility',
    defect: 'what a heap record clears in the map stays set',
    find: 'state.blocks.put(map, mapBlock, record.end, false, delta);',
    put: 'void mapBlock;',
  },
  {
    module: 'ingest/storage',
    defect: 'a truncated relation keeps one block more',
    find: 'state.blocks.truncate(main, record.end, blocks);',
    put: 'state.blocks.truncate(main, record.end, blocks + 1);',
  },
  {
    module: 'ingest/database',
    defect: "a copied database's relations are empty",
    find: 'else state.blocks.put(copy, block, at, true, imageOf(state, page));',
    put: 'else void imageOf(state, page);',
  },
  {
    module: 'ingest/relation-map',
    defect: 'the end of a relation map is lost',
    find: 'record.end, true, data.bytes(size));',
    put: 'record.end, true, data.bytes(size - 4));',
  },
  {
    module: 'ingest/two-phase',
    defect: 'a prepared transaction stays when it has ended',
    find: 'state.tip.put(twoPhaseKey(state, xid), at, true, nothing);',
    put: 'void nothing;',
  },
  {
    module: 'ingest/replication-origin',
    defect: 'a dropped origin keeps its progress',
    find: 'state.tip.put(originKey(state, origin), record.end, true, nothing);',
    put: 'void nothing, origin;',
  },
  {
    module: 'ingest/block-store',
    defect: 'a relation extended by an image is one block short',
    find: 'init ? block : block + 1, block + 1);',
    put: 'init ? block : block + 1, init ? block : block + 1);',
  },
];
