/*
 * Prints offset and size of the fields of the structs that src/postgres/redo declares for B-trees,
 * by the names used there: see generate-layouts-redo.sh.
 */
#include "postgres.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "access/nbtxlog.h"
#include "commands/sequence.h"
#include "layouts-print.h"

/* Fields renamed in 16. */
#if PG_MAJOR < 16
#define HORIZON latestRemovedXid
#define LOCATOR node
#else
#define HORIZON snapshotConflictHorizon
#define LOCATOR locator
#endif

int
main(void)
{
	FIELD("BtreeOpaque.previous", BTPageOpaqueData, btpo_prev);
	FIELD("BtreeOpaque.next", BTPageOpaqueData, btpo_next);
	FIELD("BtreeOpaque.level", BTPageOpaqueData, btpo_level);
	FIELD("BtreeOpaque.flags", BTPageOpaqueData, btpo_flags);
	FIELD("BtreeOpaque.cycleId", BTPageOpaqueData, btpo_cycleid);
	SIZE("BtreeOpaque", sizeof(BTPageOpaqueData));
	FIELD("BtreeMeta.magic", BTMetaPageData, btm_magic);
	FIELD("BtreeMeta.version", BTMetaPageData, btm_version);
	FIELD("BtreeMeta.root", BTMetaPageData, btm_root);
	FIELD("BtreeMeta.level", BTMetaPageData, btm_level);
	FIELD("BtreeMeta.fastRoot", BTMetaPageData, btm_fastroot);
	FIELD("BtreeMeta.fastLevel", BTMetaPageData, btm_fastlevel);
	FIELD("BtreeMeta.lastCleanupDeletedPages", BTMetaPageData, btm_last_cleanup_num_delpages);
	FIELD("BtreeMeta.lastCleanupHeapTuples", BTMetaPageData, btm_last_cleanup_num_heap_tuples);
	FIELD("BtreeMeta.allEqualImage", BTMetaPageData, btm_allequalimage);
	SIZE("BtreeMeta", sizeof(BTMetaPageData));
	FIELD("IndexTuple.blockHigh", IndexTupleData, t_tid.ip_blkid.bi_hi);
	FIELD("IndexTuple.blockLow", IndexTupleData, t_tid.ip_blkid.bi_lo);
	FIELD("IndexTuple.position", IndexTupleData, t_tid.ip_posid);
	FIELD("IndexTuple.info", IndexTupleData, t_info);
	SIZE("IndexTuple", sizeof(IndexTupleData));
	FIELD("BtreeMetadata.version", xl_btree_metadata, version);
	FIELD("BtreeMetadata.root", xl_btree_metadata, root);
	FIELD("BtreeMetadata.level", xl_btree_metadata, level);
	FIELD("BtreeMetadata.fastRoot", xl_btree_metadata, fastroot);
	FIELD("BtreeMetadata.fastLevel", xl_btree_metadata, fastlevel);
	FIELD("BtreeMetadata.lastCleanupDeletedPages", xl_btree_metadata, last_cleanup_num_delpages);
	FIELD("BtreeMetadata.allEqualImage", xl_btree_metadata, allequalimage);
	SIZE("BtreeMetadata", sizeof(xl_btree_metadata));
	FIELD("BtreeInsert.slot", xl_btree_insert, offnum);
	SIZE("BtreeInsert", SizeOfBtreeInsert);
	FIELD("BtreeSplit.level", xl_btree_split, level);
	FIELD("BtreeSplit.firstRightSlot", xl_btree_split, firstrightoff);
	FIELD("BtreeSplit.newSlot", xl_btree_split, newitemoff);
	FIELD("BtreeSplit.postingIndex", xl_btree_split, postingoff);
	SIZE("BtreeSplit", SizeOfBtreeSplit);
	FIELD("BtreeDedup.intervalCount", xl_btree_dedup, nintervals);
	SIZE("BtreeDedup", SizeOfBtreeDedup);
	FIELD("Interval.baseSlot", BTDedupInterval, baseoff);
	FIELD("Interval.itemCount", BTDedupInterval, nitems);
	SIZE("Interval", sizeof(BTDedupInterval));
	FIELD("BtreeVacuum.deletedCount", xl_btree_vacuum, ndeleted);
	FIELD("BtreeVacuum.updatedCount", xl_btree_vacuum, nupdated);
	SIZE("BtreeVacuum", SizeOfBtreeVacuum);
	FIELD("BtreeDelete.horizon", xl_btree_delete, HORIZON);
	FIELD("BtreeDelete.deletedCount", xl_btree_delete, ndeleted);
	FIELD("BtreeDelete.updatedCount", xl_btree_delete, nupdated);
	/* As far as redo reads it: what follows is for standbys. */
	SIZE("BtreeDelete", offsetof(xl_btree_delete, nupdated) + sizeof(uint16));
	FIELD("BtreeMarkHalfDead.parentSlot", xl_btree_mark_page_halfdead, poffset);
	FIELD("BtreeMarkHalfDead.leaf", xl_btree_mark_page_halfdead, leafblk);
	FIELD("BtreeMarkHalfDead.left", xl_btree_mark_page_halfdead, leftblk);
	FIELD("BtreeMarkHalfDead.right", xl_btree_mark_page_halfdead, rightblk);
	FIELD("BtreeMarkHalfDead.topParent", xl_btree_mark_page_halfdead, topparent);
	SIZE("BtreeMarkHalfDead", SizeOfBtreeMarkPageHalfDead);
	FIELD("BtreeUnlink.left", xl_btree_unlink_page, leftsib);
	FIELD("BtreeUnlink.right", xl_btree_unlink_page, rightsib);
	FIELD("BtreeUnlink.level", xl_btree_unlink_page, level);
	FIELD("BtreeUnlink.safeXid", xl_btree_unlink_page, safexid);
	FIELD("BtreeUnlink.leafLeft", xl_btree_unlink_page, leafleftsib);
	FIELD("BtreeUnlink.leafRight", xl_btree_unlink_page, leafrightsib);
	FIELD("BtreeUnlink.leafTopParent", xl_btree_unlink_page, leaftopparent);
	SIZE("BtreeUnlink", SizeOfBtreeUnlinkPage);
	FIELD("DeletedPage.safeXid", BTDeletedPageData, safexid);
	SIZE("DeletedPage", sizeof(BTDeletedPageData));
	FIELD("BtreeNewRoot.root", xl_btree_newroot, rootblk);
	FIELD("BtreeNewRoot.level", xl_btree_newroot, level);
	SIZE("BtreeNewRoot", SizeOfBtreeNewroot);
	FIELD("SequenceRecord.locator", xl_seq_rec, LOCATOR);
	SIZE("SequenceRecord", sizeof(xl_seq_rec));
	return 0;
}
