/** WalReader and decodeRecord against real WAL, in pieces of every awkward size, and against lies. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { formatLsn, lsn, parseLsn } from '../../src/base/lsn.ts';
import { parseSystemId } from '../../src/postgres/system-id.ts';
import {
  WalLongPageHeader,
  WalPageHeader,
  walPageFlags,
  walPageSize,
} from '../../src/postgres/wal-page.ts';
import { recordChecksum, WalReader } from '../../src/postgres/wal-reader.ts';
import { RecordHeader, WalRecord } from '../../src/postgres/wal-record.ts';
import {
  describeRecord,
  fixtureMajors,
  fixtureReader,
  fixtureSegmentSize,
  readRecords,
  walFixture,
  type WalFixture,
} from './wal-fixture.ts';

const fixtures = fixtureMajors.map(walFixture);
const fixture15 = fixtures[0]!;

function listingOf(fixture: WalFixture, step: number): string[] {
  const lines: string[] = [];
  readRecords(fixtureReader(fixture), fixture.major, { bytes: fixture.bytes, step }, (record) => {
    lines.push(describeRecord(record));
  });
  return lines;
}

/** A copy of the fixture's bytes, and a view to change them through. */
function tampered(fixture: WalFixture): { bytes: Uint8Array; view: DataView } {
  const bytes = fixture.bytes.slice();
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

function failureCode(fixture: WalFixture, bytes: Uint8Array): string {
  try {
    const reader = fixtureReader(fixture);
    readRecords(reader, fixture.major, { bytes, step: bytes.length }, () => undefined);
  } catch (failure) {
    ok(failure instanceof Failure, String(failure));
    equal(failure.kind, 'corrupt');
    return failure.code;
  }
  return 'none';
}

/** Offset in the fixture of record number `index`. */
function recordAt(fixture: WalFixture, index: number): number {
  return parseLsn(fixture.listing[index]!.split('|')[0]!) - fixture.start;
}

/** Index of the first record that a page boundary cuts. */
function cutRecord(fixture: WalFixture): number {
  return fixture.listing.findIndex((line, index) => {
    const at = recordAt(fixture, index);
    return (at % walPageSize) + Number(line.split('|')[6]) > walPageSize;
  });
}

for (const fixture of fixtures)
  for (const step of [1, 7, 24, 8_191, 8_192, 65_536, 2 ** 22])
    test(`WalReader: ${fixture.major} in pieces of ${step} gives what pg_walinspect lists`, () => {
      const lines = listingOf(fixture, step);

      deepEqual(lines, fixture.listing);
    });

test('WalReader: recordEnd is the last record’s end and never passes position', () => {
  const reader = fixtureReader(fixture15);
  const record = new WalRecord();

  for (let at = 0; at < fixture15.bytes.length; at += 5) {
    reader.push(fixture15.bytes.subarray(at, at + 5));
    while (reader.next(record)) equal(reader.recordEnd, record.end);
    ok(reader.recordEnd <= reader.position);
  }

  equal(formatLsn(reader.recordEnd), fixture15.listing.at(-1)!.split('|')[1]);
  equal(formatLsn(reader.lastRecordStart), fixture15.listing.at(-1)!.split('|')[0]);
});

test('WalReader: a reader begun at any record’s end goes on from there', () => {
  for (let index = 0; index < fixture15.listing.length; index += 13) {
    const [start, end] = fixture15.listing[index]!.split('|');
    const options = { major: 15, segmentSize: fixtureSegmentSize, previous: parseLsn(start!) };
    const from = parseLsn(end!) - fixture15.start;
    const reader = new WalReader(parseLsn(end!), options);
    let count = 0;

    readRecords(reader, 15, { bytes: fixture15.bytes.subarray(from), step: 10_000 }, () => {
      count += 1;
    });

    equal(count, fixture15.listing.length - index - 1);
  }
});

test('WalReader: seek finds the first record that begins on or after any page', () => {
  const starts = fixture15.listing.map((_, index) => recordAt(fixture15, index));

  for (let page = 0; page < fixture15.bytes.length; page += walPageSize) {
    const first = starts.findIndex((at) => at >= page);
    if (page < fixtureSegmentSize && starts[first]! >= fixtureSegmentSize) break;
    const options = { major: 15, segmentSize: fixtureSegmentSize, seek: true };
    const reader = new WalReader(lsn(fixture15.start + page), options);
    const bytes = fixture15.bytes.subarray(page);
    const lines: string[] = [];

    readRecords(reader, 15, { bytes, step: 1_000 }, (record) => lines.push(describeRecord(record)));

    deepEqual(lines, fixture15.listing.slice(first));
  }
});

test('WalReader: zeros where a record would begin end WAL without a failure', () => {
  const at = recordAt(fixture15, 100);
  const { bytes } = tampered(fixture15);
  bytes.fill(0, at);
  const reader = fixtureReader(fixture15);

  readRecords(reader, 15, { bytes, step: 1_000 }, () => undefined);

  equal(reader.atEnd, 'zeroRecord');
  equal(reader.recordEnd, fixture15.start + at);
  throws(
    () => {
      reader.push(bytes);
    },
    { code: 'wal_bytes_after_end' },
  );
});

test('WalReader: a page of zeros ends WAL before the record it cuts', () => {
  const cut = recordAt(fixture15, cutRecord(fixture15));
  const { bytes } = tampered(fixture15);
  bytes.fill(0, Math.ceil(cut / walPageSize) * walPageSize);
  const reader = fixtureReader(fixture15);

  readRecords(reader, 15, { bytes, step: 1_000 }, () => undefined);

  equal(reader.atEnd, 'zeroPage');
  equal(reader.recordEnd, fixture15.start + cut);
});

test('WalReader: a continuation that was overwritten drops the record it belonged to', () => {
  const cut = cutRecord(fixture15);
  const at = recordAt(fixture15, cut);
  const page = Math.ceil(at / walPageSize) * walPageSize;
  const { bytes, view } = tampered(fixture15);
  WalPageHeader.info.set(view, page, walPageFlags.firstIsOverwriteContrecord);
  WalPageHeader.remaining.set(view, page, 0);
  const begin = page + WalPageHeader.size;
  const previous = recordAt(fixture15, cut - 1);
  RecordHeader.totalSize.set(view, begin, RecordHeader.size);
  RecordHeader.previous.set(view, begin, lsn(fixture15.start + previous));
  RecordHeader.info.set(view, begin, 0xd0);
  RecordHeader.rmgr.set(view, begin, 0);
  RecordHeader.crc.set(view, begin, recordChecksum(bytes, begin, RecordHeader.size));
  const reader = fixtureReader(fixture15);
  const record = new WalRecord();
  reader.push(bytes.subarray(0, begin + RecordHeader.size));

  let last = '';
  let count = 0;
  for (; reader.next(record); count += 1) last = formatLsn(record.start);

  equal(count, cut + 1);
  equal(last, formatLsn(lsn(fixture15.start + begin)));
});

const lies: readonly (readonly [string, string, (view: DataView) => void])[] = [
  [
    'a wrong magic',
    'wal_page_magic_mismatch',
    (view) => {
      WalPageHeader.magic.set(view, walPageSize, 0xd118);
    },
  ],
  [
    'an unknown page flag',
    'wal_page_flags_invalid',
    (view) => {
      WalPageHeader.info.set(view, walPageSize, 0x11);
    },
  ],
  [
    'a page from elsewhere',
    'wal_page_address_mismatch',
    (view) => {
      WalPageHeader.address.set(view, walPageSize, lsn(8_192));
    },
  ],
  [
    'a timeline that goes back',
    'wal_page_timeline_mismatch',
    (view) => {
      WalPageHeader.timelineId.set(view, walPageSize, 0);
    },
  ],
  [
    'another segment size',
    'wal_segment_size_mismatch',
    (view) => {
      WalLongPageHeader.segmentSize.set(view, 0, 2 ** 24);
    },
  ],
  [
    'a short header at a segment’s start',
    'wal_page_flags_invalid',
    (view) => {
      WalPageHeader.info.set(view, 0, 0);
    },
  ],
  [
    'a continuation out of nowhere',
    'wal_contrecord_unexpected',
    (view) => {
      WalPageHeader.info.set(view, 0, 3);
    },
  ],
  [
    'a record too short',
    'wal_record_length_invalid',
    (view) => {
      view.setUint32(recordAt(fixture15, 9), 23, true);
    },
  ],
  [
    'a record too long',
    'wal_record_length_invalid',
    (view) => {
      view.setUint32(recordAt(fixture15, 9), 0xf000_0000, true);
    },
  ],
  [
    'an unknown manager',
    'wal_record_manager_unknown',
    (view) => {
      RecordHeader.rmgr.set(view, recordAt(fixture15, 9), 22);
    },
  ],
  [
    'a broken chain',
    'wal_record_previous_mismatch',
    (view) => {
      RecordHeader.previous.set(view, recordAt(fixture15, 9), lsn(8));
    },
  ],
  [
    'a changed byte',
    'wal_record_checksum_mismatch',
    (view) => {
      view.setUint8(recordAt(fixture15, 9) + 30, 0xee);
    },
  ],
];
for (const [name, code, lie] of lies)
  test(`WalReader: ${name} is ${code}`, () => {
    const { bytes, view } = tampered(fixture15);

    lie(view);

    equal(failureCode(fixture15, bytes), code);
  });

test('WalReader: a missing or wrong continuation is found on its page', () => {
  const cut = recordAt(fixture15, cutRecord(fixture15));
  const page = Math.ceil(cut / walPageSize) * walPageSize;
  const missing = tampered(fixture15);
  const wrong = tampered(fixture15);

  WalPageHeader.info.set(missing.view, page, 0);
  WalPageHeader.remaining.set(wrong.view, page, 1);

  equal(failureCode(fixture15, missing.bytes), 'wal_contrecord_missing');
  equal(failureCode(fixture15, wrong.bytes), 'wal_contrecord_length_mismatch');
});

test('WalReader: another cluster’s WAL is refused', () => {
  const reader = fixtureReader(fixture15, { systemId: parseSystemId('7000000000000000000') });
  reader.push(fixture15.bytes);

  throws(() => reader.next(new WalRecord()), { code: 'wal_system_id_mismatch' });
});

test('WalReader: trusted WAL is not checksummed', () => {
  const { bytes, view } = tampered(fixture15);
  RecordHeader.crc.set(view, recordAt(fixture15, 9), 0);
  const reader = fixtureReader(fixture15, { trusted: true });
  let count = 0;

  readRecords(reader, 15, { bytes, step: bytes.length }, () => {
    count += 1;
  });

  equal(count, fixture15.listing.length);
});
