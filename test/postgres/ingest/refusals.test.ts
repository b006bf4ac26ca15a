/** What ingest refuses, and how it says so. */
import { test } from 'node:test';
import { throws } from 'node:assert/strict';
import { Failure } from '../../../src/base/failure.ts';
import { type FailureCode } from '../../../src/base/failure-codes.ts';
import { redoTables } from '../../../src/postgres/redo/redo-tables.ts';
import { customManagerMin, resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { MemoryTip } from './memory-tip.ts';
import { Ingest } from '../../../src/postgres/ingest/ingest.ts';
import { timeline, walRecord, words, type RecordParts } from './records.ts';

const { tablespace, xlog, clog, transaction, storage, database, relationMap } = resourceManagers;

function refuses(parts: RecordParts, code: FailureCode, ...values: readonly string[]): void {
  const { ingest } = timeline(18);
  throws(
    () => {
      ingest.record(walRecord(parts));
    },
    (error: unknown) =>
      error instanceof Failure &&
      error.code === code &&
      values.every((value) => error.message.includes(value)),
  );
}

test('refusals: an extension that has its own resource manager', () => {
  const code = 'resource_manager_unsupported';

  const named = ['an extension', 'rmgr=134', 'lsn=0/', 'wayOut=branch create NAME --at 0/'];
  refuses({ rmgr: customManagerMin + 6, info: 0x10 }, code, ...named);
});

test('refusals: every built-in manager without redo, by name', () => {
  const pageManagers = ['hash', 'gin', 'gist', 'spgist', 'brin'] as const;
  for (const name of pageManagers) {
    const rmgr = resourceManagers[name];
    if (redoTables[rmgr] === undefined) {
      refuses({ rmgr, info: 0 }, 'resource_manager_unsupported', `manager=${name}`);
    }
  }
});

test('refusals: tablespaces of their own', () => {
  refuses({ rmgr: tablespace, info: 0x00, main: words(16_400) }, 'tablespace_unsupported', '16400');
  refuses({ rmgr: tablespace, info: 0x10, main: words(16_400) }, 'tablespace_unsupported', '16400');
});

test('refusals: databases and relations in one', () => {
  const code = 'tablespace_unsupported';

  refuses({ rmgr: database, info: 0x10, main: words(20_000, 16_400) }, code);
  refuses({ rmgr: database, info: 0x00, main: words(20_000, 1_663, 1, 16_400) }, code);
  refuses({ rmgr: storage, info: 0x10, main: words(16_400, 5, 30_000, 0) }, code);
});

test('refusals: records their managers do not write', () => {
  refuses({ rmgr: xlog, info: 0xc0 }, 'wal_record_unknown', 'rmgr=0', 'info=192');
  refuses({ rmgr: clog, info: 0x20 }, 'wal_record_unknown');
  refuses({ rmgr: transaction, info: 0x70 }, 'wal_record_unknown');
});

test('refusals: records shorter than their own fields say', () => {
  const tooManyChildren = words(0, 0, 2, 1_000, 1);
  const negativeCount = words(0, 0, 2, 0xffff_ffff);

  refuses({ rmgr: transaction, info: 0x80, main: tooManyChildren }, 'wal_record_malformed');
  refuses({ rmgr: transaction, info: 0x80, main: negativeCount }, 'wal_record_malformed');
  refuses({ rmgr: xlog, info: 0x30, main: words() }, 'wal_record_malformed');
  refuses({ rmgr: relationMap, info: 0, main: words(5, 1_663, 524) }, 'wal_record_malformed');
  refuses({ rmgr: relationMap, info: 0, main: words(5, 1_663, 0) }, 'wal_record_malformed');
});

test('refusals: a timeline nothing was imported into', () => {
  const ingest = new Ingest(18, new MemoryTip(18));

  throws(
    () => {
      ingest.record(walRecord({ rmgr: xlog, info: 0x20, xid: 5 }));
    },
    { code: 'checkpoint_missing' },
  );
});
