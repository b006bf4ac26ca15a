/** Declared layouts against what a C compiler makes of Postgres's headers (generate-layouts.sh). */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Checkpoint15, Checkpoint17 } from '../../src/postgres/checkpoint.ts';
import { ControlFile15, ControlFile18 } from '../../src/postgres/control-file.ts';
import { majors, type Major } from '../../src/postgres/major.ts';
import { PageHeader } from '../../src/postgres/page.ts';
import { WalLongPageHeader, WalPageHeader } from '../../src/postgres/wal-page.ts';
import {
  BlockCompressHeader,
  BlockHeader,
  BlockImageHeader,
  RecordHeader,
  RelationLocator,
} from '../../src/postgres/wal-record.ts';

type Layout = Readonly<Record<string, unknown>>;

/** Our structs by the name of the C struct they stand for. */
function declared(major: Major): Readonly<Record<string, Layout>> {
  return {
    PageHeaderData: PageHeader,
    XLogPageHeaderData: WalPageHeader,
    XLogLongPageHeaderData: WalLongPageHeader,
    XLogRecord: RecordHeader,
    XLogRecordBlockHeader: BlockHeader,
    XLogRecordBlockImageHeader: BlockImageHeader,
    XLogRecordBlockCompressHeader: BlockCompressHeader,
    RelFileLocator: RelationLocator,
    CheckPoint: major >= 17 ? Checkpoint17 : Checkpoint15,
    ControlFileData: major >= 18 ? ControlFile18 : ControlFile15,
  };
}

interface Place {
  readonly offset: number;
  readonly size: number;
}

/** Where our fields lie, in order, without padding. */
function ownPlaces(layout: Layout): Place[] {
  return Object.entries(layout)
    .filter(([name]) => name !== 'size' && !name.startsWith('pad'))
    .map(([, field]) => {
      const { offset, size } = field as Place;
      return { offset, size };
    });
}

/** Lines `struct field offset size` or `struct - size` of the golden file. */
function compiled(major: Major, name: string): { places: Place[]; size: number } {
  const path = new URL(`../golden/layouts-${major}.txt`, import.meta.url);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const words = lines.map((line) => line.split(' ')).filter(([struct]) => struct === name);
  const places = words
    .filter(([, field]) => field !== '-')
    .map(([, , offset, size]) => ({ offset: Number(offset), size: Number(size) }));
  return { places, size: Number(words.at(-1)![2]) };
}

for (const major of majors)
  for (const [name, layout] of Object.entries(declared(major)))
    test(`layout: ${name} of ${major} is as the compiler lays it out`, () => {
      const own = { places: ownPlaces(layout), size: layout['size'] };

      deepEqual(own, compiled(major, name));
    });
