/** What a timeline must find beside it before anything is read through it. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../../src/base/lsn.ts';
import {
  chunkPool,
  families,
  isWhole,
  shelve,
  unshelve,
} from '../../../src/actors/timeline/shelf.ts';
import { TimelineStore } from '../../../src/actors/timeline/store.ts';
import { LayerMap } from '../../../src/layers/layer-map.ts';
import { OpenLayer } from '../../../src/layers/open-layer.ts';
import { allocatePageCache, PageCache } from '../../../src/runtime/page-cache.ts';

interface Place {
  readonly id: string;
  readonly ingested: number;
  readonly from: readonly [string, number] | null;
}

function store({ id, ingested, from }: Place): TimelineStore {
  const open = new OpenLayer({ families, pool: chunkPool, begin: lsn(ingested + 1) });
  return new TimelineStore({
    id,
    number: 1,
    major: 18,
    map: new LayerMap({ families, ancestor: null, open, entries: [] }),
    cache: new PageCache(allocatePageCache(65_536)),
    ingestedLsn: lsn(ingested),
    ancestor: from === null ? null : { timeline: from[0], lsn: lsn(from[1]) },
  });
}

test('shelf: a timeline is whole when all it grows from has reached the branch points', () => {
  const root = store({ id: 'root', ingested: 800, from: null });
  const child = store({ id: 'child', ingested: 1_600, from: ['root', 800] });
  const grandchild = store({ id: 'grandchild', ingested: 1_600, from: ['child', 1_600] });
  shelve(1, root);
  shelve(2, child);

  equal(isWhole(root), true);
  equal(isWhole(grandchild), true);
  root.ingestedLsn = lsn(792);
  equal(isWhole(grandchild), false);
  unshelve(1, root);
  equal(isWhole(child), false);
  unshelve(2, child);
});
