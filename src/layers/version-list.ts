/**
 * VersionList: the versions of one key, newest to oldest, as a read collects them; and Chunk, the
 * memory they lie in. A list is reused from read to read: collecting allocates nothing per version.
 *
 * A version is a place in a chunk. Its bytes stay valid until the list is filled again or the layers
 * it came from change, so a reader is done with a list before it yields to anybody else.
 */
import { assert } from '../base/assert.ts';
import { type Lsn } from '../base/lsn.ts';

/** Memory that versions lie in: the same bytes, as an array and as a view. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function chunkOf(bytes: Uint8Array): Chunk {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

export const emptyChunk: Chunk = chunkOf(new Uint8Array(0));

/** What is known of a version besides its bytes; a bit each. */
export const versionFlags = {
  none: 0,
  /** The value needs no older version. */
  init: 1,
  /** The value is a bare page of 8192 bytes, or 0 bytes for an all-zero page: an image layer's. */
  page: 2,
} as const;

/** Which versions a read wants: LSNs in (`above`, `atOrBelow`]. */
export interface LsnLimits {
  readonly above: number;
  readonly atOrBelow: number;
}

export class VersionList {
  #count = 0;
  #chunk = emptyChunk;
  #own = emptyChunk;
  readonly #chunks: Chunk[] = [];
  readonly #lsns: Lsn[] = [];
  readonly #offsets: number[] = [];
  readonly #sizes: number[] = [];
  readonly #flags: number[] = [];

  get count(): number {
    return this.#count;
  }

  /** Whether the oldest version collected needs no older one. */
  get complete(): boolean {
    return this.#count > 0 && this.#flags[this.#count - 1] !== versionFlags.none;
  }

  clear(): void {
    this.#count = 0;
  }

  /** The list's own memory for a version of `size` bytes that is read for it: one, the oldest. */
  ownChunk(size: number): Chunk {
    if (this.#own.bytes.length !== size) this.#own = chunkOf(new Uint8Array(size));
    return this.#own;
  }

  /** The following pushes are places in `chunk`. */
  from(chunk: Chunk): void {
    this.#chunk = chunk;
  }

  /** Adds an older version: `size` bytes at `offset` of the chunk given last. */
  push(lsn: Lsn, offset: number, size: number, flags: number): void {
    assert(!this.complete, 'nothing is older than a version that needs no older one');
    const at = this.#count;
    this.#chunks[at] = this.#chunk;
    this.#lsns[at] = lsn;
    this.#offsets[at] = offset;
    this.#sizes[at] = size;
    this.#flags[at] = flags;
    this.#count = at + 1;
  }

  /** The LSN of version `at`; 0 is the newest. */
  lsn(at: number): Lsn {
    return this.#lsns[at]!;
  }

  chunk(at: number): Chunk {
    return this.#chunks[at]!;
  }

  offset(at: number): number {
    return this.#offsets[at]!;
  }

  size(at: number): number {
    return this.#sizes[at]!;
  }

  /** Whether the value is a bare page (8192 bytes, or none for an all-zero page). */
  isPage(at: number): boolean {
    return (this.#flags[at]! & versionFlags.page) !== 0;
  }

  /** The bytes of version `at`, as a view of where they lie. */
  bytes(at: number): Uint8Array {
    const offset = this.#offsets[at]!;
    return this.#chunks[at]!.bytes.subarray(offset, offset + this.#sizes[at]!);
  }
}
