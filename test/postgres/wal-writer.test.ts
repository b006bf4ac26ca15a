/** Written WAL reads back, wherever it is placed; position arithmetic agrees with itself. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailed } from '../../src/base/assert.ts';
import { lsn, lsnZero } from '../../src/base/lsn.ts';
import { recordName } from '../../src/postgres/resource-managers.ts';
import { parseSystemId, systemIdField } from '../../src/postgres/system-id.ts';
import {
  isRecordPosition,
  parseSegmentName,
  recordEndAfter,
  recordPosition,
  recordEndBefore,
  recordStartAfter,
  segmentName,
  usableBytesBefore,
  walPageSize,
} from '../../src/postgres/wal-page.ts';
import { WalReader } from '../../src/postgres/wal-reader.ts';
import { decodeRecord, WalRecord } from '../../src/postgres/wal-record.ts';
import { placeRecord, type WalIdentity } from '../../src/postgres/wal-writer.ts';

const segmentSize = 2 ** 20;
const identity: WalIdentity = {
  major: 18,
  segmentSize,
  systemId: parseSystemId('7500000000000000001'),
  timelineId: 1,
};
const base = 5 * segmentSize;

function main(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => index);
}

for (const size of [1, 88, 255, 256, 8_000, 20_000])
  test(`WalWriter: a record of ${size} bytes reads back from any place in a page and segment`, () => {
    for (let offset = 0; offset < 2 * walPageSize; offset += size > 1_000 ? 248 : 8) {
      for (const begin of [lsn(base + offset), lsn(base + segmentSize - walPageSize + offset)]) {
        if (!isRecordPosition(begin, segmentSize)) continue;
        const previous = lsn(begin - 24);
        const wal = placeRecord(identity, begin, {
          rmgr: 21,
          info: 0,
          xid: 9,
          previous,
          main: main(size),
        });
        const reader = new WalReader(begin, { ...identity, previous });
        const record = new WalRecord();
        reader.push(wal.bytes);

        equal(reader.next(record), true);
        decodeRecord(record, 18);

        const { mainOffset, mainSize, start, end, xid } = record;
        deepEqual(record.bytes.slice(mainOffset, mainOffset + mainSize), main(size));
        deepEqual([start, end, xid, reader.position], [wal.start, wal.end, 9, wal.end]);
      }
    }
  });

test('WalWriter: a record is placed only where one may end', () => {
  const record = { rmgr: 0, info: 0, xid: 0, previous: lsnZero, main: main(4) };

  for (const at of [base + 8, base + 32, base + walPageSize + 16, base + 50])
    throws(() => placeRecord(identity, lsn(at), record), AssertionFailed);
});

test('WalPage: usable bytes and positions are inverses, with no position in a header', () => {
  for (let count = 0; count < 300_000; count += 7) {
    const at = recordPosition(count, segmentSize);

    equal(usableBytesBefore(at, segmentSize), count);
    equal(at % walPageSize >= (at % segmentSize < walPageSize ? 40 : 24), true);
  }
});

test('WalPage: positions far into the log are exact', () => {
  const far = lsn(2 ** 50 + 3 * walPageSize + 24);

  equal(recordPosition(usableBytesBefore(far, 2 ** 24), 2 ** 24), far);
});

test('WalPage: a record ends at a page’s start, and the next begins behind its header', () => {
  const start = lsn(base + walPageSize - 104);

  const end = recordEndAfter(start, 100, segmentSize);

  equal(end, base + walPageSize);
  equal(recordStartAfter(end, segmentSize), base + walPageSize + 24);
  equal(recordStartAfter(lsn(base), segmentSize), base + 40);
  equal(recordStartAfter(lsn(base + 48), segmentSize), base + 48);
  for (const position of [end, lsn(base), lsn(base + 48), lsn(base + walPageSize + 32)])
    equal(recordEndBefore(recordStartAfter(position, segmentSize), segmentSize), position);
});

test('WalPage: segment names count within the high 32 bits', () => {
  equal(segmentName(1, 2 ** 24), '000000010000000000000001');
  equal(segmentName(256, 2 ** 24), '000000010000000100000000');
  equal(segmentName(4_097, 2 ** 20, 3), '000000030000000100000001');
  deepEqual(parseSegmentName('000000030000000100000001', 2 ** 20), {
    timelineId: 3,
    segment: 4_097,
  });
  equal(parseSegmentName('000000010000000000000100', 2 ** 24), null);
  equal(parseSegmentName('00000001.history', 2 ** 24), null);
});

test('SystemId: keeps all 64 bits', () => {
  const view = new DataView(new ArrayBuffer(8));

  systemIdField.write(view, 0, parseSystemId('18446744073709551615'));

  equal(systemIdField.read(view, 0), '18446744073709551615');
  for (const text of ['18446744073709551616', '-1', '01', '', 'x'])
    throws(() => parseSystemId(text), { code: 'system_id_unreadable' });
});

test('ResourceManagers: a record is named as listings name it', () => {
  equal(recordName(10, 0x80, 15), 'Heap INSERT+INIT');
  equal(recordName(1, 0x80, 15), 'Transaction COMMIT');
  equal(recordName(9, 0x10, 16), 'Heap2 PRUNE');
  equal(recordName(9, 0x10, 17), 'Heap2 PRUNE_ON_ACCESS');
  equal(recordName(0, 0xf1, 15), 'XLOG UNKNOWN (f0)');
  equal(recordName(130, 0x10, 15), 'custom 130 UNKNOWN (10)');
});
