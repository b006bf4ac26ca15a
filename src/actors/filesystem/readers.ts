/**
 * Readers: the reader threads of one mount, from the actor's side.
 *
 * Owns the workers. A worker blocks in the device and so cannot be asked to end: it ends when the
 * mount is taken away.
 */
import { Worker } from 'node:worker_threads';
import { type ReaderNote } from './file-requests.ts';
import type { ReaderParts } from './reader-thread.ts';

export interface ReadersOptions {
  readonly count: number;
  readonly parts: Omit<ReaderParts, 'reader'>;
  /** Everything a reader says but that it is ready. */
  readonly onNote: (note: ReaderNote) => void;
  readonly onEnd: (reader: number, reason: string) => void;
}

export interface Readers {
  /** Resolves when all of them serve. */
  readonly ready: Promise<void>;
  /** Settles when every thread has ended; the mount must be gone. */
  readonly ended: Promise<void>;
}

const entry = new URL('./reader-thread.ts', import.meta.url);

export function startReaders(options: ReadersOptions): Readers {
  const started = Array.from({ length: options.count }, (_, reader) =>
    startReader(options, reader),
  );
  const ended = Promise.all(started.map((one) => one.ended)).then(() => undefined);
  const ready = Promise.all(started.map((one) => one.ready)).then(() => undefined);
  return { ready, ended };
}

interface Reader {
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
}

function startReader({ parts, onNote, onEnd }: ReadersOptions, reader: number): Reader {
  const workerData: ReaderParts = { ...parts, reader };
  const worker = new Worker(entry, { workerData, execArgv: [], name: `fuse-reader-${reader}` });
  let reason = 'no error';
  const ended = new Promise<void>((resolve) => {
    worker.on('error', (error) => (reason = String(error)));
    worker.on('exit', () => {
      onEnd(reader, reason);
      resolve();
    });
  });
  const ready = new Promise<void>((resolve, reject) => {
    worker.on('message', (note: ReaderNote) => {
      if (note.kind === 'ready') resolve();
      else onNote(note);
    });
    worker.once('error', reject);
  });
  return { ready, ended };
}
