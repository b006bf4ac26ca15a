/**
 * SharedDirectory: actor path → thread, readable on every thread without a message.
 *
 * The map is `sharedmap`. Its locks have no owner: a thread terminated while holding one would stop all
 * others for ever. So only the main thread writes, nobody locks, and readers check a version
 * that is odd while a write is under way, reading again when it moved.
 */
import * as sharedMapModule from 'sharedmap';
import { assert } from '../../base/assert.ts';
import { ensure } from '../../base/failure.ts';
import { type Directory } from '../kernel/kernel.ts';

/** The part of sharedmap used here; the package's own declarations do not parse. */
interface SharedStringMap {
  readonly length: number;
  readonly size: number;
  set(key: string, value: string, options: typeof unlocked): void;
  get(key: string, options: typeof unlocked): string | undefined;
  delete(key: string, options: typeof unlocked): void;
}
type SharedStringMapClass = new (entries: number, key: number, value: number) => SharedStringMap;

// The package is CommonJS whose exports are the class itself, with or without a bundler's wrapping.
const exported = sharedMapModule as unknown as {
  readonly default: SharedStringMapClass | { readonly default: SharedStringMapClass };
};
const SharedMap = 'default' in exported.default ? exported.default.default : exported.default;

/** "The lock is held": none is taken. */
const unlocked = { lockExclusive: true, lockWrite: true } as const;
const keyLength_max = 124;
const valueLength_max = 4;
const writerPause_ms = 1;

export interface DirectoryMemory {
  readonly map: object;
  readonly version: Int32Array;
}

export function createDirectory(actorsMax: number): DirectoryMemory {
  return {
    map: new SharedMap(actorsMax, keyLength_max, valueLength_max),
    version: new Int32Array(new SharedArrayBuffer(4)),
  };
}

export class SharedDirectory implements Directory {
  readonly #map: SharedStringMap;
  readonly #version: Int32Array;
  readonly #cache = new Map<string, number | null>();
  #cachedVersion = 0;

  /** `memory` may have crossed threads, which strips the map of its class. */
  constructor({ map, version }: DirectoryMemory) {
    this.#map = Object.setPrototypeOf(map, SharedMap.prototype as object) as SharedStringMap;
    this.#version = version;
  }

  threadOf(path: string): number | null {
    const version = Atomics.load(this.#version, 0);
    if (version !== this.#cachedVersion) {
      this.#cache.clear();
      this.#cachedVersion = version;
    }
    const cached = this.#cache.get(path);
    if (cached !== undefined) return cached;
    const thread = this.#lookup(path);
    if (Atomics.load(this.#version, 0) === version) this.#cache.set(path, thread);
    return thread;
  }

  /** Main thread only. */
  publish(path: string, thread: number): void {
    assert(path.length < keyLength_max, 'a path fits the directory');
    ensure(this.#map.length < this.#map.size * 0.9, 'directory_full', { path });
    this.#write(() => {
      this.#map.set(path, String(thread), unlocked);
    });
  }

  /** Main thread only. Nothing happens when the path is not there. */
  withdraw(path: string): void {
    if (this.#map.get(path, unlocked) === undefined) return;
    this.#write(() => {
      this.#map.delete(path, unlocked);
    });
  }

  #write(change: () => void): void {
    Atomics.add(this.#version, 0, 1);
    try {
      change();
    } finally {
      Atomics.add(this.#version, 0, 1); // never odd for long: readers wait
    }
  }

  #lookup(path: string): number | null {
    for (;;) {
      const before = Atomics.load(this.#version, 0);
      if ((before & 1) === 1) {
        Atomics.wait(this.#version, 0, before, writerPause_ms);
        continue;
      }
      const found = this.#map.get(path, unlocked);
      if (Atomics.load(this.#version, 0) === before)
        return found === undefined ? null : Number(found);
    }
  }
}
