/**
 * SpgistVariants: which of the forms that an SP-GiST record may have one has, in words; an op code is
 * not enough to tell. A record may be of several.
 */
import { slotCount } from '../../../src/postgres/page-items.ts';
import { BlockRecord } from '../../../src/postgres/page-value.ts';
import { SpgistPickSplit } from '../../../src/postgres/redo/spgist-picksplit.ts';
import {
  SpgistVacuumLeaf,
  SpgistVacuumRedirect,
} from '../../../src/postgres/redo/spgist-vacuum.ts';
import {
  SpgistAddLeaf,
  SpgistAddNode,
  SpgistMoveLeafs,
  SpgistSplitTuple,
} from '../../../src/postgres/redo/spgist.ts';
import { type RedoSample } from './oracle-replay.ts';

/**
 * The forms of SP-GiST's records that redo treats in a way of its own. Three are missing, which no
 * workload gets to (spgist.test.ts has them): a parent would have to be where its child moves to, and
 * VACUUM to have left a placeholder just there; and a nulls tree gives its nodes their pages at once.
 */
export const spgistVariants: readonly string[] = [
  'add leaf: new page',
  'add leaf: behind head',
  'add leaf: no head',
  'add leaf: for dead head',
  'add leaf: for placeholder',
  'add leaf: parent',
  'move leafs: source',
  'move leafs: new target',
  'move leafs: old target',
  'move leafs: for placeholder',
  'move leafs: dead head stays behind',
  'move leafs: parent',
  'add node: in place',
  'add node: moved away',
  'add node: moved away from parent',
  'add node: moved to new page',
  'add node: moved to old page',
  'add node: parent elsewhere',
  'split tuple: same page',
  'split tuple: prefix only',
  'split tuple: postfix on new page',
  'split tuple: postfix on old page',
  'pick split: old source',
  'pick split: new source',
  'pick split: old target',
  'pick split: new target',
  'pick split: root',
  'pick split: inner on new page',
  'pick split: inner on old page',
  'pick split: inner on parent',
  'pick split: nulls',
  'pick split: parent',
  'vacuum leaf: dead',
  'vacuum leaf: placeholders',
  'vacuum leaf: moves',
  'vacuum leaf: chains',
  'vacuum root',
  'vacuum redirect: redirects',
  'vacuum redirect: placeholders dropped',
];

const record = new BlockRecord();
let sample: RedoSample;

/** The variants that a redo of SP-GiST is of. */
export function spgistVariantsOf(redone: RedoSample): readonly string[] {
  sample = redone;
  const { value, end } = redone;
  record.moveTo(new DataView(value.buffer, value.byteOffset, value.byteLength), 0, end);
  switch (record.info & 0xf0) {
    case 0x10:
      return record.blockId === 0 ? addLeaf() : ['add leaf: parent'];
    case 0x20:
      return moveLeafs();
    case 0x30:
      return addNode();
    case 0x40:
      return splitTuple();
    case 0x50:
      return pickSplit();
    case 0x60:
      return vacuumLeaf();
    case 0x70:
      return ['vacuum root'];
    case 0x80:
      return vacuumRedirect();
    default:
      return [`unknown ${record.info}`];
  }
}

/** Those of a list of pairs whose condition holds. */
function holding(...pairs: readonly (readonly [string, boolean])[]): readonly string[] {
  return pairs.filter(([, holds]) => holds).map(([name]) => name);
}

/** Whether the page had the slot before. */
function had(slot: number): boolean {
  return slot <= slotCount(new DataView(sample.before.buffer, sample.before.byteOffset));
}

function addLeaf(): readonly string[] {
  const { view, main } = record;
  const isNew = SpgistAddLeaf.newPage.get(view, main) !== 0;
  const storesNulls = SpgistAddLeaf.storesNulls.get(view, main) !== 0;
  const slot = SpgistAddLeaf.leafSlot.get(view, main);
  const head = SpgistAddLeaf.headSlot.get(view, main);
  return holding(
    ['add leaf: new page', isNew && !storesNulls],
    ['add leaf: new page of nulls', isNew && storesNulls],
    ['add leaf: no head', !isNew && head === 0],
    ['add leaf: behind head', head !== 0 && head !== slot],
    ['add leaf: for dead head', head === slot],
    ['add leaf: for placeholder', head !== slot && !isNew && had(slot)],
  );
}

function moveLeafs(): readonly string[] {
  const { view, main } = record;
  if (record.blockId === 2) return ['move leafs: parent'];
  const replacesDead = SpgistMoveLeafs.replaceDead.get(view, main) !== 0;
  const isNew = SpgistMoveLeafs.newPage.get(view, main) !== 0;
  const moves = SpgistMoveLeafs.moveCount.get(view, main);
  const inserted = main + SpgistMoveLeafs.size + moves * 2;
  if (record.blockId === 0)
    return [replacesDead ? 'move leafs: dead head stays behind' : 'move leafs: source'];
  return holding(
    ['move leafs: new target', isNew],
    ['move leafs: old target', !isNew],
    ['move leafs: for placeholder', !isNew && had(view.getUint16(inserted, true))],
  );
}

function addNode(): readonly string[] {
  const { view, main } = record;
  if (record.blockId === 2) return ['add node: parent elsewhere'];
  if (!record.hasBlock(1)) return ['add node: in place'];
  const isParent = SpgistAddNode.parentBlock.get(view, main) === record.blockId;
  if (record.blockId === 0) return [`add node: moved away${isParent ? ' from parent' : ''}`];
  const isNew = SpgistAddNode.newPage.get(view, main) !== 0;
  return holding(
    ['add node: moved to new page', isNew],
    ['add node: moved to old page', !isNew],
    ['add node: moved to parent', isParent],
    ['add node: for placeholder', !isNew && had(SpgistAddNode.newSlot.get(view, main))],
  );
}

function splitTuple(): readonly string[] {
  const { view, main } = record;
  const isSame = SpgistSplitTuple.samePage.get(view, main) !== 0;
  if (record.blockId === 0) return [`split tuple: ${isSame ? 'same page' : 'prefix only'}`];
  const isNew = SpgistSplitTuple.newPage.get(view, main) !== 0;
  return [`split tuple: postfix on ${isNew ? 'new' : 'old'} page`];
}

function pickSplit(): readonly string[] {
  const { view, main } = record;
  const nulls = SpgistPickSplit.storesNulls.get(view, main) !== 0 ? ['pick split: nulls'] : [];
  const isNewSource = SpgistPickSplit.initSource.get(view, main) !== 0;
  const isNewTarget = SpgistPickSplit.initTarget.get(view, main) !== 0;
  if (record.blockId === 0) return [...nulls, `pick split: ${isNewSource ? 'new' : 'old'} source`];
  if (record.blockId === 1) return [...nulls, `pick split: ${isNewTarget ? 'new' : 'old'} target`];
  if (record.blockId === 3) return ['pick split: parent'];
  const isRoot = SpgistPickSplit.isRootSplit.get(view, main) !== 0;
  const isNew = SpgistPickSplit.initInner.get(view, main) !== 0;
  return holding(
    ['pick split: root', isRoot],
    ['pick split: inner on new page', !isRoot && isNew],
    ['pick split: inner on old page', !isRoot && !isNew],
    ['pick split: inner on parent', SpgistPickSplit.innerIsParent.get(view, main) !== 0],
  );
}

function vacuumLeaf(): readonly string[] {
  const { view, main } = record;
  return holding(
    ['vacuum leaf: dead', SpgistVacuumLeaf.deadCount.get(view, main) > 0],
    ['vacuum leaf: placeholders', SpgistVacuumLeaf.placeholderCount.get(view, main) > 0],
    ['vacuum leaf: moves', SpgistVacuumLeaf.moveCount.get(view, main) > 0],
    ['vacuum leaf: chains', SpgistVacuumLeaf.chainCount.get(view, main) > 0],
  );
}

function vacuumRedirect(): readonly string[] {
  const { view, main } = record;
  const drops = SpgistVacuumRedirect.firstPlaceholder.get(view, main) !== 0;
  return holding(
    ['vacuum redirect: redirects', SpgistVacuumRedirect.redirectCount.get(view, main) > 0],
    ['vacuum redirect: placeholders dropped', drops],
  );
}
