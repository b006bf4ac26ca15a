/**
 * GinVariants: which of the forms that a GIN record may have one has, in words; an op code is not
 * enough to tell.
 */
import { BlockRecord } from '../../../src/postgres/page-value.ts';
import {
  GinRecompress,
  SegmentAction,
  segmentActions,
} from '../../../src/postgres/redo/gin-leaf.ts';
import { noRightLink } from '../../../src/postgres/redo/gin-page.ts';
import { PostingList, postingListSize } from '../../../src/postgres/redo/gin-posting-list.ts';
import {
  GinInsert,
  GinInsertEntry,
  GinInsertListPage,
  GinSplit,
  GinUpdateMeta,
} from '../../../src/postgres/redo/gin.ts';
import { type RedoSample } from './oracle-replay.ts';

const tidSize = 6;
const isData = 1;
const isLeaf = 2;
const actionNames: Readonly<Record<number, string>> = {
  [segmentActions.delete]: 'delete segment',
  [segmentActions.insert]: 'insert segment',
  [segmentActions.replace]: 'replace segment',
  [segmentActions.addItems]: 'add items',
};

/** Every form of GIN's records that redo treats in a way of its own. */
export const ginVariants: readonly string[] = [
  'create posting tree',
  'entry leaf: insert',
  'entry leaf: replace',
  'entry inner: insert',
  'posting inner: insert',
  'child of entry inner: insert',
  'child of posting inner: insert',
  'posting leaf: add items',
  'posting leaf: insert segment',
  'posting leaf: replace segment',
  'posting leaf: several actions',
  'child of entry inner: split',
  'delete page: page',
  'delete page: parent',
  'delete page: left sibling',
  'metapage',
  'pending tail: tuples',
  'pending tail: link',
  'list page: last',
  'list page: not last',
  'delete list pages: metapage',
  'delete list pages: page',
  'vacuum leaf: delete segment',
  'vacuum leaf: replace segment',
  'vacuum leaf: several actions',
];

const record = new BlockRecord();

/** The variants that a redo of GIN is of. */
export function variantsOf({ value, end }: RedoSample): readonly string[] {
  record.moveTo(new DataView(value.buffer, value.byteOffset, value.byteLength), 0, end);
  switch (record.info & 0xf0) {
    case 0x10:
      return ['create posting tree'];
    case 0x20:
      return insertVariants();
    case 0x30:
      return [`child of ${treeOf(GinSplit.flags.get(record.view, record.main))} inner: split`];
    case 0x50:
      return [`delete page: ${['page', 'parent', 'left sibling'][record.blockId]!}`];
    case 0x60:
      return [record.blockId === 0 ? 'metapage' : tailVariant()];
    case 0x70: {
      const right = GinInsertListPage.rightLink.get(record.view, record.main);
      return [right === noRightLink ? 'list page: last' : 'list page: not last'];
    }
    case 0x80:
      return [`delete list pages: ${record.blockId === 0 ? 'metapage' : 'page'}`];
    case 0x90:
      return leafVariants('vacuum leaf');
    default:
      return [`unknown ${record.info}`];
  }
}

function treeOf(flags: number): string {
  return (flags & isData) === 0 ? 'entry' : 'posting';
}

function insertVariants(): readonly string[] {
  const { view, main, data } = record;
  const flags = GinInsert.flags.get(view, main);
  if (record.blockId === 1) return [`child of ${treeOf(flags)} inner: insert`];
  if ((flags & isLeaf) === 0) return [`${treeOf(flags)} inner: insert`];
  if ((flags & isData) !== 0) return leafVariants('posting leaf');
  return [`entry leaf: ${GinInsertEntry.isDelete.get(view, data) === 0 ? 'insert' : 'replace'}`];
}

function tailVariant(): string {
  const count = GinUpdateMeta.tupleCount.get(record.view, record.main);
  return count === 0 ? 'pending tail: link' : 'pending tail: tuples';
}

function leafVariants(what: string): readonly string[] {
  const { view, data } = record;
  const count = GinRecompress.actionCount.get(view, data);
  const variants = new Set<string>(count > 1 ? [`${what}: several actions`] : []);
  let at = data + GinRecompress.size;
  for (let done = 0; done < count; done += 1) {
    const kind = SegmentAction.kind.get(view, at);
    variants.add(`${what}: ${actionNames[kind] ?? kind}`);
    at += SegmentAction.size + actionSize(kind, at + SegmentAction.size);
  }
  return [...variants];
}

/** Size in bytes of what an action needs, which is at `at`. */
function actionSize(kind: number, at: number): number {
  if (kind === segmentActions.delete) return 0;
  if (kind === segmentActions.addItems) return 2 + record.view.getUint16(at, true) * tidSize;
  return postingListSize(record.view, at, at + PostingList.size + 0x1_0000);
}
