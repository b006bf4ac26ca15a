/**
 * LayerDescription: what is known of a layer file without opening it: what the manifest lists and
 * the layer map plans with. The file's name spells out the key range, LSN range and generation:
 *
 * ```
 * delta   <begin key>-<end key>__<begin LSN>-<end LSN>-<generation>
 * image   <begin key>-<end key>__<LSN>-<generation>
 * ```
 *
 * Keys as key-range.ts writes them, LSNs 16 hex digits, generation 8. Ends are exclusive.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { lsn as makeLsn, type Lsn } from '../base/lsn.ts';
import { formatBound, parseBound, type KeyRange } from './key-range.ts';

type LayerKind = 'delta' | 'image';

/** What a file name says. */
export interface LayerName {
  readonly kind: LayerKind;
  readonly keys: KeyRange;
  /** Delta: the first LSN it may hold. Image: its LSN. */
  readonly begin: Lsn;
  /** One past the last LSN; an image's is `begin + 1`. */
  readonly end: Lsn;
  /** Generation of the page server that wrote it. */
  readonly generation: number;
}

export interface LayerDescription extends LayerName {
  readonly name: string;
  /** 0: a delta straight from an open layer. 1: a merged delta, or an image. */
  readonly level: 0 | 1;
  /** Bytes of the file. */
  readonly size: number;
  /** CRC of the file's footer, which covers header and index: tells files of one name apart. */
  readonly checksum: number;
}

const namePattern =
  /^([0-9A-F]{38})-([0-9A-F]{38})__([0-9A-F]{16})(?:-([0-9A-F]{16}))?-([0-9A-F]{8})$/;

export function formatLayerName(layer: LayerName): string {
  assert(layer.kind === 'delta' || layer.end === layer.begin + 1, 'an image has one LSN');
  const keys = `${formatBound(layer.keys.begin)}-${formatBound(layer.keys.end)}`;
  const lsns = layer.kind === 'delta' ? [layer.begin, layer.end] : [layer.begin];
  const lsnText = lsns.map((position) => hex(position, 16)).join('-');
  return `${keys}__${lsnText}-${hex(layer.generation, 8)}`;
}

/** Fails with `layer_name_unreadable` unless the text is what `formatLayerName` writes. */
export function parseLayerName(name: string): LayerName {
  const match = namePattern.exec(name);
  ensure(match !== null, 'layer_name_unreadable', { text: name });
  const [, beginKey, endKey, beginLsn, endLsn, generation] = match;
  const begin = parseLsnDigits(beginLsn!);
  return {
    kind: endLsn === undefined ? 'image' : 'delta',
    keys: { begin: parseBound(beginKey!), end: parseBound(endKey!) },
    begin,
    end: endLsn === undefined ? makeLsn(begin + 1) : parseLsnDigits(endLsn),
    generation: parseInt(generation!, 16),
  };
}

function parseLsnDigits(digits: string): Lsn {
  const position = parseInt(digits, 16);
  ensure(Number.isSafeInteger(position), 'layer_name_unreadable', { text: digits });
  return makeLsn(position);
}

function hex(value: number, digits: number): string {
  const text = value.toString(16).toUpperCase().padStart(digits, '0');
  assert(text.length === digits, 'a name part fits its digits');
  return text;
}
