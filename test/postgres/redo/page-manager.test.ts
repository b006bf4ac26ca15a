/** Which resource manager a page belongs to, where two could be meant. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { u32 } from '../../../src/base/struct.ts';
import { initPage } from '../../../src/postgres/page.ts';
import { addItem, placement } from '../../../src/postgres/page-items.ts';
import { GinOpaque, ginOpaqueAt, initGinPage } from '../../../src/postgres/redo/gin-page.ts';
import { pageManager } from '../../../src/postgres/redo/page-manager.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { zeroPage } from './values.ts';

const sequenceMagic = 0x1717;
const specialSize = 8;

test('page manager: a GIN page whose right link is the magic of sequences is no sequence', () => {
  const page = zeroPage().view;
  initGinPage(page, 0);
  GinOpaque.rightLink.set(page, ginOpaqueAt, sequenceMagic);
  for (const slot of [1, 2]) addItem(page, slot, new Uint8Array(16), placement.shuffle);

  equal(pageManager(page), resourceManagers.gin);
});

test('page manager: a page with that magic, one tuple and nothing else is a sequence', () => {
  const page = zeroPage().view;
  initPage(page, specialSize);
  u32.write(page, ginOpaqueAt, sequenceMagic);
  addItem(page, 1, new Uint8Array(48), placement.shuffle);

  equal(pageManager(page), resourceManagers.sequence);
});
