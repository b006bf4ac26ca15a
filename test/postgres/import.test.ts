/** What each file of a data directory becomes. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { keyKinds } from '../../src/base/key.ts';
import { importAction, importedPages, type ImportAction } from '../../src/postgres/import.ts';

const context = { major: 15, nextXid: 2 * 2 ** 32 + 1_000 } as const;

function pages(path: string): Extract<ImportAction, { kind: 'pages' }> {
  const action = importAction(path, context);
  if (action.kind !== 'pages') throw new Error(`${path} is ${action.kind}`);
  return action;
}

test('import: forks of relations, with their segments', () => {
  const { blocks, size, firstBlock } = pages('base/5/16384_vm.2');

  const place = { tablespace: 1_663, database: 5, relation: 16_384, fork: 2 };
  deepEqual(blocks, { kind: keyKinds.relationBlock, ...place });
  deepEqual(size, { kind: keyKinds.relationSize, ...place });
  equal(firstBlock, 262_144);
});

test('import: shared relations have no database', () => {
  const { blocks } = pages('global/1260_init');

  deepEqual([blocks.tablespace, blocks.database, blocks.fork], [1_664, 0, 3]);
});

test('import: SLRU segments by their hexadecimal number', () => {
  const paths = ['pg_xact/001F', 'pg_multixact/members/3701', 'pg_multixact/offsets/0000'];
  const found = [...paths, 'pg_commit_ts/0A'.concat('0B')].map((path) => {
    const { blocks } = pages(path);
    return [blocks.kind, blocks.tablespace, blocks.relation];
  });

  deepEqual(found, [
    [4, 0, 31],
    [4, 1, 0x3701],
    [4, 2, 0],
    [4, 3, 0x0a0b],
  ]);
});

test('import: files that are values', () => {
  const none = { tablespace: 0, database: 0, relation: 0, fork: 0 };

  deepEqual(importAction('base/5/PG_VERSION', context), {
    kind: 'value',
    family: { ...none, kind: keyKinds.database, tablespace: 1_663, database: 5 },
    block: 0,
  });
  deepEqual(importAction('global/pg_filenode.map', context), {
    kind: 'value',
    family: { ...none, kind: keyKinds.relationMap, tablespace: 1_664 },
    block: 0,
  });
});

test('import: a state file gets its epoch from the next xid, or names it from 17 on', () => {
  deepEqual(stateFileKey('000003E7', 15), [2, 999]);
  deepEqual(stateFileKey('FFFFFFF0', 15), [1, 0xffff_fff0]);
  deepEqual(stateFileKey('0000000200000010', 18), [2, 16]);
  deepEqual(stateFileKey('00000010', 18), ['ignored']);
});

test('import: the control file and the origins are taken apart by others', () => {
  equal(importAction('global/pg_control', context).kind, 'controlFile');
  equal(importAction('pg_logical/replorigin_checkpoint', context).kind, 'replicationOrigins');
});

test('import: what is not versioned is ignored', () => {
  const paths = [
    'PG_VERSION',
    'postgresql.conf',
    'pg_wal/000000010000000000000001',
    'base/5/t3_16384',
    'base/5/pg_internal.init',
    'base/pgsql_tmp/pgsql_tmp12.0',
    'global/pg_filenode.map.tmp',
    'pg_stat/pgstat.stat',
    'pg_subtrans/0000',
  ];

  deepEqual(
    paths.filter((path) => importAction(path, context).kind !== 'ignored'),
    [],
  );
});

test('import: tablespaces are refused', () => {
  throws(() => importAction('pg_tblspc/16400/PG_15_202209061/5/16384', context), {
    code: 'tablespace_unsupported',
  });
});

test('import: a page that is not whole is left out', () => {
  equal(importedPages(3 * 8_192 + 8_191), 3);
});

/** Epoch and xid a state file is imported under. */
function stateFileKey(name: string, major: 15 | 18): readonly unknown[] {
  const action = importAction(`pg_twophase/${name}`, { ...context, major });
  return action.kind === 'value' ? [action.family.relation, action.block] : [action.kind];
}
