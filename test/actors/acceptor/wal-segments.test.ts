/** Segments on disk: what a crash, or a loss of power, in the middle of a removal leaves. */
import { deepEqual, throws } from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WalSegments } from '../../../src/actors/acceptor/wal-segments.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { type Disk, RealDisk } from '../../../src/io/disk.ts';
import { SeededRandom } from '../../../src/io/random.ts';
import { PowerLost, SimulatedDisk } from '../../sim/simulated-disk.ts';

const segmentSize = 2 ** 20;

/** A disk that dies after some removals, and lists names in the worst order. */
class DyingDisk extends RealDisk {
  removals = Infinity;

  override remove(path: string): void {
    this.removals -= 1;
    if (this.removals < 0) throw new Error('killed');
    super.remove(path);
  }

  override list(directory: string): readonly string[] {
    return [...super.list(directory)].sort().reverse();
  }
}

test('wal segments: a removal that is cut short leaves no hole', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'segments-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  const disk = new DyingDisk();
  const segments = fiveOn(disk, directory);
  disk.removals = 2;

  throws(() => {
    segments.removeBelow(lsn(5 * segmentSize));
  }, /killed/);

  deepEqual(numbers(readdirSync(directory)), [3, 4, 5]);
});

test('wal segments: a removal during which the power fails leaves no hole', () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const disk = new SimulatedDisk(new SeededRandom(seed));
    const segments = fiveOn(disk, '/wal');
    disk.losePowerAfter(1 + (seed % 8));

    throws(() => {
      segments.removeBelow(lsn(5 * segmentSize));
    }, PowerLost);

    disk.losePower();
    const left = numbers(disk.list('/wal'));
    deepEqual(left, [1, 2, 3, 4, 5].slice(-left.length), `seed=${seed}`);
  }
});

function fiveOn(disk: Disk, directory: string): WalSegments {
  const segments = new WalSegments(disk, directory, segmentSize);
  for (let number = 1; number <= 5; number += 1) {
    segments.write(lsn(number * segmentSize), new Uint8Array(segmentSize));
    segments.sync();
  }
  segments.close();
  return segments;
}

function numbers(names: readonly string[]): number[] {
  return names.map((name) => Number(`0x${name.slice(-2)}`)).sort();
}
