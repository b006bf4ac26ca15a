/**
 * Xid: transaction and multixact ids, which wrap around at 2^32, and full ids, which do not.
 *
 * A full id is `epoch * 2^32 + id`, exact as a number (src/include/access/transam.h).
 */
const twoPow32 = 2 ** 32;

/** `FirstNormalTransactionId`: the ids below are permanent and never compared by distance. */
const firstNormalXid = 3;
/** `FirstMultiXactId`. */
export const firstMultixact = 1;

/** `TransactionIdPrecedes`. */
export function xidPrecedes(a: number, b: number): boolean {
  if (a < firstNormalXid || b < firstNormalXid) return a < b;
  return ((a - b) | 0) < 0;
}

/** `MultiXactIdPrecedes`, also used for member offsets. */
export function multixactPrecedes(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function xidOf(fullXid: number): number {
  return fullXid >>> 0;
}

export function epochOf(fullXid: number): number {
  return Math.floor(fullXid / twoPow32);
}

/** The full id of `xid`, which was given out before `nextFullXid` (`AdjustToFullTransactionId`). */
export function fullXidBefore(xid: number, nextFullXid: number): number {
  const epoch = epochOf(nextFullXid);
  const sameEpoch = xid <= xidOf(nextFullXid);
  return (sameEpoch || epoch === 0 ? epoch : epoch - 1) * twoPow32 + xid;
}

/**
 * The next full id once `xid` has been seen (`AdvanceNextFullTransactionIdPastXid`): unchanged when
 * `xid` precedes it.
 */
export function nextFullXidPast(xid: number, nextFullXid: number): number {
  if (xid < firstNormalXid) return nextFullXid;
  const distance = (xid - xidOf(nextFullXid)) | 0;
  if (distance < 0) return nextFullXid;
  return skipPermanent(nextFullXid + distance + 1);
}

/** After a wraparound counting goes on at the first normal id. */
function skipPermanent(fullXid: number): number {
  return xidOf(fullXid) < firstNormalXid ? epochOf(fullXid) * twoPow32 + firstNormalXid : fullXid;
}
