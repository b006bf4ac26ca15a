/**
 * FileRequests: READ and WRITE, as a reader thread answers them: block files through BlockIo, plain
 * files from their descriptor.
 *
 * Promise: an error leaves as an errno. A delayed write that fails poisons the mount: Postgres
 * believes in a page that is gone, so from then on every read fails.
 */
import { readSync, writeSync } from 'node:fs';
import { AssertionFailed } from '../../base/assert.ts';
import { transferMax_bytes } from '../../io/fuse/device.ts';
import { InHeader, OutHeader, ReadIn, writeFromCache, WriteIn } from '../../io/fuse/protocol.ts';
import {
  errnos,
  errnoOf,
  errorReply,
  writeReplyHeader,
  writtenReply,
} from '../../io/fuse/replies.ts';
import { type BlockIo } from './block-io.ts';
import {
  block_bytes,
  counters,
  fileMax_bytes,
  inodeFields,
  inodeKinds,
  type SharedState,
} from './shared-state.ts';

export interface FileRequestsParts {
  readonly state: SharedState;
  readonly blocks: BlockIo;
  readonly fuseFd: number;
  readonly note: (note: ReaderNote) => void;
}

/**
 * What a reader thread tells the actor: that it is about to block, a request that is not its own,
 * that a read failed, that a delayed write was lost.
 */
export type ReaderNote =
  | { readonly kind: 'ready' }
  | { readonly kind: 'request'; readonly bytes: Uint8Array }
  | { readonly kind: 'readFailed'; readonly reason: string }
  | { readonly kind: 'poisoned'; readonly reason: string };

/** Room before the pages for a reply's header, when the request begins with the first. */
const headerRoom_bytes = block_bytes;

export class FileRequests {
  readonly #parts: FileRequestsParts;
  readonly #state: SharedState;
  /** A reply: header room, then whole blocks; the reply may begin in the middle of the first. */
  readonly #reply = new Uint8Array(headerRoom_bytes + transferMax_bytes + 2 * block_bytes);
  readonly #replyView = new DataView(this.#reply.buffer);

  constructor(parts: FileRequestsParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  onRead(request: DataView): void {
    const unique = InHeader.unique.get(request, 0);
    const inode = InHeader.node.get(request, 0);
    const begin = ReadIn.offset.get(request, InHeader.size);
    const size = Math.min(ReadIn.count.get(request, InHeader.size), transferMax_bytes);
    this.#state.add(counters.reads, 1);
    try {
      const at = this.#readInto(inode, begin, size);
      const headerAt = at.offset - OutHeader.size;
      const header = { unique, size: at.length, errno: errnos.none };
      writeReplyHeader(this.#replyView, headerAt, header);
      this.#send(this.#reply.subarray(headerAt, at.offset + at.length));
    } catch (error) {
      if (error instanceof AssertionFailed) throw error;
      this.#parts.note({ kind: 'readFailed', reason: String(error) });
      this.#send(errorReply(unique, errnoOf(error)));
    }
  }

  onWrite(request: DataView, bytes: Uint8Array): void {
    const unique = InHeader.unique.get(request, 0);
    const begin = WriteIn.offset.get(request, InHeader.size);
    const size = WriteIn.count.get(request, InHeader.size);
    const data = bytes.subarray(InHeader.size + WriteIn.size, InHeader.size + WriteIn.size + size);
    try {
      this.#write(InHeader.node.get(request, 0), begin, data);
      this.#send(writtenReply(unique, size));
    } catch (error) {
      if (error instanceof AssertionFailed) throw error;
      const flags = WriteIn.writeFlags.get(request, InHeader.size);
      if ((flags & writeFromCache) !== 0) this.#poison(error);
      this.#send(errorReply(unique, errnoOf(error)));
    }
  }

  /** Where in the reply buffer the bytes are. A plain file may have fewer than asked for. */
  #readInto(
    inode: number,
    begin: number,
    size: number,
  ): { readonly offset: number; readonly length: number } {
    if (this.#kind(inode) === inodeKinds.plainFile) {
      const offset = headerRoom_bytes;
      return { offset, length: readSync(this.#fd(inode), this.#reply, offset, size, begin) };
    }
    const target = this.#reply.subarray(headerRoom_bytes);
    this.#parts.blocks.read({ inode, begin, end: begin + size }, target);
    return { offset: headerRoom_bytes + (begin % block_bytes), length: size };
  }

  #write(inode: number, begin: number, data: Uint8Array): void {
    if (this.#kind(inode) === inodeKinds.plainFile) {
      writeAll(this.#fd(inode), data, begin);
      return;
    }
    if (begin + data.length > fileMax_bytes) throw errnoError('EFBIG');
    this.#parts.blocks.write({ inode, begin, end: begin + data.length }, data);
  }

  #kind(inode: number): number {
    if (this.#state.count(counters.poisoned) !== 0) throw errnoError('EIO');
    const kind = Atomics.load(this.#state.words, this.#state.inodeAt(inode));
    if (kind !== inodeKinds.blockFile && kind !== inodeKinds.plainFile) throw errnoError('EIO');
    return kind;
  }

  #fd(inode: number): number {
    return this.#state.words[this.#state.inodeAt(inode) + inodeFields.fd]!;
  }

  #poison(error: unknown): void {
    const before = Atomics.exchange(this.#state.words, counters.poisoned, 1);
    if (before === 0) this.#parts.note({ kind: 'poisoned', reason: String(error) });
  }

  #send(reply: Uint8Array | DataView): void {
    try {
      writeSync(this.#parts.fuseFd, reply);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody waits any more, or the mount is going: the next read of the device tells.
      if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
    }
  }
}

function writeAll(fd: number, data: Uint8Array, position: number): void {
  for (let done = 0; done < data.length;)
    done += writeSync(fd, data, done, data.length - done, position + done);
}

function errnoError(code: 'EIO' | 'EFBIG'): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}
