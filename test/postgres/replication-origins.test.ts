/** The file of replication origins. */
import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../src/base/lsn.ts';
import {
  readReplicationOrigins,
  writeReplicationOrigins,
} from '../../src/postgres/replication-origins.ts';

const origins = [
  { origin: 1, remote: lsn(0x7_0000_0070) },
  { origin: 65_535, remote: lsn(80) },
];

test('replication origins: what is written is read', () => {
  deepEqual(readReplicationOrigins(writeReplicationOrigins(origins)), origins);
  deepEqual(readReplicationOrigins(writeReplicationOrigins([])), []);
});

test('replication origins: any changed or missing byte is noticed', () => {
  const file = writeReplicationOrigins(origins);
  for (let at = 0; at < file.length; at += 1) {
    const damaged = file.slice();
    damaged[at]! ^= 0x40;
    throws(() => readReplicationOrigins(damaged), { code: 'replication_origins_invalid' });
    throws(() => readReplicationOrigins(file.slice(0, at)), {
      code: 'replication_origins_invalid',
    });
  }
});
