/**
 * Garbage: which layer files no read can need any more. A read is possible at every LSN from the
 * horizon (the start of the history window) on, and at each retained LSN before it: branch points
 * and leases. A file is garbage when, for each of those, images speak for all its keys at an LSN
 * that is not newer than the read and hides all the file has to say.
 */
import { type Lsn } from '../base/lsn.ts';
import { compareBounds, rangesOverlap, type KeyBound, type KeyRange } from './key-range.ts';
import { type LayerDescription } from './layer-description.ts';

export interface Retention {
  /** Every LSN from here on can be read. */
  readonly horizon: Lsn;
  /** LSNs before the horizon that can be read, too. */
  readonly retained: readonly Lsn[];
}

/** The files that may be removed together. */
export function planGarbage(
  layers: readonly LayerDescription[],
  { horizon, retained }: Retention,
): LayerDescription[] {
  const readLsns = [horizon, ...retained.filter((lsn) => lsn < horizon)];
  const images = layers.filter((layer) => layer.kind === 'image');
  images.sort((a, b) => compareBounds(a.keys.begin, b.keys.begin));
  return layers.filter((layer) => {
    const over = images.filter((image) => hides(image, layer));
    // A layer that begins after the horizon is read from its own LSNs on.
    return layer.begin <= horizon && readLsns.every((lsn) => isUnneeded(layer, over, lsn));
  });
}

/** Whether an image leaves nothing to be read from a layer, where their keys overlap. */
function hides(image: LayerDescription, layer: LayerDescription): boolean {
  const newer = layer.kind === 'image' ? image.begin > layer.begin : image.begin >= layer.end - 1;
  return newer && rangesOverlap(image.keys, layer.keys);
}

/** Whether a read at `lsn` never comes to the layer: it is newer, or hidden by images up to there. */
function isUnneeded(
  layer: LayerDescription,
  images: readonly LayerDescription[],
  lsn: Lsn,
): boolean {
  if (layer.begin > lsn) return true;
  const inTime = images.filter((image) => image.begin <= lsn);
  return covers(inTime, layer.keys);
}

/** Whether images, sorted by where they begin, together speak for every key of a range. */
function covers(images: readonly LayerDescription[], range: KeyRange): boolean {
  let reached: KeyBound = range.begin;
  for (const { keys } of images) {
    if (compareBounds(keys.begin, reached) > 0) return false;
    if (compareBounds(keys.end, reached) > 0) reached = keys.end;
    if (compareBounds(reached, range.end) >= 0) return true;
  }
  return compareBounds(reached, range.end) >= 0;
}
