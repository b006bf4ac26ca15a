/** Manifest and names: nothing is lost on the way to the bucket, and no swap breaks a rule. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable, keyKinds } from '../../src/base/key.ts';
import { lsn } from '../../src/base/lsn.ts';
import { boundAfter, keyBound } from '../../src/layers/key-range.ts';
import {
  formatLayerName,
  parseLayerName,
  type LayerDescription,
} from '../../src/layers/layer-description.ts';
import {
  assertSuccessor,
  brokenRules,
  decodeManifest,
  encodeManifest,
  type Manifest,
} from '../../src/layers/manifest.ts';
import { description, isCorrupt, keyIn } from './builders.ts';

const families = new FamilyTable();
const someKeys = {
  begin: keyBound(families, keyIn(families, { relation: 0xffff_fffe, fork: 3 })),
  end: boundAfter(families, keyIn(families, { kind: keyKinds.auxFile, block: 0xffff_ffff })),
};

function manifest(parts: Partial<Manifest> = {}): Manifest {
  return {
    timeline: '00112233445566778899aabbccddeeff',
    major: 15,
    systemIdentifier: '7420123456789012345',
    ancestor: { timeline: 'ff112233445566778899aabbccddeeff', lsn: lsn(0x1_0000_0028) },
    generation: 1,
    diskConsistentLsn: lsn(2 ** 53 - 1),
    lastRecordStart: lsn(0x2_0000_0000),
    created_ms: 1_790_000_000_123,
    layers: [
      description({ kind: 'delta', begin: 10, end: 20 }),
      description({ kind: 'image', begin: 20, end: 21, keys: someKeys, level: 1 }),
    ],
    ...parts,
  };
}

test('manifest: comes back as it was', () => {
  for (const original of [manifest(), manifest({ ancestor: null, layers: [] })])
    deepEqual(decodeManifest(encodeManifest(original)), original);
});

test('manifest: every flipped bit is detected', () => {
  const whole = encodeManifest(manifest());

  const unseen: string[] = [];
  for (let at = 0; at < whole.length; at += 1)
    for (let bit = 0; bit < 8; bit += 1) {
      const damaged = whole.slice();
      damaged[at]! ^= 1 << bit;
      if (!isCorrupt(() => decodeManifest(damaged))) unseen.push(`${at}.${bit}`);
    }

  deepEqual(unseen, []);
});

test('manifest: one cut anywhere, or with bytes added, is refused', () => {
  const whole = encodeManifest(manifest());

  for (let size = 0; size < whole.length; size += 1)
    ok(isCorrupt(() => decodeManifest(whole.subarray(0, size))));
  ok(isCorrupt(() => decodeManifest(Buffer.concat([whole, new Uint8Array(1)]))));
});

test('manifest: layers may be added and removed, and LSN and generation may grow', () => {
  const committed = manifest({ diskConsistentLsn: lsn(100), lastRecordStart: lsn(90) });
  const added = description({ kind: 'delta', begin: 20, end: 201 });
  const proposed = manifest({
    generation: 1,
    diskConsistentLsn: lsn(200),
    lastRecordStart: lsn(190),
    layers: [committed.layers[1]!, added],
  });

  deepEqual(brokenRules(committed, proposed), []);
});

test('manifest: every rule refuses what it is there for', () => {
  const committed = manifest({
    generation: 1,
    diskConsistentLsn: lsn(100),
    lastRecordStart: lsn(9),
  });
  const [first] = committed.layers;
  const late: LayerDescription = description({ kind: 'delta', begin: 20, end: 102 });
  const changes: [string, Partial<Manifest>][] = [
    ['identityStays', { major: 16 }],
    ['identityStays', { ancestor: null }],
    ['generationNeverGoesBack', { generation: 0, layers: [] }],
    ['diskConsistentLsnNeverGoesBack', { diskConsistentLsn: lsn(99) }],
    ['lastRecordStartsBeforeDiskConsistentLsn', { lastRecordStart: lsn(101) }],
    ['layerNamesAreUnique', { layers: [first!, first!] }],
    ['keptLayersStayAsTheyWere', { layers: [{ ...first!, checksum: 8 }] }],
    ['layersEndByDiskConsistentLsn', { layers: [late] }],
    [
      'newLayersAreOfTheProposedGeneration',
      { generation: 2, layers: [description({ kind: 'delta', begin: 20, end: 99 })] },
    ],
  ];

  const broken = changes.map(([, change]) => brokenRules(committed, { ...committed, ...change }));

  deepEqual(
    broken,
    changes.map(([rule]) => [rule]),
  );
});

test('manifest: breaking a rule is a bug, and the message names the rule', () => {
  throws(() => {
    assertSuccessor(manifest({ generation: 2, layers: [] }), manifest({ layers: [] }));
  }, /generationNeverGoesBack/);
});

test('layer name: keys, LSNs and generation come back', () => {
  const names = [
    { kind: 'delta', keys: someKeys, begin: lsn(7), end: lsn(2 ** 53 - 1), generation: 0xffff },
    { kind: 'image', keys: someKeys, begin: lsn(7), end: lsn(8), generation: 0 },
  ] as const;

  deepEqual(
    names.map((name) => parseLayerName(formatLayerName(name))),
    names,
  );
});

test('layer name: names sort as their keys do', () => {
  const relations = [9, 10, 255, 256, 70_000];
  const names = relations.map((relation) => {
    const key = keyIn(families, { relation });
    const keys = { begin: keyBound(families, key), end: boundAfter(families, key) };
    return formatLayerName({ kind: 'image', keys, begin: lsn(1), end: lsn(2), generation: 1 });
  });

  deepEqual(names.toSorted(), names);
});

test('layer name: other files in the directory are not taken for layers', () => {
  const name = description({ kind: 'delta', begin: 1, end: 2 }).name;
  const others = ['', 'manifest', `${name}.tmp`, name.toLowerCase(), name.slice(1), `x${name}`];

  for (const other of others) throws(() => parseLayerName(other), /layer name unreadable/);
  equal(parseLayerName(name).kind, 'delta');
});
