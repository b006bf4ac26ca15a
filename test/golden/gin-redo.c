/*
 * Drives the functions of src/backend/access/gin/ginxlog.c that change a page through random records,
 * and prints each record with a hash of the page after it. gin-golden.test.ts does the same and
 * compares. Built by generate-gin-redo.sh.
 *
 *   page <bytes in hex>                  a page to go on with
 *   leaf|inner|entry <flags> <right child> <block data in hex> <hash>
 *   delete <slot> <hash>                 of a posting item
 */
#include "ginxlog.c"
#undef printf
#undef qsort

/* What these files need of the rest of the server: a page as buffer 1, memory that is never freed. */
static PGAlignedBlock block;
#define thePage ((Page) block.data)
char	   *BufferBlocks = block.data;
void	   *palloc(Size size) { return malloc(size); }
void	   *repalloc(void *memory, Size size) { return realloc(memory, size); }
void		pfree(void *memory) { }
bool		errstart(int elevel, const char *domain) { if (elevel >= ERROR) abort(); return false; }
bool		errstart_cold(int elevel, const char *domain) { return errstart(elevel, domain); }

static uint32 state = 4711;
static uint32 below(uint32 bound) { state = state * 1664525u + 1013904223u; return (state >> 8) % bound; }

static char record[4 * BLCKSZ];
static int	recordSize;
static void put(const void *bytes, int size) { memcpy(record + recordSize, bytes, size); recordSize += size; }

static void printHex(const char *bytes, int size)
{
	for (int i = 0; i < size; i++)
		printf("%02x", (uint8) bytes[i]);
}

static void printPage(void) { printf("page "); printHex(block.data, BLCKSZ); printf("\n"); }

/* Not of the LSN, which these functions do not set. */
static void printHash(void)
{
	uint32		h = 2166136261u;

	for (int i = sizeof(PageXLogRecPtr); i < BLCKSZ; i++)
		h = (h ^ (uint8) block.data[i]) * 16777619u;
	printf(" %08x\n", h);
}

/* TIDs as numbers, as in ginpostinglist.c. */
static uint64 valueOf(ItemPointer tid)
{
	return ((uint64) GinItemPointerGetBlockNumber(tid) << 11) | GinItemPointerGetOffsetNumber(tid);
}

static ItemPointerData tidOf(uint64 value)
{
	ItemPointerData tid;

	ItemPointerSet(&tid, value >> 11, value & 2047);
	return tid;
}

/* A TID after `value`, near or very far: distances of all widths that fit. */
static uint64 after(uint64 value)
{
	uint64		distance = 1 + (((uint64) below(1 << 20) << 20) | below(1 << 20)) % ((uint64) 1 << below(below(3) == 0 ? 38 : 12));
	uint64		next = value + distance;

	if ((next & 2047) == 0)
		next++;
	return next >= ((uint64) 0xfffffff0 << 11) ? 0 : next;
}

/* Random ascending TIDs. Returns how many. */
static int fillTids(ItemPointerData *tids, int max, uint64 from)
{
	int			count = 0;

	for (uint64 value = after(from); value != 0 && count < max; value = after(value))
		tids[count++] = tidOf(value);
	return count;
}

static GinPostingList *randomSegment(int max)
{
	ItemPointerData tids[512];
	int			count = 0,
				packed;

	while (count == 0)
		count = fillTids(tids, 1 + below(max), below(1 << 30));
	return ginCompressPostingList(tids, count, 384, &packed);
}

static int compareTids(const void *a, const void *b) { return ginCompareItemPointers((ItemPointer) a, (ItemPointer) b); }

/* TIDs to add to a segment: near its own, sometimes one it has; ascending, each once. */
static int tidsFor(GinPostingList *segment, ItemPointerData *tids)
{
	int			oldCount,
				count = 0,
				kept = 0;
	ItemPointer old = ginPostingListDecode(segment, &oldCount);

	for (int left = 1 + below(below(4) == 0 ? 40 : 4); left > 0; left--)
	{
		uint64		value = valueOf(&old[below(oldCount)]);

		value = below(20) == 0 ? value : below(3) == 0 && value > 100000 ? value - 1 - below(90000) : after(value);
		if (value != 0 && (value & 2047) != 0)
			tids[count++] = tidOf(value);
	}
	qsort(tids, count, sizeof(ItemPointerData), compareTids);
	for (int i = 0; i < count; i++)
		if (kept == 0 || compareTids(&tids[kept - 1], &tids[i]) != 0)
			tids[kept++] = tids[i];
	return kept;
}

static void putAction(uint8 segment, uint8 action) { put(&segment, 1); put(&action, 1); }

/*
 * A random ginxlogRecompressDataLeaf for the page; whatever it does, the page must have room for it.
 * Returns how many actions it has: Postgres never writes one that has none.
 */
static int makeRecompress(void)
{
	uint16		actions = 0;
	int			number = 0;
	int			size = GinDataLeafPageGetPostingListSize(thePage);
	char	   *segment = (char *) GinDataLeafPageGetPostingList(thePage);
	char	   *end = segment + size;
	int			room = GinDataPageMaxDataSize - size;
	int			often = 2 + below(12);

	recordSize = 0;
	put(&actions, sizeof(actions));
	for (;;)
	{
		GinPostingList *list = (GinPostingList *) segment;
		bool		last = segment == end;
		ItemPointerData tids[64];
		uint16		count;

		while (below(often) == 0 && room > 500)
		{
			GinPostingList *made = randomSegment(below(3) == 0 ? 200 : 10);

			putAction(number, GIN_SEGMENT_INSERT);
			put(made, SizeOfGinPostingList(made));
			room -= SizeOfGinPostingList(made);
			actions++;
		}
		if (last)
			break;
		switch (below(often))
		{
			case 0:
				putAction(number, GIN_SEGMENT_DELETE);
				actions++;
				break;
			case 1:
				if (room > 500)
				{
					GinPostingList *made = randomSegment(200);

					putAction(number, GIN_SEGMENT_REPLACE);
					put(made, SizeOfGinPostingList(made));
					room -= SizeOfGinPostingList(made);
					actions++;
				}
				break;
			case 2:
				if (room > 500 && (count = tidsFor(list, tids)) > 0)
				{
					putAction(number, GIN_SEGMENT_ADDITEMS);
					put(&count, sizeof(count));
					put(tids, count * sizeof(ItemPointerData));
					room -= count * 8;
					actions++;
				}
				break;
		}
		segment += SizeOfGinPostingList(list);
		number++;
	}
	memcpy(record, &actions, sizeof(actions));
	return actions;
}

static void step(const char *kind, int flags, uint32 right)
{
	printf("%s %d %u ", kind, flags, right);
	printHex(record, recordSize);
	if (flags & GIN_INSERT_ISDATA)
		ginRedoInsertData(1, (flags & GIN_INSERT_ISLEAF) != 0, right, record);
	else
		ginRedoInsertEntry(1, (flags & GIN_INSERT_ISLEAF) != 0, right, record);
	printHash();
}

/* A leaf of a posting tree; `old`: as it was before 9.4, an array of TIDs. */
static void leafChain(bool old)
{
	char	   *at = (char *) GinDataLeafPageGetPostingList(thePage);
	int			size = 0;

	GinInitPage(thePage, GIN_DATA | GIN_LEAF | (old ? 0 : GIN_COMPRESSED), BLCKSZ);
	if (old)
		GinPageGetOpaque(thePage)->maxoff = fillTids((ItemPointer) GinDataPageGetData(thePage), below(3) * 200, 5);
	else
	{
		for (int left = below(30); left > 0 && size < 4000; left--)
		{
			GinPostingList *made = randomSegment(250);

			memcpy(at + size, made, SizeOfGinPostingList(made));
			size += SizeOfGinPostingList(made);
		}
		GinDataPageSetDataSize(thePage, size);
	}
	printPage();
	for (int left = 9; left > 0; left--)
	{
		if (!GinPageIsCompressed(thePage))
		{
			/* Nothing of its segments is known yet: one before them. */
			uint16		actions = 1;
			GinPostingList *made = randomSegment(20);

			recordSize = 0;
			put(&actions, sizeof(actions));
			putAction(0, GIN_SEGMENT_INSERT);
			put(made, SizeOfGinPostingList(made));
		}
		else
			while (makeRecompress() == 0)
				;
		step("leaf", GIN_INSERT_ISDATA | GIN_INSERT_ISLEAF, InvalidBlockNumber);
	}
}

static void putPostingItem(void)
{
	PostingItem item;

	PostingItemSetBlockNumber(&item, below(1 << 24) * 200);
	item.key = tidOf(after(below(1 << 30)));
	put(&item, sizeof(item));
}

/* An inner page of a posting tree, from one item to full. */
static void innerChain(int count)
{
	OffsetNumber slot;

	GinInitPage(thePage, GIN_DATA, BLCKSZ);
	for (int i = 1; i <= count; i++)
	{
		recordSize = 0;
		putPostingItem();
		GinDataPageAddPostingItem(thePage, (PostingItem *) record, InvalidOffsetNumber);
	}
	printPage();
	for (int left = 30; left > 0; left--)
	{
		int			items = GinPageGetOpaque(thePage)->maxoff;

		slot = below(4) == 0 ? items : below(4) == 0 ? 1 : 1 + below(items);
		if (below(2) == 0 && items > 1)
		{
			GinPageDeletePostingItem(thePage, slot);
			printf("delete %d", slot);
			printHash();
		}
		else if (GinNonLeafDataPageGetFreeSpace(thePage) >= sizeof(PostingItem))
		{
			recordSize = 0;
			put(&slot, sizeof(slot));
			putPostingItem();
			step("inner", GIN_INSERT_ISDATA, below(1 << 24) * 200);
		}
	}
}

static void putTuple(int size)
{
	char		tuple[BLCKSZ];

	for (int i = 0; i < size; i++)
		tuple[i] = (char) (size + i);
	((IndexTuple) tuple)->t_info = size;
	put(tuple, size);
}

/* A page of the entry tree. */
static void entryChain(bool leaf, int sizeMax)
{
	GinInitPage(thePage, leaf ? GIN_LEAF : 0, BLCKSZ);
	recordSize = 0;
	putTuple(64);
	PageAddItem(thePage, (Item) record, 64, 1, false, false);
	printPage();
	for (int left = 40; left > 0; left--)
	{
		ginxlogInsertEntry entry = {0};
		int			count = PageGetMaxOffsetNumber(thePage);

		entry.isDelete = leaf && below(2) == 0;
		entry.offset = 1 + below(count + (leaf && !entry.isDelete ? 1 : 0));
		recordSize = 0;
		put(&entry, offsetof(ginxlogInsertEntry, tuple));
		putTuple(sizeof(IndexTupleData) + below(sizeMax));
		if (PageGetFreeSpace(thePage) < MAXALIGN(recordSize) + 8)
			break;
		step("entry", leaf ? GIN_INSERT_ISLEAF : 0, leaf ? InvalidBlockNumber : below(1 << 24) * 200);
	}
}

int
main(void)
{
	for (int i = 0; i < 18; i++)
		leafChain(i % 6 == 5);
	for (int i = 0; i < 6; i++)
		innerChain(i == 0 ? 1 : i == 1 ? 800 : 1 + below(500));
	for (int i = 0; i < 12; i++)
		entryChain(i % 2 == 0, i < 8 ? 60 : 900);
	return 0;
}
