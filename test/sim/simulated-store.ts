/**
 * SimulatedStore: the object store of a simulated world. Each operation takes effect at one instant
 * between its call and its answer; it may fail without saying whether it did.
 */
import { Failure } from '../../src/base/failure.ts';
import { type ObjectStore, type StoredObject } from '../../src/io/object-store.ts';
import { type SeededRandom } from '../../src/io/random.ts';

export interface StoreWorld {
  readonly random: SeededRandom;
  readonly after: (delay_ms: number, action: () => void) => unknown;
}

const latencyMax_ms = 20;

export class SimulatedStore {
  /** One operation in so many fails; null for none. */
  failure_oneIn: number | null = null;
  failures = 0;
  readonly #world: StoreWorld;
  readonly #objects = new Map<string, StoredObject>();
  #versions = 0;

  constructor(world: StoreWorld) {
    this.#world = world;
  }

  /** What is there now. */
  peek(key: string): StoredObject | null {
    return this.#objects.get(key) ?? null;
  }

  put(key: string, bytes: Uint8Array): string {
    this.#versions += 1;
    const version = String(this.#versions);
    this.#objects.set(key, { bytes, version });
    return version;
  }

  /** As one process sees it: whoever is gone when an answer comes does not get it. */
  for(isAlive: () => boolean): ObjectStore {
    const does = <T>(operation: () => T): Promise<T> => this.#does(operation, isAlive);
    return {
      get: (key) => does(() => this.peek(key)),
      putIfAbsent: (key, bytes) =>
        does(() => {
          if (this.#objects.has(key)) return false;
          this.put(key, bytes);
          return true;
        }),
      putIfUnchanged: (key, bytes, version) =>
        does(() => {
          const found = this.#objects.get(key)?.version ?? null;
          return found === version ? this.put(key, bytes) : null;
        }),
      list: (prefix) =>
        does(() => [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort()),
      delete: (key) =>
        does(() => {
          this.#objects.delete(key);
        }),
    };
  }

  #does<T>(operation: () => T, isAlive: () => boolean): Promise<T> {
    const { random, after } = this.#world;
    const fails = this.failure_oneIn !== null && random.oneIn(this.failure_oneIn);
    if (fails) this.failures += 1;
    const isDone = !fails || random.oneIn(2);
    return new Promise((resolve, reject) => {
      after(random.below(latencyMax_ms), () => {
        const result = isDone ? operation() : null;
        after(random.below(latencyMax_ms), () => {
          if (!isAlive()) return;
          if (fails) reject(new Failure('store_unavailable', { key: 'simulated' }));
          else resolve(result as T);
        });
      });
    });
  }
}
