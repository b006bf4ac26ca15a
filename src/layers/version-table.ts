/**
 * VersionTable: the versions of an open layer as columns: LSN, position, size with the init bit,
 * and the number of the same key's previous version. 20 bytes per version, no object.
 */
import { assert } from '../base/assert.ts';
import { type Lsn } from '../base/lsn.ts';

const versionsAtFirst = 4_096;
const versionSize = 20;
const sizedMax = 2 ** 32;

export class VersionTable {
  count = 0;
  lsns = new Float64Array(versionsAtFirst);
  positions = new Uint32Array(versionsAtFirst);
  /** `size * 2 + init`. */
  sizes = new Uint32Array(versionsAtFirst);
  /** Version number, or 0xffffffff for none. */
  previous = new Uint32Array(versionsAtFirst);

  /** Bytes in use. */
  get size(): number {
    return this.count * versionSize;
  }

  add(lsn: Lsn, position: number, sized: number, previous: number): void {
    assert(sized < sizedMax, 'a value is smaller than 2 GiB');
    const at = this.count;
    if (at === this.lsns.length) this.#grow();
    this.lsns[at] = lsn;
    this.positions[at] = position;
    this.sizes[at] = sized;
    this.previous[at] = previous;
    this.count = at + 1;
  }

  #grow(): void {
    const capacity = this.lsns.length * 2;
    const lsns = new Float64Array(capacity);
    lsns.set(this.lsns);
    this.lsns = lsns;
    this.positions = grown(this.positions, capacity);
    this.sizes = grown(this.sizes, capacity);
    this.previous = grown(this.previous, capacity);
  }
}

function grown(column: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(column);
  return larger;
}
