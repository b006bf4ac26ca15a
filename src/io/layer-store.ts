/**
 * LayerStore: the layer files of one timeline, in a local folder.
 *
 * A file is written under a temporary name, synced and renamed, so a layer's name stands for a whole
 * file. Reads are blocking: a read from the kernel's cache takes a microsecond, a hop through the
 * thread pool thirty.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ensure } from '../base/failure.ts';
import { syncFolder } from './atomic-file.ts';
import { ReadAhead } from './read-ahead.ts';

export interface LayerFile {
  readonly size: number;
  /** Not to be written to. Fails with `layer_file_unreadable` when the bytes are not there. */
  readonly readAt: (offset: number, size: number) => Uint8Array;
  /** Reads into `target`; false when the file ends before. */
  readonly readInto: (target: Uint8Array, offset: number) => boolean;
  readonly close: () => void;
}

const unfinished = '.unfinished';

export class LayerStore {
  readonly folder: string;

  /** Makes the folder, and clears away what a host that died was writing. */
  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) {
      if (name.endsWith(unfinished)) rmSync(join(folder, name));
    }
  }

  /** Begins a file. Nobody sees it before `finish`. */
  async begin(): Promise<LayerWriter> {
    const path = join(this.folder, `${process.hrtime.bigint()}${unfinished}`);
    return new LayerWriter(this.folder, path, await open(path, 'wx'));
  }

  /** Fails with `layer_file_missing`. */
  open(name: string): LayerFile {
    const path = join(this.folder, name);
    ensure(existsSync(path), 'layer_file_missing', { path });
    const file = openSync(path, 'r');
    const { size } = fstatSync(file);
    const ahead = new ReadAhead((target, offset) => {
      const whole = readWhole(file, target, offset);
      ensure(whole, 'layer_file_unreadable', { path, offset, size: target.length });
    }, size);
    return {
      size,
      readAt: (offset, length) => ahead.readAt(offset, length),
      readInto: (target, offset) => readWhole(file, target, offset),
      close: () => {
        closeSync(file);
      },
    };
  }

  /** Removes every file but those named: finished by a host that died before it listed them. */
  keepOnly(names: readonly string[]): void {
    const kept = new Set(names);
    for (const name of readdirSync(this.folder))
      if (!kept.has(name)) rmSync(join(this.folder, name));
  }
}

export class LayerWriter {
  readonly #folder: string;
  readonly #path: string;
  readonly #file: FileHandle;

  constructor(folder: string, path: string, file: FileHandle) {
    this.#folder = folder;
    this.#path = path;
    this.#file = file;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await this.#file.write(chunk, at);
      at += bytesWritten;
    }
  }

  /** The file is durable and has its name. */
  async finish(name: string): Promise<void> {
    await this.#file.datasync();
    await this.#file.close();
    renameSync(this.#path, join(this.#folder, name));
    syncFolder(this.#folder);
  }

  async discard(): Promise<void> {
    await this.#file.close();
    rmSync(this.#path, { force: true });
  }
}

function readWhole(file: number, target: Uint8Array, offset: number): boolean {
  for (let at = 0; at < target.length;) {
    const got = readSync(file, target, at, target.length - at, offset + at);
    if (got === 0) return false;
    at += got;
  }
  return true;
}
