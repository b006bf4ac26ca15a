/*
 * Prints offset and size of the fields of the structs that src/postgres/redo declares for hash
 * indexes, by the names used there: see generate-layouts-redo.sh.
 */
#include "postgres.h"
#include "access/hash.h"
#include "access/hash_xlog.h"
#include "layouts-print.h"

int
main(void)
{
	FIELD("HashOpaque.previous", HashPageOpaqueData, hasho_prevblkno);
	FIELD("HashOpaque.next", HashPageOpaqueData, hasho_nextblkno);
	FIELD("HashOpaque.bucket", HashPageOpaqueData, hasho_bucket);
	FIELD("HashOpaque.flags", HashPageOpaqueData, hasho_flag);
	FIELD("HashOpaque.pageId", HashPageOpaqueData, hasho_page_id);
	SIZE("HashOpaque", sizeof(HashPageOpaqueData));
	FIELD("HashMeta.magic", HashMetaPageData, hashm_magic);
	FIELD("HashMeta.version", HashMetaPageData, hashm_version);
	FIELD("HashMeta.tupleCount", HashMetaPageData, hashm_ntuples);
	FIELD("HashMeta.fillFactor", HashMetaPageData, hashm_ffactor);
	FIELD("HashMeta.pageSize", HashMetaPageData, hashm_bsize);
	FIELD("HashMeta.bitmapSize", HashMetaPageData, hashm_bmsize);
	FIELD("HashMeta.bitmapShift", HashMetaPageData, hashm_bmshift);
	FIELD("HashMeta.maxBucket", HashMetaPageData, hashm_maxbucket);
	FIELD("HashMeta.highMask", HashMetaPageData, hashm_highmask);
	FIELD("HashMeta.lowMask", HashMetaPageData, hashm_lowmask);
	FIELD("HashMeta.splitpoint", HashMetaPageData, hashm_ovflpoint);
	FIELD("HashMeta.firstFree", HashMetaPageData, hashm_firstfree);
	FIELD("HashMeta.bitmapCount", HashMetaPageData, hashm_nmaps);
	FIELD("HashMeta.procedure", HashMetaPageData, hashm_procid);
	FIELD("HashMeta.spares", HashMetaPageData, hashm_spares);
	FIELD("HashMeta.bitmaps", HashMetaPageData, hashm_mapp);
	SIZE("HashMeta", sizeof(HashMetaPageData));
	FIELD("HashInitMeta.tupleCount", xl_hash_init_meta_page, num_tuples);
	FIELD("HashInitMeta.procedure", xl_hash_init_meta_page, procid);
	FIELD("HashInitMeta.fillFactor", xl_hash_init_meta_page, ffactor);
	SIZE("HashInitMeta", SizeOfHashInitMetaPage);
	FIELD("HashInitBitmap.bitmapSize", xl_hash_init_bitmap_page, bmsize);
	SIZE("HashInitBitmap", SizeOfHashInitBitmapPage);
	FIELD("HashInsert.slot", xl_hash_insert, offnum);
	SIZE("HashInsert", SizeOfHashInsert);
	FIELD("HashAddOverflow.bitmapSize", xl_hash_add_ovfl_page, bmsize);
	FIELD("HashAddOverflow.bitmapFound", xl_hash_add_ovfl_page, bmpage_found);
	SIZE("HashAddOverflow", SizeOfHashAddOvflPage);
	FIELD("HashSplitAllocate.newBucket", xl_hash_split_allocate_page, new_bucket);
	FIELD("HashSplitAllocate.oldFlags", xl_hash_split_allocate_page, old_bucket_flag);
	FIELD("HashSplitAllocate.newFlags", xl_hash_split_allocate_page, new_bucket_flag);
	FIELD("HashSplitAllocate.flags", xl_hash_split_allocate_page, flags);
	SIZE("HashSplitAllocate", SizeOfHashSplitAllocPage);
	FIELD("HashSplitComplete.oldFlags", xl_hash_split_complete, old_bucket_flag);
	FIELD("HashSplitComplete.newFlags", xl_hash_split_complete, new_bucket_flag);
	SIZE("HashSplitComplete", SizeOfHashSplitComplete);
	FIELD("HashMove.tupleCount", xl_hash_move_page_contents, ntups);
	FIELD("HashMove.targetIsPrimary", xl_hash_move_page_contents, is_prim_bucket_same_wrt);
	SIZE("HashMove", SizeOfHashMovePageContents);
	FIELD("HashSqueeze.previous", xl_hash_squeeze_page, prevblkno);
	FIELD("HashSqueeze.next", xl_hash_squeeze_page, nextblkno);
	FIELD("HashSqueeze.tupleCount", xl_hash_squeeze_page, ntups);
	FIELD("HashSqueeze.targetIsPrimary", xl_hash_squeeze_page, is_prim_bucket_same_wrt);
	FIELD("HashSqueeze.targetIsPrevious", xl_hash_squeeze_page, is_prev_bucket_same_wrt);
	SIZE("HashSqueeze", SizeOfHashSqueezePage);
	FIELD("HashDelete.clearDeadMarking", xl_hash_delete, clear_dead_marking);
	FIELD("HashDelete.isPrimary", xl_hash_delete, is_primary_bucket_page);
	SIZE("HashDelete", SizeOfHashDelete);
	FIELD("HashUpdateMeta.tupleCount", xl_hash_update_meta_page, ntuples);
	SIZE("HashUpdateMeta", SizeOfHashUpdateMetaPage);
#if PG_MAJOR < 16
	FIELD("HashVacuum15.horizon", xl_hash_vacuum_one_page, latestRemovedXid);
	FIELD("HashVacuum15.tupleCount", xl_hash_vacuum_one_page, ntuples);
	SIZE("HashVacuum15", SizeOfHashVacuumOnePage);
#else
	FIELD("HashVacuum.horizon", xl_hash_vacuum_one_page, snapshotConflictHorizon);
	FIELD("HashVacuum.tupleCount", xl_hash_vacuum_one_page, ntuples);
	FIELD("HashVacuum.isCatalog", xl_hash_vacuum_one_page, isCatalogRel);
	SIZE("HashVacuum", SizeOfHashVacuumOnePage);
#endif
	return 0;
}
