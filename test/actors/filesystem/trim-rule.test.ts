/** When written pages may go: the rule over samples, and the pages that must stay. */
import { test } from 'node:test';
import { deepEqual, equal } from 'node:assert/strict';
import { lsn } from '../../../src/base/lsn.ts';
import { type SampleTaken } from '../../../src/actors/filesystem/protocol.ts';
import { pageMustStay, stampAge, TrimRule } from '../../../src/actors/filesystem/trim-rule.ts';

test('trim rule: an idle Postgres needs one sample', () => {
  const rule = new TrimRule();

  rule.add(sample({ writeMark: 5, insertLsn: 100, nextXid: 10, xmin: 10, ingestedLsn: 100 }));

  deepEqual(rule.limit, { mark: 5, floor: 100 });
});

test('trim rule: nothing goes while a transaction of the sample runs', () => {
  const rule = new TrimRule();

  rule.add(sample({ insertLsn: 100, nextXid: 10, xmin: 9, ingestedLsn: 100 }));
  rule.add(sample({ insertLsn: 110, nextXid: 12, xmin: 9, ingestedLsn: 110 }));

  equal(rule.limit, null);
});

test('trim rule: the mark is of the sample whose transactions ended, the floor of the later one', () => {
  const rule = new TrimRule();

  rule.add(sample({ writeMark: 5, insertLsn: 100, nextXid: 10, xmin: 9 }));
  rule.add(sample({ writeMark: 7, insertLsn: 150, nextXid: 12, xmin: 10, ingestedLsn: 150 }));

  deepEqual(rule.limit, { mark: 5, floor: 150 });
});

test('trim rule: a limit waits until the timeline has what the later sample inserted', () => {
  const rule = new TrimRule();

  rule.add(sample({ writeMark: 5, insertLsn: 100, nextXid: 10, xmin: 10, ingestedLsn: 99 }));
  const early = rule.limit;
  rule.add(sample({ writeMark: 9, insertLsn: 120, nextXid: 12, xmin: 11, ingestedLsn: 100 }));

  equal(early, null);
  deepEqual(rule.limit, { mark: 5, floor: 100 });
});

test('trim rule: many samples with one long transaction do not add up', () => {
  const rule = new TrimRule();
  for (let i = 0; i < 500; i += 1)
    rule.add(sample({ writeMark: i, insertLsn: 100 + i, nextXid: 10 + i, xmin: 9 }));

  rule.add(sample({ writeMark: 500, insertLsn: 700, nextXid: 600, xmin: 600, ingestedLsn: 700 }));

  deepEqual(rule.limit, { mark: 500, floor: 700 });
});

test('trim rule: ages of stamps wrap', () => {
  equal(stampAge(0xffff_fffe, 3), 5);
  equal(stampAge(4, 3), null);
});

test('trim rule: pages that were never logged stay', () => {
  equal(pageMustStay(page({ lsn: 0 })), true);
  equal(pageMustStay(page({ lsn: 1 })), true);
  equal(pageMustStay(page({ lsn: 2 })), false);
});

test('trim rule: a B-tree page with a cycle id stays, other indexes with as large a special go', () => {
  equal(pageMustStay(page({ lsn: 9, special: 8_176, last: 1 })), true);
  equal(pageMustStay(page({ lsn: 9, special: 8_176, last: 0xff7f })), true);
  equal(pageMustStay(page({ lsn: 9, special: 8_176, last: 0 })), false);
  equal(pageMustStay(page({ lsn: 9, special: 8_176, last: 0xff81 })), false);
  equal(pageMustStay(page({ lsn: 9, special: 8_192, last: 1 })), false);
});

test('trim rule: a sequence stays, since WAL is up to 32 values ahead of it', () => {
  const sequence = page({ lsn: 9, special: 8_184 });
  equal(pageMustStay(sequence), false);
  sequence.setUint32(8_184, 0x1717, true);
  equal(pageMustStay(sequence), true);
});

interface Numbers {
  readonly writeMark?: number;
  readonly insertLsn?: number;
  readonly nextXid: number;
  readonly xmin: number;
  readonly ingestedLsn?: number;
}

function sample({
  writeMark = 1,
  insertLsn = 1,
  nextXid,
  xmin,
  ingestedLsn = 0,
}: Numbers): SampleTaken {
  const lsns = { insertLsn: lsn(insertLsn), ingestedLsn: lsn(ingestedLsn) };
  return { kind: 'sampleTaken', writeMark, nextXid, xmin, ...lsns };
}

function page(fields: { lsn: number; special?: number; last?: number }): DataView {
  const view = new DataView(new ArrayBuffer(8_192));
  view.setUint32(4, fields.lsn, true);
  view.setUint16(16, fields.special ?? 8_192, true);
  view.setUint16(8_190, fields.last ?? 0, true);
  return view;
}
