/**
 * ResourceManagers: who a WAL record belongs to, `xl_rmid` (src/include/access/rmgrlist.h), and what
 * its operations are called (src/backend/access/rmgrdesc). The managers are the same in majors 15 to
 * 18; the names are for logs, messages and tests.
 */
import { type Major } from './major.ts';

/** Identifiers of the built-in resource managers. */
export const resourceManagers = {
  xlog: 0,
  transaction: 1,
  storage: 2,
  clog: 3,
  database: 4,
  tablespace: 5,
  multixact: 6,
  relationMap: 7,
  standby: 8,
  heap2: 9,
  heap: 10,
  btree: 11,
  hash: 12,
  gin: 13,
  gist: 14,
  sequence: 15,
  spgist: 16,
  brin: 17,
  commitTs: 18,
  replicationOrigin: 19,
  generic: 20,
  logicalMessage: 21,
} as const;

const builtinMax = 21;
/** `RM_MIN_CUSTOM_ID`: from here on an identifier belongs to an extension. */
export const customManagerMin = 128;

/** `RmgrIdIsValid`. */
export function isResourceManager(id: number): boolean {
  return id <= builtinMax || id >= customManagerMin;
}

/**
 * What a record is called in listings, such as `Heap INSERT+INIT`: the manager's name and the
 * operation's, as pg_waldump prints them. `UNKNOWN (f0)` for an operation without a name, and
 * `custom 128` for the manager of an extension.
 */
export function recordName(rmgr: number, info: number, major: number): string {
  const manager = managers[rmgr];
  if (manager === undefined) return `custom ${rmgr} ${unknownOperation(info)}`;
  const operation =
    info & (rmgr === resourceManagers.transaction ? transactionMask : operationMask);
  const changed = rmgr === resourceManagers.heap2 && major >= pruneRenamed ? heap2From17 : {};
  const name = changed[operation] ?? manager.operations[operation] ?? unknownOperation(info);
  return `${manager.name} ${name}`;
}

/** The high four bits are the manager's. */
const operationMask = 0xf0;
/** `XLOG_XACT_OPMASK`: transaction records use the highest bit as a flag. */
const transactionMask = 0x70;
/** From this major on, three operations of `Heap2` are others. */
const pruneRenamed: Major = 17;

function unknownOperation(info: number): string {
  return `UNKNOWN (${(info & operationMask).toString(16)})`;
}

interface ManagerNames {
  readonly name: string;
  readonly operations: Readonly<Record<number, string>>;
}

const heap2From17: Readonly<Record<number, string>> = {
  0x10: 'PRUNE_ON_ACCESS',
  0x20: 'PRUNE_VACUUM_SCAN',
  0x30: 'PRUNE_VACUUM_CLEANUP',
};

/** By identifier. */
const managers: readonly ManagerNames[] = [
  {
    name: 'XLOG',
    operations: {
      0x00: 'CHECKPOINT_SHUTDOWN',
      0x10: 'CHECKPOINT_ONLINE',
      0x20: 'NOOP',
      0x30: 'NEXTOID',
      0x40: 'SWITCH',
      0x50: 'BACKUP_END',
      0x60: 'PARAMETER_CHANGE',
      0x70: 'RESTORE_POINT',
      0x80: 'FPW_CHANGE',
      0x90: 'END_OF_RECOVERY',
      0xa0: 'FPI_FOR_HINT',
      0xb0: 'FPI',
      0xd0: 'OVERWRITE_CONTRECORD',
      0xe0: 'CHECKPOINT_REDO',
    },
  },
  {
    name: 'Transaction',
    operations: {
      0x00: 'COMMIT',
      0x10: 'PREPARE',
      0x20: 'ABORT',
      0x30: 'COMMIT_PREPARED',
      0x40: 'ABORT_PREPARED',
      0x50: 'ASSIGNMENT',
      0x60: 'INVALIDATION',
    },
  },
  {
    name: 'Storage',
    operations: { 0x10: 'CREATE', 0x20: 'TRUNCATE' },
  },
  {
    name: 'CLOG',
    operations: { 0x00: 'ZEROPAGE', 0x10: 'TRUNCATE' },
  },
  {
    name: 'Database',
    operations: { 0x00: 'CREATE_FILE_COPY', 0x10: 'CREATE_WAL_LOG', 0x20: 'DROP' },
  },
  {
    name: 'Tablespace',
    operations: { 0x00: 'CREATE', 0x10: 'DROP' },
  },
  {
    name: 'MultiXact',
    operations: {
      0x00: 'ZERO_OFF_PAGE',
      0x10: 'ZERO_MEM_PAGE',
      0x20: 'CREATE_ID',
      0x30: 'TRUNCATE_ID',
    },
  },
  {
    name: 'RelMap',
    operations: { 0x00: 'UPDATE' },
  },
  {
    name: 'Standby',
    operations: { 0x00: 'LOCK', 0x10: 'RUNNING_XACTS', 0x20: 'INVALIDATIONS' },
  },
  {
    name: 'Heap2',
    operations: {
      0x00: 'REWRITE',
      0x10: 'PRUNE',
      0x20: 'VACUUM',
      0x30: 'FREEZE_PAGE',
      0x40: 'VISIBLE',
      0x50: 'MULTI_INSERT',
      0x60: 'LOCK_UPDATED',
      0x70: 'NEW_CID',
      0xd0: 'MULTI_INSERT+INIT',
    },
  },
  {
    name: 'Heap',
    operations: {
      0x00: 'INSERT',
      0x10: 'DELETE',
      0x20: 'UPDATE',
      0x30: 'TRUNCATE',
      0x40: 'HOT_UPDATE',
      0x50: 'HEAP_CONFIRM',
      0x60: 'LOCK',
      0x70: 'INPLACE',
      0x80: 'INSERT+INIT',
      0xa0: 'UPDATE+INIT',
      0xc0: 'HOT_UPDATE+INIT',
    },
  },
  {
    name: 'Btree',
    operations: {
      0x00: 'INSERT_LEAF',
      0x10: 'INSERT_UPPER',
      0x20: 'INSERT_META',
      0x30: 'SPLIT_L',
      0x40: 'SPLIT_R',
      0x50: 'INSERT_POST',
      0x60: 'DEDUP',
      0x70: 'DELETE',
      0x80: 'UNLINK_PAGE',
      0x90: 'UNLINK_PAGE_META',
      0xa0: 'NEWROOT',
      0xb0: 'MARK_PAGE_HALFDEAD',
      0xc0: 'VACUUM',
      0xd0: 'REUSE_PAGE',
      0xe0: 'META_CLEANUP',
    },
  },
  {
    name: 'Hash',
    operations: {
      0x00: 'INIT_META_PAGE',
      0x10: 'INIT_BITMAP_PAGE',
      0x20: 'INSERT',
      0x30: 'ADD_OVFL_PAGE',
      0x40: 'SPLIT_ALLOCATE_PAGE',
      0x50: 'SPLIT_PAGE',
      0x60: 'SPLIT_COMPLETE',
      0x70: 'MOVE_PAGE_CONTENTS',
      0x80: 'SQUEEZE_PAGE',
      0x90: 'DELETE',
      0xa0: 'SPLIT_CLEANUP',
      0xb0: 'UPDATE_META_PAGE',
      0xc0: 'VACUUM_ONE_PAGE',
    },
  },
  {
    name: 'Gin',
    operations: {
      0x10: 'CREATE_PTREE',
      0x20: 'INSERT',
      0x30: 'SPLIT',
      0x40: 'VACUUM_PAGE',
      0x50: 'DELETE_PAGE',
      0x60: 'UPDATE_META_PAGE',
      0x70: 'INSERT_LISTPAGE',
      0x80: 'DELETE_LISTPAGE',
      0x90: 'VACUUM_DATA_LEAF_PAGE',
    },
  },
  {
    name: 'Gist',
    operations: {
      0x00: 'PAGE_UPDATE',
      0x10: 'DELETE',
      0x20: 'PAGE_REUSE',
      0x30: 'PAGE_SPLIT',
      0x60: 'PAGE_DELETE',
      0x70: 'ASSIGN_LSN',
    },
  },
  {
    name: 'Sequence',
    operations: { 0x00: 'LOG' },
  },
  {
    name: 'SPGist',
    operations: {
      0x10: 'ADD_LEAF',
      0x20: 'MOVE_LEAFS',
      0x30: 'ADD_NODE',
      0x40: 'SPLIT_TUPLE',
      0x50: 'PICKSPLIT',
      0x60: 'VACUUM_LEAF',
      0x70: 'VACUUM_ROOT',
      0x80: 'VACUUM_REDIRECT',
    },
  },
  {
    name: 'BRIN',
    operations: {
      0x00: 'CREATE_INDEX',
      0x10: 'INSERT',
      0x20: 'UPDATE',
      0x30: 'SAMEPAGE_UPDATE',
      0x40: 'REVMAP_EXTEND',
      0x50: 'DESUMMARIZE',
      0x90: 'INSERT+INIT',
      0xa0: 'UPDATE+INIT',
    },
  },
  {
    name: 'CommitTs',
    operations: { 0x00: 'ZEROPAGE', 0x10: 'TRUNCATE' },
  },
  {
    name: 'ReplicationOrigin',
    operations: { 0x00: 'SET', 0x10: 'DROP' },
  },
  {
    name: 'Generic',
    operations: { 0x00: 'Generic' },
  },
  {
    name: 'LogicalMessage',
    operations: { 0x00: 'MESSAGE' },
  },
];
