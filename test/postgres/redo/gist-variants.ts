/**
 * GistVariants: which of the forms that a GiST record may have one has, in words; an op code is not
 * enough to tell.
 */
import { BlockRecord } from '../../../src/postgres/page-value.ts';
import { gistRootBlock, isGistLeaf } from '../../../src/postgres/redo/gist-page.ts';
import { GistPageSplit, GistPageUpdate } from '../../../src/postgres/redo/gist.ts';
import { type RedoSample } from './oracle-replay.ts';

/** Every form of GiST's records that redo treats in a way of its own. */
export const gistVariants: readonly string[] = [
  'leaf: insert',
  'inner: insert and delete 1 for 1',
  'inner: insert and delete many for 1',
  'leaf: delete',
  'left half: downlink inserted',
  'left half: parent split',
  'leaf: delete dead tuples',
  'split: root',
  'split: leaf below root, not last',
  'split: leaf below root, last',
  'split: inner below root, not last',
  'split: inner below root, last',
  'split: leaf, not last',
  'split: leaf, last',
  'split: inner, not last',
  'split: inner, last',
  'delete page: page',
  'delete page: parent',
];

const record = new BlockRecord();

/** The variant that a redo of GiST is of. */
export function gistVariant({ value, end, after }: RedoSample): string {
  record.moveTo(new DataView(value.buffer, value.byteOffset, value.byteLength), 0, end);
  const page = new DataView(after.buffer, after.byteOffset);
  switch (record.info & 0xf0) {
    case 0x00:
      return record.blockId === 0 ? updateVariant(page) : 'left half: downlink inserted';
    case 0x10:
      return 'leaf: delete dead tuples';
    case 0x30:
      return record.blockId === 0 ? 'left half: parent split' : splitVariant();
    case 0x60:
      return record.blockId === 0 ? 'delete page: page' : 'delete page: parent';
    default:
      return `unknown ${record.info}`;
  }
}

function updateVariant(page: DataView): string {
  const deleted = GistPageUpdate.deletedCount.get(record.view, record.main);
  const inserted = GistPageUpdate.insertedCount.get(record.view, record.main);
  const level = isGistLeaf(page) ? 'leaf' : 'inner';
  if (deleted === 0) return `${level}: insert`;
  if (inserted === 0) return `${level}: delete`;
  return `${level}: insert and delete ${inserted === 1 ? '1' : 'many'} for ${deleted}`;
}

function splitVariant(): string {
  const { view, main, blockId } = record;
  if (record.blockNumber(blockId) === gistRootBlock) return 'split: root';
  const level = GistPageSplit.isLeaf.get(view, main) === 0 ? 'inner' : 'leaf';
  const where = record.blockNumber(1) === gistRootBlock ? ' below root' : '';
  const isLast = blockId === GistPageSplit.pageCount.get(view, main);
  return `split: ${level}${where}, ${isLast ? 'last' : 'not last'}`;
}
