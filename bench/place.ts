/**
 * Place: the temporary folder of one benchmark, and what must be ended before it goes.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Place {
  readonly folder: string;
  readonly #undo: (() => Promise<unknown>)[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  /** `undo` runs when the benchmark ends, however it does; last first. */
  later(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  async clear(): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs `work` in a folder of its own, and leaves nothing behind. */
export async function inPlace<T>(work: (place: Place) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'stemma-bench-'));
  chmodSync(folder, 0o755); // Postgres's user walks through it
  const place = new Place(folder);
  try {
    return await work(place);
  } finally {
    await place.clear();
  }
}
