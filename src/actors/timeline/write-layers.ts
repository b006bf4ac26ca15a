/**
 * WriteLayers: makes files of frozen layers, oldest first: a delta with every version, and images of
 * the blocks it rewrote heavily (image-plan.ts), so that reading those needs no redo.
 *
 * The delta is listed before its images are begun: it alone makes the WAL behind it dispensable. An
 * image only spares work; one that cannot be made is done without.
 */
import { AssertionFailed } from '../../base/assert.ts';
import { ensure } from '../../base/failure.ts';
import { keyBlock, keyFamily, keyKinds, makeKey, type KeyFamily } from '../../base/key.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { type LayerSummary } from '../../layers/delta-writer.ts';
import { planImages, type PageStretch } from '../../layers/image-plan.ts';
import { ImageWriter } from '../../layers/image-writer.ts';
import { boundAfter, keyBound, type KeyRange } from '../../layers/key-range.ts';
import { type DeltaEntry } from '../../layers/layer-map.ts';
import { pageSize } from '../../postgres/page.ts';
import { relationForks } from '../../postgres/relation-path.ts';
import { generation, type TimelineDisk } from './disk.ts';
import { families, isWhole } from './shelf.ts';
import { type TimelineStore } from './store.ts';

export interface LayerParts {
  readonly disk: TimelineDisk;
  readonly store: TimelineStore;
  /** Stretches of fewer blocks get no image. */
  readonly imagePagesMin: number;
  readonly onImagesFailed: (error: unknown) => void;
}

/** A block with less than this in a layer is soon rebuilt. */
const valuesMin_bytes = pageSize / 4;
/** Rebuilt in one go, well within 2 ms: reads and ingest have their turn in between. */
const pagesPerSlice = 16;

/** Writes every frozen layer; each is in the manifest before the next is begun. */
export async function writeFrozen(parts: LayerParts): Promise<void> {
  const { disk, store } = parts;
  for (;;) {
    const layer = store.map.frozen.at(-1);
    if (layer === undefined) return;
    const delta = await disk.writeDelta(layer);
    // The layer is still in memory, where its pages are rebuilt from fastest.
    if (delta !== null) await writeImages(parts, delta);
    store.map.frozenWritten(layer, delta);
  }
}

/** Each image counts as soon as it is listed. */
async function writeImages(parts: LayerParts, delta: DeltaEntry): Promise<void> {
  const { disk, store, imagePagesMin } = parts;
  const rule = { takes, pagesMin: imagePagesMin, valuesMin_bytes };
  const at = lsn(delta.description.end - 1);
  try {
    for (const stretch of planImages(delta.reader!, families, rule)) {
      const last = makeKey(keyFamily(stretch.first), keyBlock(stretch.first) + stretch.pages - 1);
      const keys = { begin: keyBound(families, stretch.first), end: boundAfter(families, last) };
      const chunks = writePages(store, stretch, { keys, at });
      const description = await disk.write(chunks, () => {
        return { kind: 'image', level: 1, keys, begin: at, end: lsn(at + 1), generation };
      });
      store.map.replace([], [disk.list(description)]);
    }
  } catch (error) {
    if (error instanceof AssertionFailed) throw error;
    parts.onImagesFailed(error);
  }
}

/** Of a free-space map it matters as of when a page is: an image would make it look newer. */
function takes({ kind, fork }: KeyFamily): boolean {
  return kind === keyKinds.relationBlock && fork !== relationForks.freeSpaceMap;
}

/** The pages as reads at `at` see them, slice by slice. */
function* writePages(
  store: TimelineStore,
  { first, pages }: PageStretch,
  { keys, at }: { readonly keys: KeyRange; readonly at: Lsn },
): Generator<Uint8Array, LayerSummary> {
  const timeline = Buffer.from(store.id, 'hex');
  const writer = new ImageWriter({ families, timeline, lsn: at });
  const page = new Uint8Array(pageSize);
  for (let index = 0; index < pages; index += 1) {
    if (index % pagesPerSlice === 0) {
      if (index > 0) yield writer.take();
      // An ancestor that was restarted meanwhile lacks what it has not ingested again.
      ensure(isWhole(store), 'timeline_behind', { ancestor: store.ancestor?.timeline ?? null });
    }
    const key = makeKey(keyFamily(first), keyBlock(first) + index);
    store.readPage(key, at, page);
    writer.addPage(key, page);
  }
  const summary = writer.finish(keys);
  yield writer.take();
  return summary;
}
