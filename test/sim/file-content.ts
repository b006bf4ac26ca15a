/**
 * FileContent: the bytes of a simulated file; zeros where nothing was written.
 *
 * Kept in chunks that copies share until one of them is written to, so that a copy costs no more than
 * a list: the simulator copies disks whenever it asks what a power loss would leave.
 */
const chunkSize = 16_384;
export const sectorSize = 512;
const noBytes = Buffer.alloc(chunkSize);

/** A write or a cut. */
export type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number };

export class FileContent {
  /** null is zeros. */
  #chunks: (Uint8Array | null)[] = [];
  /** Chunks that no copy shares. */
  readonly #own = new Set<number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Reads into all of `target`; returns the bytes read: fewer at the end. */
  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.#size);
    for (let at = position; at < end;) {
      const { index, offset, size } = pieceAt(at, end);
      const chunk = this.#chunks[index] ?? noBytes;
      target.set(chunk.subarray(offset, offset + size), at - position);
      at += size;
    }
    return Math.max(0, end - position);
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    this.#size = Math.max(this.#size, end);
    for (let at = position; at < end;) {
      const { index, offset, size } = pieceAt(at, end);
      this.#writePiece(index, offset, bytes.subarray(at - position, at - position + size));
      at += size;
    }
  }

  truncate(size: number): void {
    if (size < this.#size) {
      const { index, offset } = pieceAt(size, size + 1);
      this.#chunks.length = Math.min(this.#chunks.length, index + 1);
      if ((this.#chunks[index] ?? null) !== null) this.#ownChunk(index).fill(0, offset);
    }
    this.#size = size;
  }

  /** Does as much of a change as `keeps` lets: of a write, each sector or not. */
  apply(change: Change, keeps: () => boolean): void {
    if (change.kind === 'truncate') {
      if (keeps()) this.truncate(change.size);
      return;
    }
    const { position, bytes } = change;
    for (let done = 0; done < bytes.length;) {
      const at = position + done;
      const size = Math.min(bytes.length - done, sectorSize - (at % sectorSize));
      if (keeps()) this.write(bytes.subarray(done, done + size), at);
      done += size;
    }
  }

  copy(): FileContent {
    const copy = new FileContent();
    copy.#chunks = [...this.#chunks];
    copy.#size = this.#size;
    this.#own.clear();
    return copy;
  }

  #writePiece(index: number, offset: number, bytes: Uint8Array): void {
    if ((this.#chunks[index] ?? null) === null && isZeros(bytes)) return;
    this.#ownChunk(index).set(bytes, offset);
  }

  #ownChunk(index: number): Uint8Array {
    const chunk = this.#chunks[index] ?? null;
    if (chunk !== null && this.#own.has(index)) return chunk;
    const own = new Uint8Array(chunkSize);
    if (chunk !== null) own.set(chunk);
    while (this.#chunks.length < index) this.#chunks.push(null);
    this.#chunks[index] = own;
    this.#own.add(index);
    return own;
  }
}

/** Whether these are zeros, at most a chunk of them. */
function isZeros(bytes: Uint8Array): boolean {
  return noBytes.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}

function pieceAt(
  at: number,
  end: number,
): { readonly index: number; readonly offset: number; readonly size: number } {
  const offset = at % chunkSize;
  const size = Math.min(end - at, chunkSize - offset);
  return { index: Math.floor(at / chunkSize), offset, size };
}
