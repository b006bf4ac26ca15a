/**
 * XidList: a transaction's xid and those of its subtransactions, read in place from a record.
 */
export class XidList {
  #xid = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #children = 0;
  #count = 0;

  /** `childCount` xids of subtransactions stand at `children` in `view`. */
  set(xid: number, view: DataView, children: number, childCount: number): this {
    this.#xid = xid;
    this.#view = view;
    this.#children = children;
    this.#count = childCount + 1;
    return this;
  }

  /** At least one: the transaction itself is the first. */
  get count(): number {
    return this.#count;
  }

  at(index: number): number {
    if (index === 0) return this.#xid;
    return this.#view.getUint32(this.#children + (index - 1) * 4, true);
  }
}

/** One past the last of the xids from `first` on that stand on one page, `xidsPerPage` each. */
export function runEnd(xids: XidList, first: number, xidsPerPage: number): number {
  const page = Math.floor(xids.at(first) / xidsPerPage);
  let end = first + 1;
  while (end < xids.count && Math.floor(xids.at(end) / xidsPerPage) === page) end += 1;
  return end;
}
