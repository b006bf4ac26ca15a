/**
 * The log of a cluster on disk: where replay starts, and the bytes from there on.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { u64 } from '../../../src/base/struct.ts';

export const segmentSize = 16 * 1_024 * 1_024;
/** `checkPointCopy.redo` in pg_control, the same in majors 15 to 18. */
const controlFileRedoAt = 40;

/** Where recovery of the data directory would start. */
export function redoStart(dataDirectory: string): Lsn {
  const control = readFileSync(join(dataDirectory, 'global', 'pg_control'));
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  return lsn(u64.read(view, controlFileRedoAt));
}

/** The bytes of the log from `start` on, segment by segment. */
export function* segmentsFrom(directory: string, start: Lsn): Generator<Uint8Array> {
  const names = readdirSync(directory).filter((name) => /^[0-9A-F]{24}$/.test(name));
  const first = Math.floor(start / segmentSize);
  for (const name of names.sort()) {
    const perFile = 2 ** 32 / segmentSize;
    const number = parseInt(name.slice(8, 16), 16) * perFile + parseInt(name.slice(16), 16);
    if (number < first) continue;
    const bytes = readFileSync(join(directory, name));
    yield number === first ? bytes.subarray(start % segmentSize) : bytes;
  }
}
