/**
 * Replies: the bytes that answer a FUSE request, and the notices a server may send by itself.
 *
 * A reply is written with one `write`. Times are in milliseconds since the epoch.
 */
import {
  Attributes,
  AttributesOut,
  DirectoryEntry,
  EntryOut,
  InvalidateInodeOut,
  notifyInvalidateInode,
  OpenOut,
  OutHeader,
  StatfsOut,
  WriteOut,
} from './protocol.ts';

/** Errno values of Linux that are answered. */
export const errnos = {
  none: 0,
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  EOPNOTSUPP: 95,
} as const;
export type Errno = (typeof errnos)[keyof typeof errnos];

/** Codes of errors and failures that are answered for their own sake. */
const errnoByCode: Readonly<Record<string, Errno>> = {
  ENOSPC: errnos.ENOSPC,
  EDQUOT: errnos.ENOSPC,
  EFBIG: errnos.EFBIG,
  disk_full: errnos.ENOSPC,
  filesystem_upper_full: errnos.ENOSPC,
};

/** What to answer when an error came up: what it says if that is known, else EIO. */
export function errnoOf(error: unknown): Errno {
  const { code } = error as { readonly code?: string };
  return errnoByCode[code ?? ''] ?? errnos.EIO;
}

/**
 * The kernel's caches are authoritative: a mount has one writer, the kernel itself. So names and
 * attributes are valid for as long as the protocol can say.
 */
const validForever_s = 1_000_000_000;
const statBlock_bytes = 512;

export interface FileAttributes {
  readonly node: number;
  readonly generation: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  readonly atime_ms: number;
  readonly mtime_ms: number;
  readonly ctime_ms: number;
}

/** A reply with room for `size` bytes after its header. */
function makeReply(unique: number, size: number): DataView {
  const reply = new DataView(new ArrayBuffer(OutHeader.size + size));
  writeReplyHeader(reply, 0, { unique, size, errno: errnos.none });
  return reply;
}

export interface ReplyHeader {
  readonly unique: number;
  /** Bytes after the header. */
  readonly size: number;
  readonly errno: number;
}

export function writeReplyHeader(view: DataView, at: number, header: ReplyHeader): void {
  OutHeader.length.set(view, at, OutHeader.size + header.size);
  OutHeader.error.set(view, at, -header.errno);
  OutHeader.unique.set(view, at, header.unique);
}

export function errorReply(unique: number, errno: Errno): DataView {
  const reply = new DataView(new ArrayBuffer(OutHeader.size));
  writeReplyHeader(reply, 0, { unique, size: 0, errno });
  return reply;
}

/** A name that leads to `attributes`. */
export function entryReply(unique: number, attributes: FileAttributes): DataView {
  const reply = makeReply(unique, EntryOut.size + Attributes.size);
  writeEntry(reply, OutHeader.size, attributes);
  return reply;
}

/** A name that leads nowhere, which the kernel may remember. */
export function missingEntryReply(unique: number): DataView {
  const reply = makeReply(unique, EntryOut.size + Attributes.size);
  EntryOut.entryValid_s.set(reply, OutHeader.size, validForever_s);
  return reply;
}

/** The answer to CREATE: an entry, opened. */
export function createdReply(unique: number, attributes: FileAttributes): DataView {
  const reply = makeReply(unique, EntryOut.size + Attributes.size + OpenOut.size);
  writeEntry(reply, OutHeader.size, attributes);
  OpenOut.flags.set(reply, OutHeader.size + EntryOut.size + Attributes.size, keepCache);
  return reply;
}

/** `FOPEN_KEEP_CACHE`. */
const keepCache = 1 << 1;

export function attributesReply(unique: number, attributes: FileAttributes): DataView {
  const reply = makeReply(unique, AttributesOut.size + Attributes.size);
  AttributesOut.valid_s.set(reply, OutHeader.size, validForever_s);
  writeAttributes(reply, OutHeader.size + AttributesOut.size, attributes);
  return reply;
}

export function writtenReply(unique: number, size: number): DataView {
  const reply = makeReply(unique, WriteOut.size);
  WriteOut.written.set(reply, OutHeader.size, size);
  return reply;
}

export interface DiskSpace {
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly availableBlocks: number;
  readonly blockSize: number;
}

export function statfsReply(unique: number, space: DiskSpace): DataView {
  const reply = makeReply(unique, StatfsOut.size);
  const at = OutHeader.size;
  StatfsOut.blocks.set(reply, at, space.blocks);
  StatfsOut.freeBlocks.set(reply, at, space.freeBlocks);
  StatfsOut.availableBlocks.set(reply, at, space.availableBlocks);
  StatfsOut.blockSize.set(reply, at, space.blockSize);
  StatfsOut.fragmentSize.set(reply, at, space.blockSize);
  StatfsOut.nameMax.set(reply, at, 255);
  return reply;
}

/** File type bits of a mode, and as directory entries have them. */
export const modeTypes = { mask: 0o170_000, directory: 0o040_000, file: 0o100_000 } as const;

/** A READDIR answer under construction: entries until the size asked for is full. */
export class DirectoryReply {
  readonly #reply: DataView;
  #at = OutHeader.size;

  constructor(unique: number, size: number) {
    this.#reply = makeReply(unique, size);
  }

  /** Adds an entry; `cookie` is where the next listing goes on. False when it has no room. */
  add(name: string, node: number, mode: number, cookie: number): boolean {
    const bytes = Buffer.from(name);
    const end = this.#at + Math.ceil((DirectoryEntry.size + bytes.length) / 8) * 8;
    if (end > this.#reply.byteLength) return false;
    DirectoryEntry.ino.set(this.#reply, this.#at, node);
    DirectoryEntry.offset.set(this.#reply, this.#at, cookie);
    DirectoryEntry.nameLength.set(this.#reply, this.#at, bytes.length);
    DirectoryEntry.type.set(this.#reply, this.#at, mode >>> 12);
    new Uint8Array(this.#reply.buffer).set(bytes, this.#at + DirectoryEntry.size);
    this.#at = end;
    return true;
  }

  finish(): DataView {
    OutHeader.length.set(this.#reply, 0, this.#at);
    return new DataView(this.#reply.buffer, 0, this.#at);
  }
}

/** Asks the kernel to write back and forget what it caches of a range of a file. */
export function invalidateNotice(node: number, offset: number, length: number): DataView {
  const notice = new DataView(new ArrayBuffer(OutHeader.size + InvalidateInodeOut.size));
  OutHeader.length.set(notice, 0, notice.byteLength);
  OutHeader.error.set(notice, 0, notifyInvalidateInode);
  InvalidateInodeOut.node.set(notice, OutHeader.size, node);
  InvalidateInodeOut.offset.set(notice, OutHeader.size, offset);
  InvalidateInodeOut.length.set(notice, OutHeader.size, length);
  return notice;
}

function writeEntry(view: DataView, at: number, attributes: FileAttributes): void {
  EntryOut.node.set(view, at, attributes.node);
  EntryOut.generation.set(view, at, attributes.generation);
  EntryOut.entryValid_s.set(view, at, validForever_s);
  EntryOut.attributesValid_s.set(view, at, validForever_s);
  writeAttributes(view, at + EntryOut.size, attributes);
}

function writeAttributes(view: DataView, at: number, attributes: FileAttributes): void {
  Attributes.ino.set(view, at, attributes.node);
  Attributes.fileSize.set(view, at, attributes.size);
  Attributes.blocks.set(view, at, Math.ceil(attributes.size / statBlock_bytes));
  Attributes.mode.set(view, at, attributes.mode);
  Attributes.nlink.set(view, at, attributes.links);
  Attributes.uid.set(view, at, attributes.uid);
  Attributes.gid.set(view, at, attributes.gid);
  Attributes.blockSize.set(view, at, 4_096);
  for (const [name, time_ms] of [
    ['atime', attributes.atime_ms],
    ['mtime', attributes.mtime_ms],
    ['ctime', attributes.ctime_ms],
  ] as const) {
    Attributes[`${name}_s`].set(view, at, Math.floor(time_ms / 1_000));
    Attributes[`${name}_ns`].set(view, at, Math.floor((time_ms % 1_000) * 1e6));
  }
}
