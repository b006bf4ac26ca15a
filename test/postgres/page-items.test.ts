/** Page items: the same operations as Postgres's bufpage.c leave the same bytes. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Failure } from '../../src/base/failure.ts';
import {
  addItem,
  heapFreeSpace,
  indexMultiDelete,
  indexTupleDelete,
  indexTupleDeleteNoCompact,
  indexTupleOverwrite,
  itemFlags,
  itemFlagsOf,
  itemLength,
  itemOffset,
  markItemDead,
  noSlot,
  placement,
  repairFragmentation,
  setItemDead,
  setItemRedirect,
  setItemUnused,
  slotCount,
  truncateLinePointers,
} from '../../src/postgres/page-items.ts';
import { initPage, pageFlags, PageHeader, pageSize } from '../../src/postgres/page.ts';

const golden = new URL('../golden/page-items.txt.gz', import.meta.url);
const lines = gunzipSync(readFileSync(golden)).toString().trimEnd().split('\n');

function emptyPage(): DataView {
  const page = new DataView(new ArrayBuffer(pageSize));
  initPage(page, 16);
  return page;
}

function pattern(seed: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => seed + index);
}

/** FNV-1a of the page, in hex. */
function hashOf(page: DataView): string {
  let hash = 2_166_136_261;
  for (let at = 0; at < pageSize; at += 1) hash = Math.imul(hash ^ page.getUint8(at), 16_777_619);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Operations by name: numbers as the golden file has them. */
const operations: Readonly<Record<string, (page: DataView, args: readonly number[]) => void>> = {
  init: (page, [special]) => {
    initPage(page, special!);
  },
  add: (page, [slot, size, how, seed]) => {
    addItem(page, slot!, pattern(seed!, size!), how!);
  },
  unused: (page, [slot]) => {
    setItemUnused(page, slot!);
  },
  dead: (page, [slot]) => {
    setItemDead(page, slot!);
  },
  redirect: (page, [slot, target]) => {
    setItemRedirect(page, slot!, target!);
  },
  repair: (page) => {
    repairFragmentation(page);
  },
  truncate: (page) => {
    truncateLinePointers(page);
  },
  delete: (page, [slot]) => {
    indexTupleDelete(page, slot!);
  },
  'delete-no-compact': (page, [slot]) => {
    indexTupleDeleteNoCompact(page, slot!);
  },
  'multi-delete': (page, slots) => {
    indexMultiDelete(page, slots);
  },
  overwrite: (page, [slot, size, seed]) => {
    indexTupleOverwrite(page, slot!, pattern(seed!, size!));
  },
};

function outcome(operation: () => void): string {
  try {
    operation();
  } catch (failure) {
    if (failure instanceof Failure && failure.code === 'page_full') return 'full';
    throw failure;
  }
  return 'ok';
}

test('PageItems: every operation leaves the bytes bufpage.c leaves', () => {
  const page = emptyPage();

  for (const [index, line] of lines.entries()) {
    const words = line.split(' ');
    const [hash, expected] = [words.pop(), words.pop()];
    const [name, ...args] = words;

    const result = outcome(() => {
      operations[name!]!(page, args.map(Number));
    });

    deepEqual([result, hashOf(page)], [expected, hash], `line ${index + 1}: ${line}`);
  }
});

test('PageItems: a slot in use is not overwritten, nor one beyond the next made', () => {
  const page = emptyPage();
  addItem(page, 1, pattern(1, 40), placement.overwrite);

  function inUse(): void {
    addItem(page, 1, pattern(1, 40), placement.overwrite);
  }
  function beyond(): void {
    addItem(page, 3, pattern(1, 40), placement.overwrite);
  }

  throws(inUse, { code: 'page_slot_in_use' });
  throws(beyond, { code: 'page_slot_missing' });
});

test('PageItems: a page whose pointers cross is refused and left alone', () => {
  const page = emptyPage();
  PageHeader.lower.set(page, 0, 9_000);
  const before = hashOf(page);

  throws(
    () => {
      addItem(page, noSlot, pattern(1, 8), 0);
    },
    { code: 'page_header_invalid' },
  );
  throws(
    () => {
      repairFragmentation(page);
    },
    { code: 'page_header_invalid' },
  );
  equal(hashOf(page), before);
});

test('PageItems: a line pointer into nowhere is refused and the page left alone', () => {
  const page = emptyPage();
  for (let slot = 1; slot <= 5; slot += 1) addItem(page, slot, pattern(slot, 100), 0);
  page.setUint32(PageHeader.size + 4, 8_180 | (itemFlags.normal << 15) | (100 << 17), true);
  const before = hashOf(page);

  throws(
    () => {
      indexTupleDelete(page, 2);
    },
    { code: 'page_item_invalid' },
  );
  throws(
    () => {
      indexMultiDelete(page, [1, 3, 4]);
    },
    { code: 'page_item_invalid' },
  );
  throws(
    () => {
      repairFragmentation(page);
    },
    { code: 'page_item_invalid' },
  );
  equal(hashOf(page), before);
});

test('PageItems: slots to delete must ascend and exist', () => {
  const page = emptyPage();
  for (let slot = 1; slot <= 5; slot += 1) addItem(page, slot, pattern(slot, 100), 0);

  for (const slots of [
    [1, 3, 2],
    [0, 1, 2],
    [3, 4, 6],
  ])
    throws(
      () => {
        indexMultiDelete(page, slots);
      },
      { code: 'page_slot_missing' },
    );
});

test('PageItems: truncating line pointers keeps the first, though unused', () => {
  const page = emptyPage();
  for (let slot = 1; slot <= 3; slot += 1) addItem(page, slot, pattern(slot, 40), 0);
  for (let slot = 1; slot <= 3; slot += 1) setItemUnused(page, slot);

  truncateLinePointers(page);

  equal(slotCount(page), 1);
  equal(PageHeader.flags.get(page, 0), 1);
});

test('PageItems: an index tuple marked dead keeps its storage', () => {
  const page = emptyPage();
  addItem(page, 1, pattern(1, 40), 0);
  const offset = itemOffset(page, 1);

  markItemDead(page, 1);

  equal(slotCount(page), 1);
  deepEqual(
    [itemFlagsOf(page, 1), itemOffset(page, 1), itemLength(page, 1)],
    [itemFlags.dead, offset, 40],
  );
});

test('PageItems: the room on a heap page leaves a line pointer its own', () => {
  const page = emptyPage();
  equal(heapFreeSpace(page), pageSize - 16 - PageHeader.size - 4);
  PageHeader.upper.set(page, 0, PageHeader.size + 4);
  equal(heapFreeSpace(page), 0);
  PageHeader.upper.set(page, 0, PageHeader.size + 1);
  equal(heapFreeSpace(page), 0);
});

test('PageItems: a heap page of 291 line pointers has room only if one of them is unused', () => {
  const page = emptyPage();
  for (let slot = 1; slot <= 290; slot += 1) addItem(page, slot, pattern(1, 8), placement.heap);
  const before = heapFreeSpace(page);
  addItem(page, 291, pattern(1, 8), placement.heap);

  const full = heapFreeSpace(page);
  PageHeader.flags.set(page, 0, pageFlags.hasFreeLines);
  const hintIsWrong = heapFreeSpace(page);
  setItemUnused(page, 17);
  const unused = heapFreeSpace(page);
  PageHeader.flags.set(page, 0, 0);

  deepEqual([full, hintIsWrong, unused, heapFreeSpace(page)], [0, 0, before - 12, 0]);
});
