/** The grammar of physical replication's commands, as stock clients send them. */
import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { parseReplicationCommand } from '../../../src/actors/wal-sender/replication-command.ts';

for (const [text, command] of [
  ['IDENTIFY_SYSTEM', { kind: 'identifySystem' }],
  ['identify_system;', { kind: 'identifySystem' }],
  ['', { kind: 'nothing' }],
  [' ; ', { kind: 'nothing' }],
  ['SHOW wal_segment_size', { kind: 'show', name: 'wal_segment_size' }],
  ['SHOW stemma.branch', { kind: 'show', name: 'stemma.branch' }],
  ['TIMELINE_HISTORY 1', { kind: 'timelineHistory', timelineId: 1 }],
  ['START_REPLICATION 0/1000000', { kind: 'startReplication', from: 0x1000000, timelineId: null }],
  [
    'START_REPLICATION SLOT "a_1" PHYSICAL 1A/B3000000 TIMELINE 1',
    { kind: 'startReplication', from: 0x1a_b300_0000, timelineId: 1 },
  ],
  [
    'START_REPLICATION SLOT "standby" 0/2000000 TIMELINE 2',
    { kind: 'startReplication', from: 0x2000000, timelineId: 2 },
  ],
  ['CREATE_REPLICATION_SLOT "a" PHYSICAL', { kind: 'createSlot', slot: 'a' }],
  ['CREATE_REPLICATION_SLOT a TEMPORARY PHYSICAL RESERVE_WAL', { kind: 'createSlot', slot: 'a' }],
  ['CREATE_REPLICATION_SLOT "a" PHYSICAL (RESERVE_WAL)', { kind: 'createSlot', slot: 'a' }],
  [
    "CREATE_REPLICATION_SLOT a PHYSICAL (RESERVE_WAL 'true', FAILOVER false)",
    { kind: 'createSlot', slot: 'a' },
  ],
  ['DROP_REPLICATION_SLOT "a" WAIT', { kind: 'dropSlot', slot: 'a' }],
  ['READ_REPLICATION_SLOT a', { kind: 'readSlot', slot: 'a' }],
] as const)
  test(`command: "${text}" is understood`, () => {
    deepEqual(parseReplicationCommand(text), command);
  });

for (const [text, sqlstate] of [
  ["BASE_BACKUP (LABEL 'base')", '0A000'],
  ['UPLOAD_MANIFEST', '0A000'],
  ['select 1', '0A000'],
  ['START_REPLICATION SLOT "a" LOGICAL 0/0', '0A000'],
  ['CREATE_REPLICATION_SLOT a LOGICAL pgoutput', '0A000'],
  ['CREATE_REPLICATION_SLOT a', '42601'],
  ['CREATE_REPLICATION_SLOT a PHYSICAL (RESERVE_WAL', '42601'],
  ['CREATE_REPLICATION_SLOT "Not-A-Slot" PHYSICAL', '42602'],
  ['DROP_REPLICATION_SLOT ""', '42602'],
  ['IDENTIFY_SYSTEM now', '42601'],
  ['START_REPLICATION', '42601'],
  ['START_REPLICATION 0/1 TIMELINE x', '42601'],
  ['START_REPLICATION 0/1 TIMELINE 99999999999', '42601'],
  ['TIMELINE_HISTORY', '42601'],
  ['SHOW', '42601'],
] as const)
  test(`command: "${text}" is refused with ${sqlstate}`, () => {
    throws(
      () => parseReplicationCommand(text),
      (failure: { readonly code: string; readonly values: { readonly sqlstate: string } }) => {
        deepEqual([failure.code, failure.values.sqlstate], ['replication_refused', sqlstate]);
        return true;
      },
    );
  });

test('command: a position that is none is refused', () => {
  throws(() => parseReplicationCommand('START_REPLICATION here'), { code: 'lsn_unreadable' });
});
