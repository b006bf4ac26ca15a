/*
 * Prints offset and size of the fields of the structs that src/postgres/redo declares for heaps, by
 * the names used there: see generate-layouts-redo.sh.
 */
#include "postgres.h"
#include "access/heapam_xlog.h"
#include "access/htup_details.h"
#include "layouts-print.h"

/* Fields renamed in 16. */
#if PG_MAJOR < 16
#define HORIZON latestRemovedXid
#define CUTOFF cutoff_xid
#define LOCK_XID locking_xid
#else
#define HORIZON snapshotConflictHorizon
#define CUTOFF snapshotConflictHorizon
#define LOCK_XID xmax
#endif
#if PG_MAJOR < 17
#define FREEZE_PLAN xl_heap_freeze_plan
#else
#define FREEZE_PLAN xlhp_freeze_plan
#endif

int
main(void)
{
	FIELD("HeapTuple.xmin", HeapTupleHeaderData, t_choice.t_heap.t_xmin);
	FIELD("HeapTuple.xmax", HeapTupleHeaderData, t_choice.t_heap.t_xmax);
	FIELD("HeapTuple.commandId", HeapTupleHeaderData, t_choice.t_heap.t_field3.t_cid);
	FIELD("HeapTuple.ctidBlockHigh", HeapTupleHeaderData, t_ctid.ip_blkid.bi_hi);
	FIELD("HeapTuple.ctidBlockLow", HeapTupleHeaderData, t_ctid.ip_blkid.bi_lo);
	FIELD("HeapTuple.ctidSlot", HeapTupleHeaderData, t_ctid.ip_posid);
	FIELD("HeapTuple.infomask2", HeapTupleHeaderData, t_infomask2);
	FIELD("HeapTuple.infomask", HeapTupleHeaderData, t_infomask);
	FIELD("HeapTuple.headerSize", HeapTupleHeaderData, t_hoff);
	SIZE("HeapTuple", SizeofHeapTupleHeader);
	FIELD("HeapDelete.xmax", xl_heap_delete, xmax);
	FIELD("HeapDelete.slot", xl_heap_delete, offnum);
	FIELD("HeapDelete.infobits", xl_heap_delete, infobits_set);
	FIELD("HeapDelete.flags", xl_heap_delete, flags);
	SIZE("HeapDelete", SizeOfHeapDelete);
	FIELD("HeapInsert.slot", xl_heap_insert, offnum);
	FIELD("HeapInsert.flags", xl_heap_insert, flags);
	SIZE("HeapInsert", SizeOfHeapInsert);
	FIELD("LoggedHeader.infomask2", xl_heap_header, t_infomask2);
	FIELD("LoggedHeader.infomask", xl_heap_header, t_infomask);
	FIELD("LoggedHeader.headerSize", xl_heap_header, t_hoff);
	SIZE("LoggedHeader", SizeOfHeapHeader);
	FIELD("HeapUpdate.oldXmax", xl_heap_update, old_xmax);
	FIELD("HeapUpdate.oldSlot", xl_heap_update, old_offnum);
	FIELD("HeapUpdate.oldInfobits", xl_heap_update, old_infobits_set);
	FIELD("HeapUpdate.flags", xl_heap_update, flags);
	FIELD("HeapUpdate.newXmax", xl_heap_update, new_xmax);
	FIELD("HeapUpdate.newSlot", xl_heap_update, new_offnum);
	SIZE("HeapUpdate", SizeOfHeapUpdate);
	FIELD("HeapConfirm.slot", xl_heap_confirm, offnum);
	SIZE("HeapConfirm", SizeOfHeapConfirm);
	FIELD("HeapLock.xmax", xl_heap_lock, LOCK_XID);
	FIELD("HeapLock.slot", xl_heap_lock, offnum);
	FIELD("HeapLock.infobits", xl_heap_lock, infobits_set);
	FIELD("HeapLock.flags", xl_heap_lock, flags);
	SIZE("HeapLock", SizeOfHeapLock);
	FIELD("HeapLock.xmax", xl_heap_lock_updated, xmax);
	FIELD("HeapLock.slot", xl_heap_lock_updated, offnum);
	FIELD("HeapLock.infobits", xl_heap_lock_updated, infobits_set);
	FIELD("HeapLock.flags", xl_heap_lock_updated, flags);
	SIZE("HeapLock", SizeOfHeapLockUpdated);
	FIELD("HeapInplace.slot", xl_heap_inplace, offnum);
	FIELD("HeapVisible.conflictXid", xl_heap_visible, CUTOFF);
	FIELD("HeapVisible.flags", xl_heap_visible, flags);
	SIZE("HeapVisible", SizeOfHeapVisible);
	FIELD("HeapMultiInsert.flags", xl_heap_multi_insert, flags);
	FIELD("HeapMultiInsert.tuples", xl_heap_multi_insert, ntuples);
	SIZE("HeapMultiInsert", SizeOfHeapMultiInsert);
	FIELD("MultiInsertTuple.dataSize", xl_multi_insert_tuple, datalen);
	/* The logged header stands behind the size. */
	SIZE("MultiInsertTuple", offsetof(xl_multi_insert_tuple, t_infomask2));
	SIZE("LoggedHeader",
		 SizeOfMultiInsertTuple - offsetof(xl_multi_insert_tuple, t_infomask2));
#if PG_MAJOR < 17
	FIELD("HeapPrune.conflictXid", xl_heap_prune, HORIZON);
	FIELD("HeapPrune.redirects", xl_heap_prune, nredirected);
	FIELD("HeapPrune.dead", xl_heap_prune, ndead);
	FIELD("HeapVacuum.unused", xl_heap_vacuum, nunused);
	SIZE("HeapVacuum", SizeOfHeapVacuum);
	FIELD("HeapFreezePage.conflictXid", xl_heap_freeze_page, CUTOFF);
#else
	FIELD("HeapPruneFreeze.reason", xl_heap_prune, reason);
	FIELD("HeapPruneFreeze.flags", xl_heap_prune, flags);
	SIZE("HeapPruneFreeze", SizeOfHeapPrune);
	FIELD("FreezePlans.plans", xlhp_freeze_plans, nplans);
	SIZE("FreezePlans", offsetof(xlhp_freeze_plans, plans));
	FIELD("PruneItems.count", xlhp_prune_items, ntargets);
	SIZE("PruneItems", offsetof(xlhp_prune_items, data));
#endif
#if PG_MAJOR == 15
	FIELD("HeapFreezePage.count", xl_heap_freeze_page, ntuples);
	FIELD("FreezeTuple.xmax", xl_heap_freeze_tuple, xmax);
	FIELD("FreezeTuple.slot", xl_heap_freeze_tuple, offset);
	FIELD("FreezeTuple.infomask2", xl_heap_freeze_tuple, t_infomask2);
	FIELD("FreezeTuple.infomask", xl_heap_freeze_tuple, t_infomask);
	FIELD("FreezeTuple.flags", xl_heap_freeze_tuple, frzflags);
	SIZE("FreezeTuple", sizeof(xl_heap_freeze_tuple));
#else
#if PG_MAJOR == 16
	FIELD("HeapFreezePage.count", xl_heap_freeze_page, nplans);
#endif
	FIELD("FreezePlan.xmax", FREEZE_PLAN, xmax);
	FIELD("FreezePlan.infomask2", FREEZE_PLAN, t_infomask2);
	FIELD("FreezePlan.infomask", FREEZE_PLAN, t_infomask);
	FIELD("FreezePlan.flags", FREEZE_PLAN, frzflags);
	FIELD("FreezePlan.tuples", FREEZE_PLAN, ntuples);
	SIZE("FreezePlan", sizeof(FREEZE_PLAN));
#endif
	return 0;
}
