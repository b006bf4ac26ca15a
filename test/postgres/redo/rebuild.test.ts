/**
 * The driver of redo: what it does with each kind of value, before any redo function runs.
 */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { type Lsn, lsn } from '../../../src/base/lsn.ts';
import { PageHeader, pageSize } from '../../../src/postgres/page.ts';
import { slotCount } from '../../../src/postgres/page-items.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import { WalImageValue } from '../../../src/postgres/wal-image.ts';
import { PageRebuilder, type PageVersions } from '../../../src/postgres/redo/rebuild.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { applyTo, recordValue, u16s, zeroPage } from './values.ts';

/** Inserts one tuple with 8 bytes of data into `slot`; the first makes the page. */
function insert(slot: number, fill: number): Uint8Array {
  const info = slot === 1 ? 0x80 : 0;
  const data = [...u16s(1, 0x0802), 24, 0, ...new Array<number>(8).fill(fill)];
  return recordValue({ info, willInit: slot === 1, data, main: [...u16s(slot), 0] });
}

function image(fill: number, pageLsn: number): Uint8Array {
  const value = new Uint8Array(8 + pageSize).fill(fill, 8);
  value[0] = valueTags.image;
  PageHeader.lsn.set(new DataView(value.buffer, 8), 0, lsn(pageLsn));
  return value;
}

/** An uncompressed image without a hole, as WAL of major 15 has it. */
function walImage(page: Uint8Array): Uint8Array {
  const value = new Uint8Array(WalImageValue.size + pageSize);
  const view = new DataView(value.buffer);
  WalImageValue.tag.set(view, 0, valueTags.walImage);
  WalImageValue.major.set(view, 0, 15);
  value.set(page, WalImageValue.size);
  return value;
}

interface Version {
  readonly value: Uint8Array;
  readonly end: number;
  readonly isPage?: boolean;
}

/** A read's list: newest first, each value in a chunk of its own, not at its start. */
function versions(...newestFirst: readonly Version[]): PageVersions {
  const chunks = newestFirst.map(({ value }) => {
    const bytes = new Uint8Array(value.length + 5);
    bytes.set(value, 3);
    return { bytes, view: new DataView(bytes.buffer) };
  });
  return {
    count: newestFirst.length,
    lsn: (index): Lsn => lsn(newestFirst[index]!.end),
    chunk: (index) => chunks[index]!,
    offset: () => 3,
    size: (index) => newestFirst[index]!.value.length,
    isPage: (index) => newestFirst[index]!.isPage === true,
  };
}

function rebuild(...newestFirst: readonly Version[]): { bytes: Uint8Array; view: DataView } {
  const page = zeroPage();
  page.bytes.fill(0xee);
  new PageRebuilder(15).rebuild(page.bytes, versions(...newestFirst));
  return page;
}

function failureOf(action: () => void): Failure {
  try {
    action();
  } catch (error) {
    ok(error instanceof Failure);
    return error;
  }
  throw new Error('nothing failed');
}

test('rebuild: a page without versions is all zeros', () => {
  const page = rebuild();

  deepEqual(page.bytes, new Uint8Array(pageSize));
});

test('rebuild: versions are applied oldest first', () => {
  const page = rebuild({ value: insert(2, 0x22), end: 200 }, { value: insert(1, 0x11), end: 100 });

  equal(slotCount(page.view), 2);
});

test('rebuild: the page is stamped with the end of the last record', () => {
  const page = rebuild({ value: insert(2, 0x22), end: 200 }, { value: insert(1, 0x11), end: 100 });

  equal(PageHeader.lsn.get(page.view, 0), 200);
});

test('rebuild: a record the page already has is skipped', () => {
  const page = zeroPage();
  const rebuilder = new PageRebuilder(15);
  applyTo(rebuilder, page.bytes, insert(1, 0x11), 100);
  applyTo(rebuilder, page.bytes, insert(2, 0x22), 200);

  applyTo(rebuilder, page.bytes, insert(2, 0x22), 200);

  equal(slotCount(page.view), 2);
});

test('rebuild: a record that makes the page is applied whatever the page was', () => {
  const page = rebuild({ value: insert(1, 0x11), end: 100 }, { value: image(0x55, 900), end: 90 });

  equal(slotCount(page.view), 1);
  equal(PageHeader.lsn.get(page.view, 0), 100);
});

test('rebuild: an image is taken with the LSN it carries', () => {
  const page = rebuild({ value: image(0x55, 900), end: 100 });

  equal(PageHeader.lsn.get(page.view, 0), 900);
  equal(page.bytes[pageSize - 1], 0x55);
});

test('rebuild: an image from WAL is stamped with the end of its record', () => {
  const page = rebuild({ value: walImage(image(0x55, 900).subarray(8)), end: 100 });

  equal(PageHeader.lsn.get(page.view, 0), 100);
  equal(page.bytes[pageSize - 1], 0x55);
});

test('rebuild: an image from WAL of a page of zeros stays one', () => {
  const page = rebuild({ value: walImage(new Uint8Array(pageSize)), end: 100 });

  deepEqual(page.bytes, new Uint8Array(pageSize));
});

test('rebuild: a bare page is taken as it is', () => {
  const page = rebuild({ value: image(0x55, 900).subarray(8), end: 100, isPage: true });

  equal(page.bytes[pageSize - 1], 0x55);
});

test('rebuild: an empty bare page is all zeros', () => {
  const page = rebuild({ value: new Uint8Array(0), end: 100, isPage: true });

  deepEqual(page.bytes, new Uint8Array(pageSize));
});

test('rebuild: a resource manager without redo is named in the failure', () => {
  const failure = failureOf(() =>
    rebuild({ value: recordValue({ rmgr: 200, info: 0x30 }), end: 16 }),
  );

  equal(failure.code, 'redo_record_unknown');
  deepEqual(failure.values, { rmgr: 200, info: 0x30, lsn: '0/10', block: 7 });
});

test('rebuild: what a redo function throws is the cause of a failure that names the record', () => {
  const made = { value: insert(1, 0x11), end: 8 };

  const failure = failureOf(() => rebuild({ value: insert(3, 0x33), end: 16 }, made));

  equal(failure.code, 'redo_failed');
  deepEqual(failure.values, { rmgr: 'Heap', info: 0, lsn: '0/10', block: 7 });
  ok(failure.cause instanceof Failure);
});

test('rebuild: a record for a page that nothing has made says so', () => {
  const onExisting = recordValue({ rmgr: resourceManagers.heap, info: 0x10 });

  const failure = failureOf(() => rebuild({ value: onExisting, end: 16 }));

  equal(failure.code, 'redo_page_missing');
  deepEqual(failure.values, { rmgr: 'Heap', info: 0x10, lsn: '0/10', block: 7 });
});

test('rebuild: a value whose parts do not add up to its size is refused', () => {
  const short = insert(1, 0x11).subarray(0, -1);

  throws(() => rebuild({ value: short, end: 16 }), { code: 'page_value_invalid' });
});

test('rebuild: a value with an unknown tag is refused', () => {
  throws(() => rebuild({ value: new Uint8Array(32).fill(9), end: 16 }), {
    code: 'page_value_invalid',
  });
});
