/** What a client must say to be let in, and how it names its branch. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { readStartup } from '../../../src/actors/wal-sender/startup.ts';

for (const [options, branch] of [
  ['', 'main'],
  ['-c stemma.branch=dev', 'dev'],
  ['-cstemma.branch=dev', 'dev'],
  ['--stemma.branch=dev', 'dev'],
  ['  -c   stemma.branch=dev  ', 'dev'],
  ['-c stemma.branch=a\\ b', 'a b'],
  ['-c stemma.branch=a\\\\b=c', 'a\\b=c'],
  ['-c stemma.branch=one -c stemma.branch=two', 'two'],
] as const)
  test(`startup: options "${options}" mean branch "${branch}"`, () => {
    equal(readStartup(parameters({ options })).branch, branch);
  });

for (const value of ['true', 'TRUE', 't', '1', 'on', 'yes', 'y'])
  test(`startup: replication=${value} is physical replication`, () => {
    deepEqual(readStartup(parameters({ replication: value, application_name: 'x' })), {
      branch: 'main',
      applicationName: 'x',
    });
  });

for (const [what, given, sqlstate] of [
  ['an ordinary session', { replication: 'false' }, '0A000'],
  ['an ordinary session, without a word of replication', { replication: null }, '0A000'],
  ['logical replication', { replication: 'database' }, '0A000'],
  ['any other replication', { replication: 'maybe' }, '22023'],
  ['nobody', { user: null }, '28000'],
  ['another setting', { options: '-c work_mem=1' }, '42704'],
  ['options that are none', { options: 'stemma.branch=dev' }, '42601'],
  ['an option without a value', { options: '-c stemma.branch' }, '42601'],
  ['an option that is cut off', { options: '-c' }, '42601'],
] as const)
  test(`startup: ${what} is refused with ${sqlstate}`, () => {
    throws(
      () => readStartup(parameters(given)),
      (failure: { readonly code: string; readonly values: { readonly sqlstate: string } }) => {
        deepEqual([failure.code, failure.values.sqlstate], ['replication_refused', sqlstate]);
        return true;
      },
    );
  });

/** Those of a client that is let in, changed; null takes one away. */
function parameters(changed: Readonly<Record<string, string | null>>): Map<string, string> {
  const all: Readonly<Record<string, string | null>> = {
    user: 'postgres',
    database: 'replication',
    replication: 'true',
    ...changed,
  };
  const given = Object.entries(all).filter(([, value]) => value !== null);
  return new Map(given as [string, string][]);
}
