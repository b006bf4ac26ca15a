/**
 * ReaderThread: a worker that blocks in reading `/dev/fuse`, answers reads and writes itself, and
 * forwards the rest to the actor that started it.
 *
 * Owns:    its buffers.
 * Serves:  the kernel.
 * Promise: ends when the mount does; says why.
 * Crash:   the actor is told by the thread's end, and gives the mount up.
 * Never:   runs its event loop once started, and touches the mount.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { readSync, writeSync } from 'node:fs';
import { requestMax_bytes } from '../../io/fuse/device.ts';
import { InHeader, operations } from '../../io/fuse/protocol.ts';
import { errnos, errorReply } from '../../io/fuse/replies.ts';
import { BlockIo } from './block-io.ts';
import { type LowerModule } from './lower-pages.ts';
import { type LowerSource } from './protocol.ts';
import { FileRequests, type ReaderNote } from './file-requests.ts';
import { type SharedHandle, SharedState } from './shared-state.ts';

export interface ReaderParts {
  readonly reader: number;
  readonly shared: SharedHandle;
  readonly fuseFd: number;
  readonly slotFd: number;
  readonly lower: LowerSource;
}

/** Errors of the device that concern one request only. */
const passingErrors = new Set(['EINTR', 'EAGAIN', 'ENOENT']);

if (parentPort !== null) await main(workerData as ReaderParts);

async function main(parts: ReaderParts): Promise<void> {
  const state = new SharedState(parts.shared);
  const module = (await import(parts.lower.moduleUrl)) as LowerModule;
  const lower = await module.openLower(parts.lower.options, parts.reader);
  const blocks = new BlockIo({ state, slotFd: parts.slotFd, lower });
  const files = new FileRequests({ state, blocks, fuseFd: parts.fuseFd, note: post });
  post({ kind: 'ready' });
  serve(parts.fuseFd, files);
}

/** Until the mount is gone, which the device reports with ENODEV. */
function serve(fuseFd: number, files: FileRequests): void {
  const buffer = new Uint8Array(requestMax_bytes);
  const view = new DataView(buffer.buffer);
  for (;;) {
    const length = nextRequest(fuseFd, buffer);
    if (length < 0) return;
    if (length > 0) dispatch(fuseFd, files, { view, buffer, length });
  }
}

/** Length of the request read; 0 when that one is void, -1 when the mount has ended. */
function nextRequest(fuseFd: number, buffer: Uint8Array): number {
  try {
    return readSync(fuseFd, buffer, 0, buffer.length, null);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (passingErrors.has(code)) return 0;
    if (code === 'ENODEV' || code === 'ECONNABORTED') return -1;
    throw error;
  }
}

interface Received {
  readonly view: DataView;
  readonly buffer: Uint8Array;
  readonly length: number;
}

function dispatch(fuseFd: number, files: FileRequests, received: Received): void {
  const { view, buffer, length } = received;
  switch (InHeader.operation.get(view, 0)) {
    case operations.read:
      files.onRead(view);
      return;
    case operations.write:
      files.onWrite(view, buffer);
      return;
    case operations.fsync:
    case operations.fsyncdir:
    case operations.release:
    case operations.releasedir:
      // The disk below is scratch: the record is elsewhere, so there is nothing to sync.
      writeReply(fuseFd, errorReply(InHeader.unique.get(view, 0), errnos.none));
      return;
    case operations.interrupt:
    case operations.destroy:
      return;
    default:
      post({ kind: 'request', bytes: buffer.slice(0, length) });
  }
}

function writeReply(fuseFd: number, reply: DataView): void {
  try {
    writeSync(fuseFd, reply);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // The request was interrupted, or the mount is going: the next read of the device tells.
    if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
  }
}

function post(note: ReaderNote): void {
  parentPort!.postMessage(note);
}
