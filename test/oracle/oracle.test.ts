/**
 * The oracle itself, on a short life of one server: what it proves, and that it sees what is wrong.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseLsn } from '../../src/base/lsn.ts';
import { makeCluster, removeCluster, type Cluster } from '../postgres/redo/oracle-server.ts';
import { coverageOf, kindsOf } from './coverage.ts';
import { checkDecoder, type Listing } from './decoder-check.ts';
import { shortLife } from './lives.ts';
import { replayLog, type Replayed } from './replay-log.ts';
import { compareDirectory, recover } from './stock-recovery.ts';

const major = 18;
let cluster: Cluster;
let listing: Listing;
let replayed: Replayed;
let recovered: string;

before(async () => {
  cluster = makeCluster(major);
  listing = await shortLife(cluster);
  replayed = replayLog(cluster.before, walOf(cluster));
  recovered = recover(cluster, replayed.report);
});
after(() => {
  removeCluster(cluster);
});

test('oracle: every page is as the server made it, after every record', () => {
  const { compared, differences, refusals } = replayed.report;

  deepEqual(differences, []);
  deepEqual([...refusals], []);
  ok(compared > 20_000, String(compared));
});

test('oracle: every block is, to the byte, what stock recovery makes of it', () => {
  const { blocks, slruPages, differences } = compareDirectory(recovered, major, replayed.tip);

  deepEqual(differences, []);
  ok(blocks > 1_000 && slruPages >= 3, `${blocks} blocks, ${slruPages} slru pages`);
});

test('oracle: every record and block is decoded as pg_walinspect decodes it', () => {
  const { segmentSize, start } = replayed.report;
  const source = { directory: walOf(cluster), major, segmentSize, start: parseLsn(start) } as const;

  const { programs, differences } = checkDecoder(source, listing);

  deepEqual(differences, []);
  ok(Number(programs['pg_walinspect blocks']) > 20_000, JSON.stringify(programs));
});

test('oracle: one bit in one block of the recovered directory is a difference', () => {
  const file = join(recovered, 'global', '1262');
  changeBit(file, 8_000);

  const { differing, differences } = compareDirectory(recovered, major, replayed.tip);

  changeBit(file, 8_000);
  equal(differing, 1);
  match(differences[0]!, /^1664\/0\/1262 fork 0 block 0: /);
});

test('oracle: a log that is cut short is replayed up to there, and its end said', () => {
  const cut = join(cluster.root, 'cut');
  mkdirSync(cut);
  const [first] = readdirSync(walOf(cluster))
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .sort();
  cpSync(join(walOf(cluster), first!), join(cut, `${first!}.partial`));
  truncateSync(join(cut, `${first!}.partial`), 12_345_678);

  const { report } = replayLog(cluster.before, cut);

  equal(report.mismatched, 0);
  match(report.end, /^0\/1[0-9A-F]+: the last file ends$/);
});

test('coverage: a kind that was not seen is listed, unless it cannot be', () => {
  const { unseen, excused } = coverageOf(major, new Map());

  deepEqual(unseen.length + Object.keys(excused).length, kindsOf(major).length);
  ok(unseen.includes('Btree SPLIT_L') && 'Tablespace CREATE' in excused);
});

function walOf({ data }: Cluster): string {
  return join(data, 'pg_wal');
}

function changeBit(path: string, at: number): void {
  const byte = new Uint8Array(1);
  const file = openSync(path, 'r+');
  readSync(file, byte, 0, 1, at);
  byte[0]! ^= 1;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}
