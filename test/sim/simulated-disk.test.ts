/** The simulated disk: what a power loss may take, and what it may not. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { readWholeFile, replaceFile } from '../../src/io/disk.ts';
import { SeededRandom } from '../../src/io/random.ts';
import { PowerLost, SimulatedDisk } from './simulated-disk.ts';

const seeds = Array.from({ length: 40 }, (_, index) => index + 1);
const path = '/d/file';

/** A disk with a file of `size` sevens, synced, its name too. */
function diskWith(seed: number, size: number): SimulatedDisk {
  const disk = new SimulatedDisk(new SeededRandom(seed));
  const file = disk.open(path, 'create');
  file.writeAt(new Uint8Array(size).fill(7), 0);
  file.sync();
  disk.syncDirectory('/d');
  return disk;
}

function content(disk: SimulatedDisk): string {
  return Buffer.from(readWholeFile(disk, path) ?? []).toString('latin1');
}

test('SimulatedDisk: what was synced is there after a power loss', () => {
  for (const seed of seeds) {
    const disk = diskWith(seed, 3_000);

    disk.losePower();

    equal(content(disk), '\x07'.repeat(3_000));
  }
});

test('SimulatedDisk: sectors not synced are each the old or the new ones', () => {
  const results = seeds.map((seed) => {
    const disk = diskWith(seed, 1_024);
    disk.open(path, 'existing').writeAt(new Uint8Array(1_024).fill(8), 0);
    disk.losePower();
    const bytes = readWholeFile(disk, path)!;
    ok(bytes.subarray(0, 512).every((byte) => byte === bytes[0]));
    return `${bytes[0]}${bytes[512]}`;
  });

  deepEqual([...new Set(results)].sort(), ['77', '78', '87', '88']);
});

test('SimulatedDisk: a new name is sure to be there only when its directory was synced', () => {
  const lost = seeds.filter((seed) => {
    const disk = new SimulatedDisk(new SeededRandom(seed));
    disk.open(path, 'create').sync();
    disk.losePower();
    return !disk.exists(path);
  });

  ok(lost.length > 0 && lost.length < seeds.length);
});

test('SimulatedDisk: a file replaced as a whole is the old or the new one wherever the power fails', () => {
  const results = new Set<string>();
  for (const seed of seeds)
    for (let operations = 1; operations < 8; operations += 1) {
      const disk = diskWith(seed, 600);
      disk.losePowerAfter(operations);
      try {
        replaceFile(disk, '/d', 'file', new Uint8Array(700).fill(8));
      } catch (error) {
        ok(error instanceof PowerLost);
      }
      disk.losePower();
      results.add(content(disk));
    }

  deepEqual([...results].sort(), ['\x07'.repeat(600), '\b'.repeat(700)]);
});

test('SimulatedDisk: without power nothing works', () => {
  const disk = diskWith(1, 10);
  disk.losePowerAfter(1);

  throws(() => {
    disk.remove(path);
  }, PowerLost);

  throws(() => disk.exists(path), PowerLost);
});
