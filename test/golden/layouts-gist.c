/*
 * Prints offset and size of the fields of the structs that src/postgres/redo declares for GiST and
 * SP-GiST, by the names used there: see generate-layouts-redo.sh.
 */
#include "postgres.h"
#include "access/gist.h"
#include "access/gistxlog.h"
#include "access/spgist_private.h"
#include "access/spgxlog.h"
#include "layouts-print.h"

/* Fields renamed in 16 and in 17. */
#if PG_MAJOR < 16
#define HORIZON latestRemovedXid
#define REDIRECT_HORIZON newestRedirectXid
#else
#define HORIZON snapshotConflictHorizon
#define REDIRECT_HORIZON snapshotConflictHorizon
#endif
#if PG_MAJOR < 17
#define REDIRECT_XID stateSrc.myXid
#else
#define REDIRECT_XID stateSrc.redirectXid
#endif

#define VALUE(name, value) printf(name " %d\n", (int) (value))

int
main(void)
{
	FIELD("GistOpaque.nsn", GISTPageOpaqueData, nsn);
	FIELD("GistOpaque.rightLink", GISTPageOpaqueData, rightlink);
	FIELD("GistOpaque.flags", GISTPageOpaqueData, flags);
	FIELD("GistOpaque.pageId", GISTPageOpaqueData, gist_page_id);
	SIZE("GistOpaque", sizeof(GISTPageOpaqueData));
	FIELD("GistDeletedPage.deleteXid", GISTDeletedPageContents, deleteXid);
	SIZE("GistDeletedPage", sizeof(GISTDeletedPageContents));
	FIELD("GistPageUpdate.deletedCount", gistxlogPageUpdate, ntodelete);
	FIELD("GistPageUpdate.insertedCount", gistxlogPageUpdate, ntoinsert);
	SIZE("GistPageUpdate", sizeof(gistxlogPageUpdate));
	FIELD("GistDelete.horizon", gistxlogDelete, HORIZON);
	FIELD("GistDelete.deletedCount", gistxlogDelete, ntodelete);
	VALUE("deletedSlotsAt", SizeOfGistxlogDelete);
	FIELD("GistPageSplit.rightLink", gistxlogPageSplit, origrlink);
	FIELD("GistPageSplit.nsn", gistxlogPageSplit, orignsn);
	FIELD("GistPageSplit.isLeaf", gistxlogPageSplit, origleaf);
	FIELD("GistPageSplit.pageCount", gistxlogPageSplit, npage);
	FIELD("GistPageSplit.markFollowRight", gistxlogPageSplit, markfollowright);
	SIZE("GistPageSplit", sizeof(gistxlogPageSplit));
	FIELD("GistPageDelete.deleteXid", gistxlogPageDelete, deleteXid);
	FIELD("GistPageDelete.downlinkSlot", gistxlogPageDelete, downlinkOffset);
	SIZE("GistPageDelete", SizeOfGistxlogPageDelete);
	FIELD("SpgistOpaque.flags", SpGistPageOpaqueData, flags);
	FIELD("SpgistOpaque.redirectCount", SpGistPageOpaqueData, nRedirection);
	FIELD("SpgistOpaque.placeholderCount", SpGistPageOpaqueData, nPlaceholder);
	FIELD("SpgistOpaque.pageId", SpGistPageOpaqueData, spgist_page_id);
	SIZE("SpgistOpaque", sizeof(SpGistPageOpaqueData));
	FIELD("SpgistLastUsed.block", SpGistLastUsedPage, blkno);
	FIELD("SpgistLastUsed.freeSpace", SpGistLastUsedPage, freeSpace);
	SIZE("SpgistLastUsed", sizeof(SpGistLastUsedPage));
	FIELD("SpgistMeta.magic", SpGistMetaPageData, magicNumber);
	FIELD("SpgistMeta.lastUsed", SpGistMetaPageData, lastUsedPages);
	SIZE("SpgistMeta", sizeof(SpGistMetaPageData));
	FIELD("SpgistInner.tupleSize", SpGistInnerTupleData, size);
	SIZE("SpgistInner", SGITHDRSZ);
	FIELD("SpgistLeaf.info", SpGistLeafTupleData, t_info);
	FIELD("SpgistLeaf.heapTid", SpGistLeafTupleData, heapPtr);
	SIZE("SpgistLeaf", sizeof(SpGistLeafTupleData));
	FIELD("SpgistDead.info", SpGistDeadTupleData, t_info);
	FIELD("SpgistDead.blockHigh", SpGistDeadTupleData, pointer.ip_blkid.bi_hi);
	FIELD("SpgistDead.blockLow", SpGistDeadTupleData, pointer.ip_blkid.bi_lo);
	FIELD("SpgistDead.position", SpGistDeadTupleData, pointer.ip_posid);
	FIELD("SpgistDead.xid", SpGistDeadTupleData, xid);
	SIZE("SpgistDead", SGDTSIZE);
	FIELD("SpgistAddLeaf.newPage", spgxlogAddLeaf, newPage);
	FIELD("SpgistAddLeaf.storesNulls", spgxlogAddLeaf, storesNulls);
	FIELD("SpgistAddLeaf.leafSlot", spgxlogAddLeaf, offnumLeaf);
	FIELD("SpgistAddLeaf.headSlot", spgxlogAddLeaf, offnumHeadLeaf);
	FIELD("SpgistAddLeaf.parentSlot", spgxlogAddLeaf, offnumParent);
	FIELD("SpgistAddLeaf.node", spgxlogAddLeaf, nodeI);
	SIZE("SpgistAddLeaf", sizeof(spgxlogAddLeaf));
	FIELD("SpgistMoveLeafs.moveCount", spgxlogMoveLeafs, nMoves);
	FIELD("SpgistMoveLeafs.newPage", spgxlogMoveLeafs, newPage);
	FIELD("SpgistMoveLeafs.replaceDead", spgxlogMoveLeafs, replaceDead);
	FIELD("SpgistMoveLeafs.storesNulls", spgxlogMoveLeafs, storesNulls);
	FIELD("SpgistMoveLeafs.parentSlot", spgxlogMoveLeafs, offnumParent);
	FIELD("SpgistMoveLeafs.node", spgxlogMoveLeafs, nodeI);
	FIELD("SpgistMoveLeafs.redirectXid", spgxlogMoveLeafs, REDIRECT_XID);
	FIELD("SpgistMoveLeafs.isBuild", spgxlogMoveLeafs, stateSrc.isBuild);
	SIZE("SpgistMoveLeafs", SizeOfSpgxlogMoveLeafs);
	FIELD("SpgistAddNode.slot", spgxlogAddNode, offnum);
	FIELD("SpgistAddNode.newSlot", spgxlogAddNode, offnumNew);
	FIELD("SpgistAddNode.newPage", spgxlogAddNode, newPage);
	FIELD("SpgistAddNode.parentBlock", spgxlogAddNode, parentBlk);
	FIELD("SpgistAddNode.parentSlot", spgxlogAddNode, offnumParent);
	FIELD("SpgistAddNode.node", spgxlogAddNode, nodeI);
	FIELD("SpgistAddNode.redirectXid", spgxlogAddNode, REDIRECT_XID);
	FIELD("SpgistAddNode.isBuild", spgxlogAddNode, stateSrc.isBuild);
	SIZE("SpgistAddNode", sizeof(spgxlogAddNode));
	FIELD("SpgistSplitTuple.prefixSlot", spgxlogSplitTuple, offnumPrefix);
	FIELD("SpgistSplitTuple.postfixSlot", spgxlogSplitTuple, offnumPostfix);
	FIELD("SpgistSplitTuple.newPage", spgxlogSplitTuple, newPage);
	FIELD("SpgistSplitTuple.samePage", spgxlogSplitTuple, postfixBlkSame);
	SIZE("SpgistSplitTuple", sizeof(spgxlogSplitTuple));
	FIELD("SpgistPickSplit.isRootSplit", spgxlogPickSplit, isRootSplit);
	FIELD("SpgistPickSplit.deleteCount", spgxlogPickSplit, nDelete);
	FIELD("SpgistPickSplit.insertCount", spgxlogPickSplit, nInsert);
	FIELD("SpgistPickSplit.initSource", spgxlogPickSplit, initSrc);
	FIELD("SpgistPickSplit.initTarget", spgxlogPickSplit, initDest);
	FIELD("SpgistPickSplit.innerSlot", spgxlogPickSplit, offnumInner);
	FIELD("SpgistPickSplit.initInner", spgxlogPickSplit, initInner);
	FIELD("SpgistPickSplit.storesNulls", spgxlogPickSplit, storesNulls);
	FIELD("SpgistPickSplit.innerIsParent", spgxlogPickSplit, innerIsParent);
	FIELD("SpgistPickSplit.parentSlot", spgxlogPickSplit, offnumParent);
	FIELD("SpgistPickSplit.node", spgxlogPickSplit, nodeI);
	FIELD("SpgistPickSplit.redirectXid", spgxlogPickSplit, REDIRECT_XID);
	FIELD("SpgistPickSplit.isBuild", spgxlogPickSplit, stateSrc.isBuild);
	SIZE("SpgistPickSplit", SizeOfSpgxlogPickSplit);
	FIELD("SpgistVacuumLeaf.deadCount", spgxlogVacuumLeaf, nDead);
	FIELD("SpgistVacuumLeaf.placeholderCount", spgxlogVacuumLeaf, nPlaceholder);
	FIELD("SpgistVacuumLeaf.moveCount", spgxlogVacuumLeaf, nMove);
	FIELD("SpgistVacuumLeaf.chainCount", spgxlogVacuumLeaf, nChain);
	FIELD("SpgistVacuumLeaf.redirectXid", spgxlogVacuumLeaf, REDIRECT_XID);
	FIELD("SpgistVacuumLeaf.isBuild", spgxlogVacuumLeaf, stateSrc.isBuild);
	SIZE("SpgistVacuumLeaf", SizeOfSpgxlogVacuumLeaf);
	FIELD("SpgistVacuumRoot.deleteCount", spgxlogVacuumRoot, nDelete);
	FIELD("SpgistVacuumRoot.redirectXid", spgxlogVacuumRoot, REDIRECT_XID);
	FIELD("SpgistVacuumRoot.isBuild", spgxlogVacuumRoot, stateSrc.isBuild);
	SIZE("SpgistVacuumRoot", SizeOfSpgxlogVacuumRoot);
	FIELD("SpgistVacuumRedirect.redirectCount", spgxlogVacuumRedirect, nToPlaceholder);
	FIELD("SpgistVacuumRedirect.firstPlaceholder", spgxlogVacuumRedirect, firstPlaceholder);
	FIELD("SpgistVacuumRedirect.horizon", spgxlogVacuumRedirect, REDIRECT_HORIZON);
	VALUE("redirectSlotsAt", SizeOfSpgxlogVacuumRedirect);
	return 0;
}
