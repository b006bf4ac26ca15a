/** The simulated disk: what a power loss may take, and what it may not. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailed } from '../../src/base/assert.ts';
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

/** A file of sevens whose sync failed when it had become eights. */
function diskWithFailedSync(seed: number): SimulatedDisk {
  const disk = diskWith(seed, 4_096);
  const file = disk.open(path, 'existing');
  file.writeAt(new Uint8Array(4_096).fill(8), 0);
  disk.failSyncAfter(1);
  throws(() => {
    file.sync();
  }, AssertionFailed);
  return disk;
}

test('SimulatedDisk: after a sync that failed nothing works until another process comes', () => {
  const disk = diskWithFailedSync(1);

  throws(() => disk.exists(path), AssertionFailed);
  disk.startProcess();

  equal(content(disk), '\b'.repeat(4_096));
});

test('SimulatedDisk: what a failed sync left undone no later sync does', () => {
  const lost = seeds.filter((seed) => {
    const disk = diskWithFailedSync(seed);
    disk.startProcess();
    disk.open(path, 'existing').sync();
    disk.losePower();
    return content(disk).includes('\x07');
  });

  equal(lost.length, seeds.length);
});

test('SimulatedDisk: what is written again after a failed sync is durable when synced', () => {
  for (const seed of seeds) {
    const disk = diskWithFailedSync(seed);
    disk.startProcess();
    const file = disk.open(path, 'existing');
    file.writeAt(new Uint8Array(4_096).fill(8), 0);
    file.sync();

    disk.losePower();

    equal(content(disk), '\b'.repeat(4_096));
  }
});

test('SimulatedDisk: a directory whose sync fails takes the machine with it', () => {
  const disk = diskWith(1, 10);
  disk.failSyncAfter(1);

  throws(() => {
    disk.syncDirectory('/d');
  }, PowerLost);

  ok(disk.off);
});

test('SimulatedDisk: a full disk takes what a file has room for already', () => {
  const disk = diskWith(1, 8_192);
  disk.room = 0;
  const file = disk.open(path, 'existing');

  file.writeAt(new Uint8Array(8_192).fill(9), 0);

  throws(
    () => {
      file.writeAt(new Uint8Array(8_192).fill(9), 4_096);
    },
    { code: 'disk_full' },
  );
  equal(content(disk), '\t'.repeat(8_192));
});

test('SimulatedDisk: what was written of a write that did not fit has its room', () => {
  const disk = diskWith(1, 0);
  disk.room = 4_096;
  const file = disk.open(path, 'existing');
  throws(
    () => {
      file.writeAt(new Uint8Array(8_192).fill(9), 100);
    },
    { code: 'disk_full' },
  );
  equal(file.size(), 4_096);

  file.writeAt(new Uint8Array(4_096).fill(8), 0);

  equal(content(disk), '\b'.repeat(4_096));
});

test('SimulatedDisk: rot stays through a power loss, and goes when it is written over', () => {
  const disk = diskWith(1, 3);

  disk.rot(path, 1, 4);
  const rotten = content(disk);
  disk.losePower();
  const still = content(disk);
  disk.open(path, 'existing').writeAt(Uint8Array.of(7), 1);

  deepEqual([rotten, still, content(disk)], ['\x07\x03\x07', '\x07\x03\x07', '\x07\x07\x07']);
});

test('SimulatedDisk: what is durable is what the worst power loss leaves', () => {
  const disk = diskWith(1, 600);
  disk.open(path, 'existing').writeAt(new Uint8Array(600).fill(8), 0);

  equal(content(disk.durable()), '\x07'.repeat(600));
  equal(content(disk), '\b'.repeat(600));
});

test('SimulatedDisk: a disk that is lost is empty, also after a power loss', () => {
  const disk = diskWith(1, 600);

  disk.wipe();
  disk.losePower();

  deepEqual([disk.exists(path), disk.list('/d')], [false, []]);
});
