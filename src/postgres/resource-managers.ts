/**
 * ResourceManagers: who a WAL record belongs to, `xl_rmid` (src/include/access/rmgrlist.h). The same
 * list in majors 15 to 18.
 */

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
