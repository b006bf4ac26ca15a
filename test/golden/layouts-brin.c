/*
 * Prints offset and size of the fields of the structs that src/postgres/redo declares for BRIN
 * indexes, by the names used there: see generate-layouts-redo.sh.
 */
#include "postgres.h"
#include "access/brin_page.h"
#include "access/brin_xlog.h"
#include "layouts-print.h"

/* The last two elements of the special space's vector. */
#define ELEMENT(name, index) printf(name " %d %d\n", (int) ((index) * sizeof(uint16)), (int) sizeof(uint16))
#define ELEMENTS ((int) (sizeof(BrinSpecialSpace) / sizeof(uint16)))

int
main(void)
{
	ELEMENT("BrinSpecial.flags", ELEMENTS - 2);
	ELEMENT("BrinSpecial.type", ELEMENTS - 1);
	SIZE("BrinSpecial", sizeof(BrinSpecialSpace));
	FIELD("BrinMeta.magic", BrinMetaPageData, brinMagic);
	FIELD("BrinMeta.version", BrinMetaPageData, brinVersion);
	FIELD("BrinMeta.pagesPerRange", BrinMetaPageData, pagesPerRange);
	FIELD("BrinMeta.lastRangeMapPage", BrinMetaPageData, lastRevmapPage);
	SIZE("BrinMeta", sizeof(BrinMetaPageData));
	FIELD("SummaryPointer.blockHigh", ItemPointerData, ip_blkid.bi_hi);
	FIELD("SummaryPointer.blockLow", ItemPointerData, ip_blkid.bi_lo);
	FIELD("SummaryPointer.slot", ItemPointerData, ip_posid);
	SIZE("SummaryPointer", sizeof(ItemPointerData));
	FIELD("BrinCreateIndex.pagesPerRange", xl_brin_createidx, pagesPerRange);
	FIELD("BrinCreateIndex.version", xl_brin_createidx, version);
	SIZE("BrinCreateIndex", SizeOfBrinCreateIdx);
	FIELD("BrinInsert.heapBlock", xl_brin_insert, heapBlk);
	FIELD("BrinInsert.pagesPerRange", xl_brin_insert, pagesPerRange);
	FIELD("BrinInsert.slot", xl_brin_insert, offnum);
	SIZE("BrinInsert", SizeOfBrinInsert);
	FIELD("BrinUpdate.oldSlot", xl_brin_update, oldOffnum);
	/* As far as it is logged. */
	printf("BrinUpdate.insert %d %d\n", (int) offsetof(xl_brin_update, insert), (int) SizeOfBrinInsert);
	SIZE("BrinUpdate", SizeOfBrinUpdate);
	FIELD("BrinSamePageUpdate.slot", xl_brin_samepage_update, offnum);
	SIZE("BrinSamePageUpdate", SizeOfBrinSamepageUpdate);
	FIELD("BrinRevmapExtend.block", xl_brin_revmap_extend, targetBlk);
	SIZE("BrinRevmapExtend", SizeOfBrinRevmapExtend);
	FIELD("BrinDesummarize.pagesPerRange", xl_brin_desummarize, pagesPerRange);
	FIELD("BrinDesummarize.heapBlock", xl_brin_desummarize, heapBlk);
	FIELD("BrinDesummarize.slot", xl_brin_desummarize, regOffset);
	SIZE("BrinDesummarize", SizeOfBrinDesummarize);
	return 0;
}
