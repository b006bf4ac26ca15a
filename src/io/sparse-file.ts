/**
 * SparseFile: a file that is mostly zeros, written without them.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const blockSize = 8_192;
const zeros = Buffer.alloc(blockSize);

/** Makes `path`, with mode 0600, hold `bytes`; blocks of zeros take no room and no time. */
export function writeSparse(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    ftruncateSync(file, bytes.length);
    for (let at = 0; at < bytes.length; at += blockSize) {
      const block = bytes.subarray(at, at + blockSize);
      if (zeros.compare(block) !== 0) writeSync(file, block, 0, block.length, at);
    }
  } finally {
    closeSync(file);
  }
}
