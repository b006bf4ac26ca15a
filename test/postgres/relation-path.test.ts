/** Names of versioned files, both ways. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatVersionedPath,
  parseVersionedPath,
  twoPhaseFile,
  type RelationFile,
  type VersionedFile,
} from '../../src/postgres/relation-path.ts';

function relation(changes: Partial<RelationFile>): RelationFile {
  const base = { kind: 'relation', tablespace: 1663, database: 5, relation: 1234 } as const;
  return { ...base, fork: 0, segment: 0, backend: null, ...changes };
}

const names: readonly (readonly [string, VersionedFile, 15 | 17])[] = [
  ['base/5/1234', relation({}), 15],
  ['base/5/1234_fsm.1', relation({ fork: 1, segment: 1 }), 15],
  ['base/5/1234_vm', relation({ fork: 2 }), 15],
  ['base/5/1234_init', relation({ fork: 3 }), 15],
  ['base/5/t3_1234', relation({ backend: 3 }), 15],
  ['base/5/t3_1234_vm.12', relation({ backend: 3, fork: 2, segment: 12 }), 15],
  ['global/1260', relation({ tablespace: 1664, database: 0, relation: 1260 }), 15],
  ['pg_tblspc/16400/PG_15_202209061/5/1234.7', relation({ tablespace: 16400, segment: 7 }), 15],
  ['pg_xact/0000', { kind: 'slru', slru: 0, segment: 0 }, 15],
  ['pg_multixact/members/14078', { kind: 'slru', slru: 1, segment: 0x14078 }, 17],
  ['pg_multixact/offsets/00FF', { kind: 'slru', slru: 2, segment: 255 }, 15],
  ['pg_commit_ts/0001', { kind: 'slru', slru: 3, segment: 1 }, 15],
  ['pg_twophase/000002DD', { kind: 'twoPhase', xid: 0x2dd, epoch: null }, 15],
  ['pg_twophase/00000002000002DD', { kind: 'twoPhase', xid: 0x2dd, epoch: 2 }, 17],
  ['base/5/pg_filenode.map', { kind: 'relationMap', tablespace: 1663, database: 5 }, 15],
  ['global/pg_filenode.map', { kind: 'relationMap', tablespace: 1664, database: 0 }, 15],
  ['base/5/PG_VERSION', { kind: 'databaseVersion', tablespace: 1663, database: 5 }, 15],
];
for (const [path, file, major] of names)
  test(`RelationPath: ${path} is read and written`, () => {
    deepEqual(parseVersionedPath(path, major), file);
    equal(formatVersionedPath(file, major), path);
  });

const others = [
  'base/5/01234',
  'base/5/1234.0',
  'base/5/1234.01',
  'base/5/1234_abc',
  'base/5/1234_fsm_vm',
  'base/5/4294967296',
  'base/5/pg_internal.init',
  'base/5/6/1234',
  'base/05/1234',
  'base/pgsql_tmp/1234',
  'global/pg_control',
  'global/PG_VERSION',
  'pg_tblspc/16400/PG_14_202107181/5/1234',
  'pg_xact/000',
  'pg_xact/00000',
  'pg_xact/000a',
  'pg_subtrans/0000',
  'pg_twophase/00000002000002DD',
  'PG_VERSION',
  '1234',
  '',
];
for (const path of others)
  test(`RelationPath: '${path}' names no versioned file`, () => {
    equal(parseVersionedPath(path, 15), null);
  });

const prepared = 2 * 2 ** 32 + 0x2dd;
for (const [path, major] of [
  ['pg_twophase/000002DD', 15],
  ['pg_twophase/000002DD', 16],
  ['pg_twophase/00000002000002DD', 17],
  ['pg_twophase/00000002000002DD', 18],
] as const)
  test(`RelationPath: a prepared transaction of major ${major} is in ${path}`, () => {
    equal(formatVersionedPath(twoPhaseFile(prepared, major), major), path);
  });
