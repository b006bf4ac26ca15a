/**
 * FaultyStore: an object store in memory, with faults on order. Notes every change.
 */
import { Failure } from '../../src/base/failure.ts';
import { type ObjectStore, type StoredObject } from '../../src/io/object-store.ts';

/**
 * `away`: nothing is answered but failures. `full`: nothing can be created. `lies`: other bytes are kept
 * than were given. `forgets`: none are.
 */
export type StoreFault = 'away' | 'full' | 'lies' | 'forgets';

export class FaultyStore implements ObjectStore {
  readonly objects = new Map<string, Uint8Array>();
  /** `put <key>`, `get <key>` and `delete <key>`, as they were asked for. */
  calls: string[] = [];
  fault: StoreFault | null = null;
  /** Creations wait for it. */
  gate: Promise<unknown> = Promise.resolve();

  reset(): void {
    this.objects.clear();
    this.calls = [];
    this.fault = null;
    this.gate = Promise.resolve();
  }

  get(key: string): Promise<StoredObject | null> {
    return this.#answer(`get ${key}`, () => {
      const bytes = this.objects.get(key);
      return bytes === undefined ? null : { bytes, version: '1' };
    });
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    const { fault } = this;
    await this.gate;
    return this.#answer(`put ${key}`, () => {
      if (fault === 'full') throw new Failure('disk_full', { operation: 'write' });
      if (this.objects.has(key)) return false;
      const kept = bytes.slice();
      if (fault === 'lies') kept[kept.length - 1]! ^= 1;
      if (fault !== 'forgets') this.objects.set(key, kept);
      return true;
    });
  }

  putIfUnchanged(): Promise<string | null> {
    return Promise.reject(new Error('nobody swaps WAL'));
  }

  list(prefix: string): Promise<readonly string[]> {
    return this.#answer(`list ${prefix}`, () =>
      [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort(),
    );
  }

  async delete(key: string): Promise<void> {
    await this.#answer(`delete ${key}`, () => this.objects.delete(key));
  }

  /** How often something was asked for whose beginning is `call`. */
  count(call: string): number {
    return this.calls.filter((each) => each.startsWith(call)).length;
  }

  async #answer<T>(call: string, action: () => T): Promise<T> {
    this.calls.push(call);
    await Promise.resolve();
    if (this.fault === 'away') throw new Failure('store_unavailable', { call });
    return action();
  }
}
