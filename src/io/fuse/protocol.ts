/**
 * The FUSE kernel protocol, version 7: operation codes, flags and layouts of include/uapi/linux/fuse.h.
 *
 * Every request begins with `InHeader`, every reply with `OutHeader`. Only what Postgres and ordinary
 * tools make the kernel send is declared here.
 */
import { i32, padding, struct, u16, u32, u64 } from '../../base/struct.ts';

export const protocolMajor = 7;
export const protocolMinor = 38;
/** The kernel refuses to hand out requests into a smaller buffer. */
export const requestMin_bytes = 8_192;

/** `enum fuse_opcode`. */
export const operations = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  symlink: 6,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  rename2: 45,
} as const;

/** Bits of `InitIn.flags` and `InitOut.flags` that are used. */
export const initFlags = {
  asyncRead: 1 << 0,
  bigWrites: 1 << 5,
  writebackCache: 1 << 16,
  parallelDirectoryOperations: 1 << 18,
  maxPages: 1 << 22,
  explicitInvalidation: 1 << 25,
} as const;

/** Bits of `SetattrIn.valid`. */
export const setattrFlags = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
  ctime: 1 << 10,
} as const;

/** `WriteIn.writeFlags`: a delayed write from the page cache: nobody waits for its answer. */
export const writeFromCache = 1;
/** `Rename2In.flags`: fail when the target exists. */
export const renameNoReplace = 1;
/** `FallocateIn.mode`: reserve only. */
export const fallocateKeepSize = 1;
/** `enum fuse_notify_code`, sent as the `error` of a reply to nobody. */
export const notifyInvalidateInode = 2;

/** `fuse_in_header`. */
export const InHeader = struct(
  {
    length: u32,
    operation: u32,
    unique: u64,
    node: u64,
    uid: u32,
    gid: u32,
    pid: u32,
    extensionLength: u16,
    padding: u16,
  },
  { size: 40 },
);

/** `fuse_out_header`; `error` is 0 or a negative errno. */
export const OutHeader = struct({ length: u32, error: i32, unique: u64 }, { size: 16 });

/** `fuse_init_in`, without what version 7.36 appended. */
export const InitIn = struct(
  { major: u32, minor: u32, maxReadahead: u32, flags: u32 },
  { size: 16 },
);

/** `fuse_init_out`. */
export const InitOut = struct(
  {
    major: u32,
    minor: u32,
    maxReadahead: u32,
    flags: u32,
    maxBackground: u16,
    congestionThreshold: u16,
    maxWrite: u32,
    timeGranularity_ns: u32,
    maxPages: u16,
    mapAlignment: u16,
    flags2: u32,
    unused: padding(28),
  },
  { size: 64 },
);

/** `fuse_attr`. */
export const Attributes = struct(
  {
    ino: u64,
    fileSize: u64,
    blocks: u64,
    atime_s: u64,
    mtime_s: u64,
    ctime_s: u64,
    atime_ns: u32,
    mtime_ns: u32,
    ctime_ns: u32,
    mode: u32,
    nlink: u32,
    uid: u32,
    gid: u32,
    rdev: u32,
    blockSize: u32,
    flags: u32,
  },
  { size: 88 },
);

/** `fuse_entry_out`, without the attributes that follow it. */
export const EntryOut = struct(
  {
    node: u64,
    generation: u64,
    entryValid_s: u64,
    attributesValid_s: u64,
    entryValid_ns: u32,
    attributesValid_ns: u32,
  },
  { size: 40 },
);

/** `fuse_attr_out`, without the attributes that follow it. */
export const AttributesOut = struct({ valid_s: u64, valid_ns: u32, padding: u32 }, { size: 16 });

/** `fuse_open_out`. */
export const OpenOut = struct({ handle: u64, flags: u32, padding: u32 }, { size: 16 });

/** `fuse_setattr_in`. */
export const SetattrIn = struct(
  {
    valid: u32,
    padding: u32,
    handle: u64,
    fileSize: u64,
    lockOwner: u64,
    atime_s: u64,
    mtime_s: u64,
    ctime_s: u64,
    atime_ns: u32,
    mtime_ns: u32,
    ctime_ns: u32,
    mode: u32,
    unused4: u32,
    uid: u32,
    gid: u32,
    unused5: u32,
  },
  { size: 88 },
);

/** `fuse_read_in`. */
export const ReadIn = struct(
  {
    handle: u64,
    offset: u64,
    count: u32,
    readFlags: u32,
    lockOwner: u64,
    flags: u32,
    padding: u32,
  },
  { size: 40 },
);
/** `fuse_write_in`; the bytes follow. */
export const WriteIn = struct(
  {
    handle: u64,
    offset: u64,
    count: u32,
    writeFlags: u32,
    lockOwner: u64,
    flags: u32,
    padding: u32,
  },
  { size: 40 },
);
/** `fuse_write_out`. */
export const WriteOut = struct({ written: u32, padding: u32 }, { size: 8 });

/** `fuse_mknod_in`; the name follows. */
export const MknodIn = struct({ mode: u32, rdev: u32, umask: u32, padding: u32 }, { size: 16 });
/** `fuse_mkdir_in`; the name follows. */
export const MkdirIn = struct({ mode: u32, umask: u32 }, { size: 8 });
/** `fuse_create_in`; the name follows. */
export const CreateIn = struct({ flags: u32, mode: u32, umask: u32, openFlags: u32 }, { size: 16 });
/** `fuse_rename_in`; two names follow. */
export const RenameIn = struct({ newDirectory: u64 }, { size: 8 });
/** `fuse_rename2_in`; two names follow. */
export const Rename2In = struct({ newDirectory: u64, flags: u32, padding: u32 }, { size: 16 });
/** `fuse_forget_in`. */
export const ForgetIn = struct({ lookups: u64 }, { size: 8 });
/** `fuse_batch_forget_in`; `count` of `ForgetOne` follow. */
export const BatchForgetIn = struct({ count: u32, padding: u32 }, { size: 8 });
/** `fuse_forget_one`. */
export const ForgetOne = struct({ node: u64, lookups: u64 }, { size: 16 });
/** `fuse_fallocate_in`. */
export const FallocateIn = struct(
  { handle: u64, offset: u64, length: u64, mode: u32, padding: u32 },
  { size: 32 },
);

/** `fuse_dirent`; the name follows, padded to 8 bytes. */
export const DirectoryEntry = struct(
  { ino: u64, offset: u64, nameLength: u32, type: u32 },
  { size: 24 },
);

/** `fuse_kstatfs`. */
export const StatfsOut = struct(
  {
    blocks: u64,
    freeBlocks: u64,
    availableBlocks: u64,
    files: u64,
    freeFiles: u64,
    blockSize: u32,
    nameMax: u32,
    fragmentSize: u32,
    padding: u32,
    spare: padding(24),
  },
  { size: 80 },
);

/** `fuse_notify_inval_inode_out`. */
export const InvalidateInodeOut = struct({ node: u64, offset: u64, length: u64 }, { size: 24 });
