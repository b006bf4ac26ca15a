/**
 * Names: answers every kernel request that is not a read or a write, one function per operation.
 *
 * Pure in its way: a request's bytes in, a reply's bytes out, the inodes changed. Postgres makes files
 * and directories, renames and removes them; it never links, and its symbolic links lie elsewhere.
 */
import { statfsSync } from 'node:fs';
import { Failure } from '../../base/failure.ts';
import {
  BatchForgetIn,
  CreateIn,
  FallocateIn,
  fallocateKeepSize,
  ForgetIn,
  ForgetOne,
  InHeader,
  MkdirIn,
  MknodIn,
  operations,
  ReadIn,
  Rename2In,
  RenameIn,
  renameNoReplace,
  SetattrIn,
  setattrFlags,
} from '../../io/fuse/protocol.ts';
import {
  attributesReply,
  createdReply,
  DirectoryReply,
  entryReply,
  errnoOf,
  errnos,
  errorReply,
  missingEntryReply,
  modeTypes,
  statfsReply,
} from '../../io/fuse/replies.ts';
import { type Inode, type Inodes } from './inodes.ts';
import { block_bytes, counters, fileMax_bytes, type SharedState } from './shared-state.ts';

export interface Names {
  readonly inodes: Inodes;
  readonly state: SharedState;
  readonly scratchDirectory: string;
}

/** A request with its header read. */
interface Request {
  readonly unique: number;
  readonly inode: Inode | null;
  readonly view: DataView;
  /** Where the operation's own struct begins. */
  readonly body: number;
}

type Operation = (names: Names, request: Request, inode: Inode) => DataView;

/** Operations on an inode that must exist. What is missing here is answered with ENOSYS. */
const operationTable: Readonly<Record<number, Operation>> = {
  [operations.lookup]: onLookup,
  [operations.getattr]: onGetattr,
  [operations.setattr]: onSetattr,
  [operations.mknod]: (names, request, parent) =>
    onMake(names, request, { parent, at: MknodIn.size, mode: MknodIn.mode.get }),
  [operations.mkdir]: onMkdir,
  [operations.create]: onCreate,
  [operations.unlink]: onUnlink,
  [operations.rmdir]: onRmdir,
  [operations.rename]: (names, request, inode) =>
    onRename(names, request, { inode, at: RenameIn.size, flags: 0 }),
  [operations.rename2]: (names, request, inode) => {
    const flags = Rename2In.flags.get(request.view, request.body);
    return onRename(names, request, { inode, at: Rename2In.size, flags });
  },
  [operations.readdir]: onReaddir,
  [operations.statfs]: onStatfs,
  [operations.fallocate]: onFallocate,
  // Without open files to keep, opening is nothing; Postgres's own links lie outside the mount.
  [operations.symlink]: (_, { unique }) => errorReply(unique, errnos.EPERM),
  [operations.link]: (_, { unique }) => errorReply(unique, errnos.EPERM),
};

/** The reply to a request, or null when it gets none. */
export function answerRequest(names: Names, bytes: Uint8Array): DataView | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const operation = InHeader.operation.get(view, 0);
  const unique = InHeader.unique.get(view, 0);
  const inode = names.inodes.get(InHeader.node.get(view, 0));
  const request: Request = { unique, inode, view, body: InHeader.size };
  if (operation === operations.forget) return onForget(names, request);
  if (operation === operations.batchForget) return onBatchForget(names, request);
  const answer = operationTable[operation];
  if (answer === undefined) return errorReply(unique, errnos.ENOSYS);
  if (inode === null) return errorReply(unique, errnos.ENOENT);
  try {
    return answer(names, request, inode);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return errorReply(unique, errnoOf(error)); // the disk below is full, or has failed
  }
}

function onLookup(_names: Names, request: Request, parent: Inode): DataView {
  if (parent.children === null) return errorReply(request.unique, errnos.ENOTDIR);
  const child = parent.children.get(nameAt(request, request.body));
  if (child === undefined) return missingEntryReply(request.unique);
  return entered(_names, request, child.inode);
}

function onForget({ inodes }: Names, { view, body }: Request): null {
  inodes.forget(InHeader.node.get(view, 0), ForgetIn.lookups.get(view, body));
  return null;
}

function onBatchForget({ inodes }: Names, { view, body }: Request): null {
  const count = BatchForgetIn.count.get(view, body);
  for (let i = 0; i < count; i += 1) {
    const at = body + BatchForgetIn.size + i * ForgetOne.size;
    inodes.forget(ForgetOne.node.get(view, at), ForgetOne.lookups.get(view, at));
  }
  return null;
}

function onGetattr({ inodes }: Names, { unique }: Request, inode: Inode): DataView {
  return attributesReply(unique, inodes.attributes(inode));
}

function onSetattr({ inodes }: Names, { unique, view, body }: Request, inode: Inode): DataView {
  const valid = SetattrIn.valid.get(view, body);
  if ((valid & setattrFlags.size) !== 0) {
    const size = SetattrIn.fileSize.get(view, body);
    if (inode.children !== null) return errorReply(unique, errnos.EISDIR);
    if (inode.blockFile !== null && size > fileMax_bytes) return errorReply(unique, errnos.EFBIG);
    // Half a block's old bytes would have to be cleared; Postgres truncates by blocks.
    if (inode.blockFile !== null && size % block_bytes !== 0 && size < inodes.size(inode))
      return errorReply(unique, errnos.EINVAL);
    inodes.resize(inode, size);
    inodes.touch(inode);
  }
  if ((valid & setattrFlags.mode) !== 0)
    inode.mode =
      (inode.mode & modeTypes.mask) | (SetattrIn.mode.get(view, body) & ~modeTypes.mask & 0o7777);
  if ((valid & setattrFlags.uid) !== 0) inode.uid = SetattrIn.uid.get(view, body);
  if ((valid & setattrFlags.gid) !== 0) inode.gid = SetattrIn.gid.get(view, body);
  setTimes(inodes, { valid, view, body }, inode);
  return attributesReply(unique, inodes.attributes(inode));
}

interface TimesRequest {
  readonly valid: number;
  readonly view: DataView;
  readonly body: number;
}

function setTimes(inodes: Inodes, { valid, view, body }: TimesRequest, inode: Inode): void {
  if ((valid & (setattrFlags.atimeNow | setattrFlags.mtimeNow)) !== 0) {
    inodes.touch(inode);
    return;
  }
  if ((valid & setattrFlags.atime) !== 0)
    inode.atime_ms =
      SetattrIn.atime_s.get(view, body) * 1_000 + SetattrIn.atime_ns.get(view, body) / 1e6;
  if ((valid & setattrFlags.mtime) !== 0)
    inode.mtime_ms =
      SetattrIn.mtime_s.get(view, body) * 1_000 + SetattrIn.mtime_ns.get(view, body) / 1e6;
  if ((valid & setattrFlags.ctime) !== 0)
    inode.ctime_ms =
      SetattrIn.ctime_s.get(view, body) * 1_000 + SetattrIn.ctime_ns.get(view, body) / 1e6;
}

interface Make {
  readonly parent: Inode;
  /** Size of the struct before the name. */
  readonly at: number;
  readonly mode: (view: DataView, at: number) => number;
}

function onMake(names: Names, request: Request, { parent, at, mode }: Make): DataView {
  const made = makeFile(names, request, { parent, at, mode });
  return typeof made === 'number'
    ? errorReply(request.unique, made)
    : entered(names, request, made);
}

function onCreate(names: Names, request: Request, parent: Inode): DataView {
  const made = makeFile(names, request, { parent, at: CreateIn.size, mode: CreateIn.mode.get });
  if (typeof made === 'number') return errorReply(request.unique, made);
  made.lookups += 1;
  return createdReply(request.unique, names.inodes.attributes(made));
}

/** The file made, or an errno. */
function makeFile(
  names: Names,
  request: Request,
  { parent, at, mode }: Make,
): Inode | typeof errnos.ENOTDIR | typeof errnos.EEXIST | typeof errnos.EPERM {
  const name = nameAt(request, request.body + at);
  const bits = mode(request.view, request.body);
  const type = bits & modeTypes.mask;
  if (type !== 0 && type !== modeTypes.file) return errnos.EPERM;
  if (parent.children === null) return errnos.ENOTDIR;
  if (parent.children.has(name)) return errnos.EEXIST;
  return names.inodes.makeFile(parent, name, bits);
}

function onMkdir(names: Names, request: Request, parent: Inode): DataView {
  const name = nameAt(request, request.body + MkdirIn.size);
  if (parent.children === null) return errorReply(request.unique, errnos.ENOTDIR);
  if (parent.children.has(name)) return errorReply(request.unique, errnos.EEXIST);
  const mode = MkdirIn.mode.get(request.view, request.body);
  return entered(names, request, names.inodes.makeDirectory(parent, name, mode));
}

function onUnlink({ inodes }: Names, request: Request, parent: Inode): DataView {
  const name = nameAt(request, request.body);
  const child = parent.children?.get(name);
  if (child === undefined) return errorReply(request.unique, errnos.ENOENT);
  if (child.inode.children !== null) return errorReply(request.unique, errnos.EISDIR);
  inodes.unlink(parent, name);
  return errorReply(request.unique, errnos.none);
}

function onRmdir({ inodes }: Names, request: Request, parent: Inode): DataView {
  const name = nameAt(request, request.body);
  const child = parent.children?.get(name);
  if (child === undefined) return errorReply(request.unique, errnos.ENOENT);
  if (child.inode.children === null) return errorReply(request.unique, errnos.ENOTDIR);
  if (child.inode.children.size > 0) return errorReply(request.unique, errnos.ENOTEMPTY);
  inodes.unlink(parent, name);
  return errorReply(request.unique, errnos.none);
}

interface Rename {
  readonly inode: Inode;
  /** Size of the struct before the two names. */
  readonly at: number;
  readonly flags: number;
}

/** Files only: Postgres renames no directory of those that are mounted. */
function onRename(names: Names, request: Request, { inode: from, at, flags }: Rename): DataView {
  const { inodes } = names;
  const oldName = nameAt(request, request.body + at);
  const newName = nameAt(request, request.body + at + Buffer.byteLength(oldName) + 1);
  const to = inodes.get(RenameIn.newDirectory.get(request.view, request.body));
  const moved = from.children?.get(oldName)?.inode;
  if (moved === undefined || to?.children == null) return errorReply(request.unique, errnos.ENOENT);
  if (moved.children !== null || (flags & ~renameNoReplace) !== 0)
    return errorReply(request.unique, errnos.EINVAL);
  const replaced = to.children.get(newName)?.inode;
  if (replaced === moved) return errorReply(request.unique, errnos.none);
  if (replaced?.children != null) return errorReply(request.unique, errnos.EISDIR);
  if (replaced !== undefined && flags !== 0) return errorReply(request.unique, errnos.EEXIST);
  if (replaced !== undefined) inodes.unlink(to, newName);
  moved.lookups += 1; // without a name for a moment, it must not be collected
  inodes.unlink(from, oldName);
  inodes.link(to, newName, moved);
  moved.lookups -= 1;
  moved.renamed = true;
  return errorReply(request.unique, errnos.none);
}

/** `.` and `..` have the cookies 1 and 2, and children those of their making plus 2. */
function onReaddir({ inodes }: Names, request: Request, directory: Inode): DataView {
  const { unique, view, body } = request;
  if (directory.children === null) return errorReply(unique, errnos.ENOTDIR);
  const after = ReadIn.offset.get(view, body);
  const reply = new DirectoryReply(unique, ReadIn.count.get(view, body));
  const parent = directory.parent ?? inodes.root;
  if (after < 1 && !reply.add('.', directory.number, directory.mode, 1)) return reply.finish();
  if (after < 2 && !reply.add('..', parent.number, parent.mode, 2)) return reply.finish();
  for (const [name, { inode, cookie }] of directory.children) {
    if (cookie + 2 <= after) continue;
    if (!reply.add(name, inode.number, inode.mode, cookie + 2)) break;
  }
  return reply.finish();
}

/** The disk the upper layer lies on. */
function onStatfs({ scratchDirectory }: Names, { unique }: Request): DataView {
  const { blocks, bfree, bavail, bsize } = statfsSync(scratchDirectory);
  const space = { blocks, freeBlocks: bfree, availableBlocks: bavail, blockSize: bsize };
  return statfsReply(unique, space);
}

/** Extending takes no space, but is refused when there would be none for what follows. */
function onFallocate(
  { inodes, state }: Names,
  { unique, view, body }: Request,
  inode: Inode,
): DataView {
  const mode = FallocateIn.mode.get(view, body);
  if ((mode & ~fallocateKeepSize) !== 0) return errorReply(unique, errnos.EOPNOTSUPP);
  const end = FallocateIn.offset.get(view, body) + FallocateIn.length.get(view, body);
  const size = inodes.size(inode);
  if (mode === fallocateKeepSize || end <= size) return errorReply(unique, errnos.none);
  if (inode.blockFile !== null && end > fileMax_bytes) return errorReply(unique, errnos.EFBIG);
  if (inode.blockFile === null) inodes.resize(inode, end);
  else if (end - size > freeSpace_bytes(state)) return errorReply(unique, errnos.ENOSPC);
  else state.growFile(inode.number, end);
  return errorReply(unique, errnos.none);
}

function freeSpace_bytes(state: SharedState): number {
  return (state.handle.sizes.slotsMax - state.count(counters.slotsUsed)) * block_bytes;
}

/** The reply that tells the kernel of an inode, which it refers to from now on. */
function entered({ inodes }: Names, { unique }: Request, inode: Inode): DataView {
  inode.lookups += 1;
  return entryReply(unique, inodes.attributes(inode));
}

/** The name that begins at `at` and ends with a NUL. */
function nameAt({ view }: Request, at: number): string {
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return bytes.toString('utf8', at, bytes.indexOf(0, at));
}
