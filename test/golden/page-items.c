/*
 * Drives src/backend/storage/page/bufpage.c through random operations and prints each with a hash of
 * the page after it. page-items.test.ts does the same and compares. Built by generate-page-items.sh.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/itup.h"
#include "storage/bufpage.h"

#undef printf

/* What bufpage.c needs of the rest of the server: warnings are dropped, errors end us. */
bool errstart(int elevel, const char *domain) { if (elevel >= ERROR) abort(); return false; }
bool errstart_cold(int elevel, const char *domain) { return errstart(elevel, domain); }

static uint32 state = 12345;
static uint32 below(uint32 bound) { state = state * 1664525u + 1013904223u; return (state >> 8) % bound; }

static PGAlignedBlock block;
#define page ((Page) block.data)
static char item[BLCKSZ];

static uint32 hash(void)
{
	uint32		h = 2166136261u;
	for (int i = 0; i < BLCKSZ; i++)
		h = (h ^ (uint8) block.data[i]) * 16777619u;
	return h;
}

static void fill(int seed, int size) { for (int i = 0; i < size; i++) item[i] = (char) (seed + i); }
static void done(bool ok) { printf(" %s %08x\n", ok ? "ok" : "full", hash()); }

static void add(int slot, int size, int flags)
{
	int			seed = below(256);
	fill(seed, size);
	printf("add %d %d %d %d", slot, size, flags, seed);
	done(PageAddItemExtended(page, item, size, slot, flags) != InvalidOffsetNumber);
}

static void init(int special)
{
	PageInit(page, BLCKSZ, special);
	printf("init %d", special);
	done(true);
}

static int count(void) { return PageGetMaxOffsetNumber(page); }

/* Pruning as heap_page_prune_execute does it: slots become unused, dead or redirected. */
static void prune(void)
{
	for (int slot = 1; slot <= count(); slot++)
	{
		ItemId		lp = PageGetItemId(page, slot);
		int			fate = below(6);

		if (!ItemIdHasStorage(lp))
		{
			if (ItemIdIsDead(lp) && fate < 3)
				ItemIdSetUnused(lp), printf("unused %d", slot), done(true);
			continue;
		}
		if (fate == 0)
			ItemIdSetUnused(lp), printf("unused %d", slot), done(true);
		else if (fate == 1)
			ItemIdSetDead(lp), printf("dead %d", slot), done(true);
		else if (fate == 2 && slot > 1)
			ItemIdSetRedirect(lp, slot - 1), printf("redirect %d %d", slot, slot - 1), done(true);
	}
	PageRepairFragmentation(page);
	printf("repair");
	done(true);
}

static void vacuum(void)
{
	int			freed = 0;
	for (int slot = 1; slot <= count(); slot++)
	{
		ItemId		lp = PageGetItemId(page, slot);
		if (ItemIdIsDead(lp) && !ItemIdHasStorage(lp))
			ItemIdSetUnused(lp), printf("unused %d", slot), done(true), freed++;
	}
	if (freed == 0)
		return;
	PageTruncateLinePointerArray(page);
	printf("truncate");
	done(true);
}

static void heap(int steps)
{
	init(0);
	while (steps-- > 0)
	{
		int			what = below(10);
		if (what < 6)
			add(below(2) ? 0 : count() + 1, 24 + below(300), PAI_IS_HEAP | PAI_OVERWRITE);
		else if (what < 8)
			prune();
		else
			vacuum();
	}
}

static void multi_delete(void)
{
	OffsetNumber slots[MaxIndexTuplesPerPage];
	int			n = 0;
	for (int slot = 1; slot <= count(); slot++)
		if (below(4) == 0)
			slots[n++] = slot;
	printf("multi-delete");
	for (int i = 0; i < n; i++)
		printf(" %d", slots[i]);
	PageIndexMultiDelete(page, slots, n);
	done(true);
}

static void index_page(int steps, bool compact)
{
	init(16);
	while (steps-- > 0)
	{
		int			what = below(12);
		int			slot = count() == 0 ? 0 : 1 + below(count());
		bool		stored = slot > 0 && ItemIdHasStorage(PageGetItemId(page, slot));

		if (what < 7 && compact)
			add(1 + below(count() + 1), 8 + below(400), 0);
		else if (what < 7)
			add(0, 8 + below(400), 0);
		else if (what < 8 && compact)
			multi_delete();
		else if (what < 9 && stored)
		{
			printf(compact ? "delete %d" : "delete-no-compact %d", slot);
			if (compact)
				PageIndexTupleDelete(page, slot);
			else
				PageIndexTupleDeleteNoCompact(page, slot);
			done(true);
		}
		else if (stored)
		{
			int			size = 8 + below(400);
			int			seed = below(256);
			fill(seed, size);
			printf("overwrite %d %d %d", slot, size, seed);
			done(PageIndexTupleOverwrite(page, slot, item, size));
		}
	}
}

int main(void)
{
	heap(250);
	index_page(350, true);
	index_page(250, false);
	return 0;
}
