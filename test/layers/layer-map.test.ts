/** The layer map and reads over it: memory, files and ancestors look like one history. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable, keyKinds, type Key } from '../../src/base/key.ts';
import { lsn, minLsn, type Lsn } from '../../src/base/lsn.ts';
import { DeltaCursor } from '../../src/layers/delta-cursor.ts';
import { openDelta } from '../../src/layers/delta-layer.ts';
import { writeDelta } from '../../src/layers/delta-writer.ts';
import { ImageWriter } from '../../src/layers/image-writer.ts';
import {
  databaseRange,
  KeyFilter,
  keyBound,
  wholeKeySpace,
  type KeyRange,
} from '../../src/layers/key-range.ts';
import { LayerMap, type DeltaEntry, type ImageEntry } from '../../src/layers/layer-map.ts';
import { MergeCursor } from '../../src/layers/merge-cursor.ts';
import { VersionReader } from '../../src/layers/read-versions.ts';
import { findKeys, scan } from '../../src/layers/scan.ts';
import { VersionList } from '../../src/layers/version-list.ts';
import {
  collectFile,
  deltaEntry,
  deltaOf,
  description,
  emptyMap,
  flush,
  imageEntry,
  imageFile,
  keyIn,
  Model,
  openFile,
  openLayer,
  randomNumbers,
  readFrom,
  seenIn,
  textBytes,
  timeline,
  type Seen,
} from './builders.ts';

const reader = new VersionReader();

function read(map: LayerMap, key: Key, at: number): { outcome: string; seen: Seen[] } {
  const out = new VersionList();
  const outcome = reader.collect(map, key, lsn(at), out);
  return { outcome, seen: seenIn(out) };
}

/** Replaces all deltas by partitions of at most `sizeMax` bytes. */
function mergeDeltas(map: LayerMap, sizeMax: number): void {
  const { families } = map;
  const inputs = map.deltaRuns.flatMap((run) => run.entries);
  if (inputs.length === 0) return;
  const begin = lsn(Math.min(...inputs.map((entry) => entry.description.begin)));
  const end = lsn(Math.max(...inputs.map((entry) => entry.description.end)));
  const source = new MergeCursor(
    families,
    inputs.map((entry) => new DeltaCursor(entry.reader!)),
  );
  const added: DeltaEntry[] = [];
  while (!source.ended) {
    const options = { families, timeline, begin, end, sizeMax };
    const { bytes, summary } = collectFile(writeDelta(source, options));
    added.push(deltaEntry(openDelta(readFrom(bytes), bytes.length, families), summary.keys));
  }
  map.replace(inputs, added);
}

/** Versions put together: what a redo would make of them. */
function materialize(seen: readonly Seen[]): string {
  return seen
    .map(([, text]) => text)
    .toReversed()
    .join('|');
}

/** An image of a range as of an LSN, added to the map. */
function addImage(map: LayerMap, range: KeyRange, at: Lsn): void {
  const { families } = map;
  const writer = new ImageWriter({ families, timeline, lsn: at });
  const found = findKeys({ map, range, lsn: at });
  ok(found.kind === 'found');
  for (const key of found.keys) {
    const { outcome, seen } = read(map, key, at);
    if (outcome !== 'missing') writer.addValue(key, textBytes(materialize(seen)));
  }
  const image = openFile(families, imageFile(writer, range).bytes);
  map.replace([], [imageEntry(image, range)]);
}

test('layer map: a read goes through open, frozen and files, newest first, and stops at a base', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  const key = keyIn(families, {});
  map.open.put(key, lsn(5), true, textBytes('too old'));
  map.open.put(key, lsn(10), true, textBytes('page'));
  flush(map, lsn(10));
  map.open.put(key, lsn(20), false, textBytes('b'));
  map.freeze(lsn(20), openLayer(families, 21));
  map.open.put(key, lsn(30), false, textBytes('c'));

  deepEqual(read(map, key, 30), {
    outcome: 'complete',
    seen: [
      [30, 'c'],
      [20, 'b'],
      [10, 'page'],
    ],
  });
  deepEqual(read(map, key, 29).seen[0], [20, 'b']);
});

test('layer map: an image hides what is older, and answers for keys it does not hold', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  const [held, dropped] = [keyIn(families, { block: 1 }), keyIn(families, { block: 2 })];
  for (const key of [held, dropped]) map.open.put(key, lsn(10), true, textBytes('old'));
  flush(map, lsn(20));
  const writer = new ImageWriter({ families, timeline, lsn: lsn(20) });
  writer.addValue(held, textBytes('image'));
  map.replace([], [imageEntry(openFile(families, imageFile(writer).bytes))]);

  deepEqual(read(map, held, 25), { outcome: 'complete', seen: [[20, 'image']] });
  deepEqual(read(map, dropped, 25), { outcome: 'missing', seen: [] });
  deepEqual(read(map, dropped, 19), { outcome: 'complete', seen: [[10, 'old']] });
});

test('layer map: an image inside the LSN range of a delta cuts it', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  const key = keyIn(families, {});
  for (const at of [10, 20, 30]) map.open.put(key, lsn(at), at === 10, textBytes(String(at)));
  flush(map, lsn(40));
  addImage(map, wholeKeySpace, lsn(20));

  deepEqual(read(map, key, 40).seen, [
    [30, '30'],
    [20, '10|20'],
  ]);
  deepEqual(read(map, key, 19).seen, [[10, '10']]);
});

test('layer map: versions without a base are incomplete, none at all is missing', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  map.open.put(keyIn(families, {}), lsn(10), false, textBytes('change'));

  equal(read(map, keyIn(families, {}), 10).outcome, 'incomplete');
  equal(read(map, keyIn(families, {}), 9).outcome, 'missing');
  equal(read(map, keyIn(families, { block: 1 }), 10).outcome, 'missing');
});

test('layer map: a child sees its ancestor as of the branch LSN, or an earlier LSN asked for', () => {
  const families = new FamilyTable();
  const parent = emptyMap(families);
  const key = keyIn(families, {});
  for (const at of [10, 20, 30]) parent.open.put(key, lsn(at), at === 10, textBytes(`p${at}`));
  const child = emptyMap(families, 21, { map: parent, lsn: lsn(20) });
  child.open.put(key, lsn(25), false, textBytes('c25'));

  deepEqual(read(child, key, 99).seen, [
    [25, 'c25'],
    [20, 'p20'],
    [10, 'p10'],
  ]);
  deepEqual(read(child, key, 15).seen, [[10, 'p10']]);
});

test('layer map: a file that is not at hand is named, and not when the read ends before it', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  const key = keyIn(families, {});
  map.open.put(key, lsn(10), true, textBytes('old'));
  flush(map, lsn(10));
  map.open.put(key, lsn(20), false, textBytes('change'));
  const [entry] = map.entries;
  entry!.reader = null;

  equal(read(map, key, 20).outcome, 'absent');
  equal(reader.missingFile, entry);
  map.open.put(key, lsn(30), true, textBytes('page'));
  equal(read(map, key, 30).outcome, 'complete');
});

test('layer map: files that end under an image, and ancestors under it, need not be at hand', () => {
  const families = new FamilyTable();
  const parent = emptyMap(families);
  const key = keyIn(families, {});
  parent.open.put(key, lsn(5), true, textBytes('parent'));
  flush(parent, lsn(10));
  const child = emptyMap(families, 11, { map: parent, lsn: lsn(10) });
  child.open.put(key, lsn(20), false, textBytes('child'));
  flush(child, lsn(20));
  addImage(child, wholeKeySpace, lsn(20));
  parent.entries[0]!.reader = null;
  child.entries.find((entry) => entry.kind === 'delta')!.reader = null;

  deepEqual(read(child, key, 30), { outcome: 'complete', seen: [[20, 'parent|child']] });
  equal(read(child, key, 19).outcome, 'absent');
});

test('scan: an image of the whole range spares the ancestor', () => {
  const families = new FamilyTable();
  const parent = emptyMap(families);
  const key = keyIn(families, {});
  parent.open.put(key, lsn(5), true, textBytes('parent'));
  flush(parent, lsn(10));
  const child = emptyMap(families, 11, { map: parent, lsn: lsn(10) });
  addImage(child, wholeKeySpace, lsn(12));
  parent.entries[0]!.reader = null;

  const found = findKeys({ map: child, range: wholeKeySpace, lsn: lsn(15) });

  deepEqual(found, { kind: 'found', keys: [key] });
});

test('layer map: a plan lists only layers that may matter, newest first', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  const key = keyIn(families, {});
  for (const at of [10, 20, 30, 40]) {
    map.open.put(key, lsn(at), at === 10, textBytes(String(at)));
    flush(map, lsn(at));
  }
  addImage(map, wholeKeySpace, lsn(20));

  const plan = map.plan(key, lsn(35));

  const lsns = plan.layers.map((layer) => ('description' in layer ? layer.description.begin : -1));
  deepEqual(
    lsns,
    [31, 21, 20].filter((at) => at <= 35),
  );
  equal(plan.ancestor, null);
});

test('layer map: two deltas with the same keys and LSNs are refused', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  layer.put(keyIn(families, {}), lsn(10), true, textBytes('x'));
  const delta = deltaOf(layer, 20);
  function entry(begin: number, end: number): DeltaEntry {
    return {
      kind: 'delta',
      description: description({ kind: 'delta', begin, end }),
      reader: delta,
    };
  }
  function withEntries(entries: DeltaEntry[]): LayerMap {
    return new LayerMap({ families, ancestor: null, open: openLayer(families, 99), entries });
  }

  throws(() => withEntries([entry(0, 20), entry(0, 20)]), /layer ranges overlap/);
  throws(() => withEntries([entry(0, 20), entry(10, 30)]), /layer ranges overlap/);
  equal(withEntries([entry(0, 20), entry(20, 30)]).deltaRuns.length, 2);
});

test('layer map: of a run of many files the right one is found', () => {
  const families = new FamilyTable();
  const bounds = [0, 10, 20, 35, 50].map((block) => keyBound(families, keyIn(families, { block })));
  const entries = [0, 1, 3].map((at): ImageEntry => {
    const keys = { begin: bounds[at]!, end: bounds[at + 1]! };
    const parts = { kind: 'image', keys, begin: 5, end: 6 } as const;
    return { kind: 'image', description: description(parts), reader: null };
  });
  const map = new LayerMap({ families, ancestor: null, open: openLayer(families, 6), entries });

  const found = [0, 9, 10, 19, 20, 34, 35, 49, 50].map((block) => {
    const entry = map.imageFor(keyIn(families, { block }), lsn(5));
    return entry === null ? null : entries.indexOf(entry);
  });

  deepEqual(found, [0, 0, 1, 1, null, null, 2, 2, null]);
});

test('scan: finds the keys of a database whose newest value is not empty, through all layers', () => {
  const families = new FamilyTable();
  const parent = emptyMap(families);
  function size(relation: number, database = 5): Key {
    return keyIn(families, { kind: keyKinds.relationSize, relation, database });
  }
  parent.open.put(size(1), lsn(10), true, textBytes('1 in parent'));
  parent.open.put(size(2), lsn(11), true, textBytes('2 in parent'));
  parent.open.put(size(7, 6), lsn(12), true, textBytes('other database'));
  parent.open.put(keyIn(families, { relation: 8 }), lsn(12), true, textBytes('a page'));
  flush(parent, lsn(15));
  parent.open.put(size(6), lsn(21), true, textBytes('after the branch'));
  const child = emptyMap(families, 21, { map: parent, lsn: lsn(20) });
  child.open.put(size(2), lsn(25), true, textBytes(''));
  child.open.put(size(3), lsn(26), true, textBytes('3 in child'));
  flush(child, lsn(30));
  child.open.put(size(4), lsn(31), true, textBytes('4 in child'));

  const seen: string[] = [];
  const range = databaseRange(keyKinds.relationSize, 1663, 5);
  scan(reader, { map: child, range, lsn: lsn(30) }, (_, list) => seen.push(seenIn(list)[0]![1]));

  deepEqual(seen, ['1 in parent', '3 in child']);
});

test('scan: names the file it needs', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  map.open.put(keyIn(families, {}), lsn(10), true, textBytes('x'));
  flush(map, lsn(10));
  map.entries[0]!.reader = null;

  deepEqual(findKeys({ map, range: wholeKeySpace, lsn: lsn(10) }), {
    kind: 'absent',
    file: map.entries[0],
  });
});

/** A parent and a child with random histories, flushed, merged and imaged at random. */
function randomHistory(seed: number): void {
  const random = randomNumbers(seed);
  const families = new FamilyTable();
  const keys = Array.from({ length: 60 }, () =>
    keyIn(families, { relation: 1 + random(5), block: random(10) }),
  );
  const parent = { map: emptyMap(families), model: new Model() };
  const branchLsn = lsn(500 + random(500));
  const ancestor = { map: parent.map, lsn: branchLsn };
  const child = { map: emptyMap(families, branchLsn + 1, ancestor), model: new Model() };
  function live({ map, model }: typeof parent, from: number): void {
    const firstLsn = map.ancestor?.lsn ?? lsn(0);
    for (let at = from; at < from + 1_000; at += 1) {
      const key = keys[random(keys.length)]!;
      const init = random(6) === 0;
      map.open.put(key, lsn(at), init, textBytes(`v${at}`));
      model.put(key, lsn(at), init, `v${at}`);
      if (random(40) === 0) map.freeze(lsn(at), openLayer(families, at + 1));
      else if (random(80) === 0) flush(map, lsn(at));
      if (random(300) === 0) mergeDeltas(map, 2_000);
      const imageLsn = lsn(firstLsn + random(at - firstLsn));
      const isNew = map.imageRuns.every((run) => run.begin !== imageLsn);
      if (random(200) === 0 && isNew) addImage(map, randomRange(), imageLsn);
    }
  }
  function randomRange(): KeyRange {
    if (random(2) === 0) return wholeKeySpace;
    const ends = [random(6), random(6) + 6].map((relation) => keyIn(families, { relation }));
    return { begin: keyBound(families, ends[0]!), end: keyBound(families, ends[1]!) };
  }
  live(parent, 1);
  live(child, branchLsn + 1);
  live(parent, 1_001);

  function expected(key: Key, at: Lsn): string {
    const own = child.model.collect(key, at);
    const complete = (child.model.versions.get(key) ?? []).some(
      (version) => version.init && version.lsn <= at,
    );
    const older = complete ? [] : parent.model.collect(key, minLsn(at, branchLsn));
    return materialize([...own, ...older]);
  }
  for (const key of keys)
    for (let round = 0; round < 20; round += 1) {
      const at = lsn(random(2_100));
      equal(
        materialize(read(parent.map, key, at).seen),
        materialize(parent.model.collect(key, at)),
      );
      equal(materialize(read(child.map, key, at).seen), expected(key, at));
    }
  checkScan(child.map, keys, (key, at) => expected(key, at) !== '');
}

/** A scan must find exactly the keys that have a value. */
function checkScan(map: LayerMap, keys: Key[], has: (key: Key, at: Lsn) => boolean): void {
  const { families } = map;
  const range = {
    begin: keyBound(families, keyIn(families, { relation: 2 })),
    end: keyBound(families, keyIn(families, { relation: 4, block: 5 })),
  };
  const filter = new KeyFilter(families, range);
  for (const at of [20, 400, 900, 1_400, 2_100].map(lsn)) {
    const seen: Key[] = [];
    scan(reader, { map, range, lsn: at }, (key) => seen.push(key));
    const expected = [...new Set(keys)].filter((key) => filter.has(key) && has(key, at));
    deepEqual(
      seen,
      expected.sort((a, b) => families.compare(a, b)),
    );
  }
}

for (let seed = 1; seed <= 12; seed += 1)
  test(`layer map: any mix of layers reads like a simple model (seed ${seed})`, () => {
    randomHistory(seed);
  });
