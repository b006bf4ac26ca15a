/** A simulated file's bytes beside an array that does the same. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../src/io/random.ts';
import { FileContent, type Change } from './file-content.ts';

const largest = 100_000;

function bytesOf(content: FileContent): Uint8Array {
  const bytes = new Uint8Array(content.size);
  content.read(bytes, 0);
  return bytes;
}

function anyChange(random: SeededRandom): Change {
  if (random.oneIn(4)) return { kind: 'truncate', size: random.below(largest) };
  const bytes = new Uint8Array(1 + random.below(random.pick([600, 40_000])));
  if (!random.oneIn(3)) bytes.fill(1 + random.below(255));
  return { kind: 'write', position: random.below(largest), bytes };
}

function changed(bytes: Uint8Array, change: Change): Uint8Array {
  if (change.kind === 'truncate') {
    const cut = new Uint8Array(change.size);
    cut.set(bytes.subarray(0, change.size));
    return cut;
  }
  const size = Math.max(bytes.length, change.position + change.bytes.length);
  const written = new Uint8Array(size);
  written.set(bytes);
  written.set(change.bytes, change.position);
  return written;
}

test('FileContent: writes and cuts do to it what they do to an array', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = new SeededRandom(seed);
    const content = new FileContent();
    let model: Uint8Array = new Uint8Array(0);
    for (let step = 0; step < 20; step += 1) {
      const change = anyChange(random);
      content.apply(change, () => true);
      model = changed(model, change);
      ok(Buffer.compare(bytesOf(content), model) === 0, `seed=${seed} step=${step}`);
    }
  }
});

test('FileContent: a copy and its original change apart', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = new SeededRandom(seed);
    const content = new FileContent();
    content.apply(anyChange(random), () => true);
    const before = bytesOf(content);
    const copy = content.copy();

    copy.apply(anyChange(random), () => true);
    const copied = bytesOf(copy);
    const after = bytesOf(content);
    content.apply(anyChange(random), () => true);

    ok(Buffer.compare(after, before) === 0, `seed=${seed}`);
    ok(Buffer.compare(bytesOf(copy), copied) === 0, `seed=${seed}`);
  }
});

test('FileContent: a write is kept sector by sector', () => {
  const content = new FileContent();
  content.write(new Uint8Array(2_048).fill(7), 0);
  let sector = 0;

  content.apply({ kind: 'write', position: 100, bytes: new Uint8Array(1_000).fill(8) }, () => {
    sector += 1;
    return sector === 2;
  });

  const eights = [...bytesOf(content).entries()].filter(([, byte]) => byte === 8);
  deepEqual([eights[0]![0], eights.at(-1)![0]], [512, 1_023]);
  equal(sector, 3);
});
