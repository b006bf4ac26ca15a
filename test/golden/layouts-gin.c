/*
 * Prints offset and size of the fields of the structs that src/postgres/redo declares for GIN, by the
 * names used there: see generate-layouts-redo.sh.
 */
#include "postgres.h"
#include "access/ginblock.h"
#include "access/ginxlog.h"
#include "layouts-print.h"

/* Renamed in 16. */
#if PG_MAJOR < 16
#define LOCATOR node
#else
#define LOCATOR locator
#endif

/* A field of the struct that begins at `at`. */
#define PART(name, type, field, at) printf(name " %d 2\n", (int) offsetof(type, field) + (at))

int
main(void)
{
	FIELD("GinOpaque.rightLink", GinPageOpaqueData, rightlink);
	FIELD("GinOpaque.itemCount", GinPageOpaqueData, maxoff);
	FIELD("GinOpaque.flags", GinPageOpaqueData, flags);
	SIZE("GinOpaque", sizeof(GinPageOpaqueData));
	FIELD("GinMeta.head", GinMetaPageData, head);
	FIELD("GinMeta.tail", GinMetaPageData, tail);
	FIELD("GinMeta.tailFreeSize", GinMetaPageData, tailFreeSize);
	FIELD("GinMeta.pendingPages", GinMetaPageData, nPendingPages);
	FIELD("GinMeta.pendingHeapTuples", GinMetaPageData, nPendingHeapTuples);
	FIELD("GinMeta.totalPages", GinMetaPageData, nTotalPages);
	FIELD("GinMeta.entryPages", GinMetaPageData, nEntryPages);
	FIELD("GinMeta.dataPages", GinMetaPageData, nDataPages);
	FIELD("GinMeta.entries", GinMetaPageData, nEntries);
	FIELD("GinMeta.version", GinMetaPageData, ginVersion);
	SIZE("GinMeta", sizeof(GinMetaPageData));
	FIELD("PostingItem.childHigh", PostingItem, child_blkno.bi_hi);
	FIELD("PostingItem.childLow", PostingItem, child_blkno.bi_lo);
	FIELD("PostingItem.keyHigh", PostingItem, key.ip_blkid.bi_hi);
	FIELD("PostingItem.keyLow", PostingItem, key.ip_blkid.bi_lo);
	FIELD("PostingItem.keyPosition", PostingItem, key.ip_posid);
	SIZE("PostingItem", sizeof(PostingItem));
	FIELD("GinTid.blockHigh", ItemPointerData, ip_blkid.bi_hi);
	FIELD("GinTid.blockLow", ItemPointerData, ip_blkid.bi_lo);
	FIELD("GinTid.position", ItemPointerData, ip_posid);
	SIZE("GinTid", sizeof(ItemPointerData));
	FIELD("PostingList.blockHigh", GinPostingList, first.ip_blkid.bi_hi);
	FIELD("PostingList.blockLow", GinPostingList, first.ip_blkid.bi_lo);
	FIELD("PostingList.position", GinPostingList, first.ip_posid);
	FIELD("PostingList.byteCount", GinPostingList, nbytes);
	SIZE("PostingList", offsetof(GinPostingList, bytes));
	FIELD("GinCreatePostingTree.dataSize", ginxlogCreatePostingTree, size);
	SIZE("GinCreatePostingTree", sizeof(ginxlogCreatePostingTree));
	FIELD("GinInsert.flags", ginxlogInsert, flags);
	SIZE("GinInsert", sizeof(ginxlogInsert));
	/* An array of two follows ginxlogInsert. */
	FIELD("GinChildren.leftHigh", BlockIdData, bi_hi);
	FIELD("GinChildren.leftLow", BlockIdData, bi_lo);
	PART("GinChildren.rightHigh", BlockIdData, bi_hi, sizeof(BlockIdData));
	PART("GinChildren.rightLow", BlockIdData, bi_lo, sizeof(BlockIdData));
	SIZE("GinChildren", 2 * sizeof(BlockIdData));
	FIELD("GinInsertEntry.slot", ginxlogInsertEntry, offset);
	FIELD("GinInsertEntry.isDelete", ginxlogInsertEntry, isDelete);
	SIZE("GinInsertEntry", offsetof(ginxlogInsertEntry, tuple));
	FIELD("GinRecompress.actionCount", ginxlogRecompressDataLeaf, nactions);
	SIZE("GinRecompress", sizeof(ginxlogRecompressDataLeaf));
	FIELD("SegmentAction.segment", ginxlogSegmentAction, segno);
	FIELD("SegmentAction.kind", ginxlogSegmentAction, type);
	SIZE("SegmentAction", sizeof(ginxlogSegmentAction));
	FIELD("GinInsertInner.slot", ginxlogInsertDataInternal, offset);
	SIZE("GinInsertInner", offsetof(ginxlogInsertDataInternal, newitem));
	FIELD("GinSplit.locator", ginxlogSplit, LOCATOR);
	FIELD("GinSplit.rightLink", ginxlogSplit, rrlink);
	FIELD("GinSplit.leftChild", ginxlogSplit, leftChildBlkno);
	FIELD("GinSplit.rightChild", ginxlogSplit, rightChildBlkno);
	FIELD("GinSplit.flags", ginxlogSplit, flags);
	SIZE("GinSplit", sizeof(ginxlogSplit));
	FIELD("GinDeletePage.parentSlot", ginxlogDeletePage, parentOffset);
	FIELD("GinDeletePage.rightLink", ginxlogDeletePage, rightLink);
	FIELD("GinDeletePage.deleteXid", ginxlogDeletePage, deleteXid);
	SIZE("GinDeletePage", sizeof(ginxlogDeletePage));
	FIELD("GinUpdateMeta.locator", ginxlogUpdateMeta, LOCATOR);
	FIELD("GinUpdateMeta.metadata", ginxlogUpdateMeta, metadata);
	FIELD("GinUpdateMeta.previousTail", ginxlogUpdateMeta, prevTail);
	FIELD("GinUpdateMeta.newRightLink", ginxlogUpdateMeta, newRightlink);
	FIELD("GinUpdateMeta.tupleCount", ginxlogUpdateMeta, ntuples);
	SIZE("GinUpdateMeta", sizeof(ginxlogUpdateMeta));
	FIELD("GinInsertListPage.rightLink", ginxlogInsertListPage, rightlink);
	FIELD("GinInsertListPage.tupleCount", ginxlogInsertListPage, ntuples);
	SIZE("GinInsertListPage", sizeof(ginxlogInsertListPage));
	FIELD("GinDeleteListPages.metadata", ginxlogDeleteListPages, metadata);
	FIELD("GinDeleteListPages.pageCount", ginxlogDeleteListPages, ndeleted);
	SIZE("GinDeleteListPages", sizeof(ginxlogDeleteListPages));
	return 0;
}
