/**
 * ImportDirectory: a data directory of a Postgres that was shut down, as one image layer: the first
 * layer of a timeline. Streams: memory does not grow with the directory.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { compareFamilies, keyKinds, makeKey, type KeyFamily } from '../../base/key.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { type LayerSummary } from '../../layers/delta-writer.ts';
import { ImageWriter } from '../../layers/image-writer.ts';
import { wholeKeySpace } from '../../layers/key-range.ts';
import { type LayerDescription } from '../../layers/layer-description.ts';
import { encodeCheckpoint } from '../../postgres/checkpoint.ts';
import { readControlFile } from '../../postgres/control-file.ts';
import { importAction, importedPages, type ImportContext } from '../../postgres/import.ts';
import { ensureMajor } from '../../postgres/major.ts';
import { pageSize } from '../../postgres/page.ts';
import { generation, type TimelineDisk } from './disk.ts';
import { type TimelineOptions } from './protocol.ts';
import { families } from './shelf.ts';

/** A stretch of keys of one family and where their values come from. */
interface Piece {
  readonly family: KeyFamily;
  readonly firstBlock: number;
  readonly source:
    { readonly pages: string; readonly blocks: number } | { readonly value: Uint8Array };
}

const pagesPerRead = 64;
const none = { tablespace: 0, database: 0, relation: 0, fork: 0 };

/** Fails with what reading the control file fails with, or `tablespace_unsupported`. */
export function importDirectory(
  disk: TimelineDisk,
  options: TimelineOptions,
  path: string,
  at: Lsn,
): Promise<LayerDescription> {
  const pieces = findPieces(path, options.major);
  const timeline = Buffer.from(options.id, 'hex');
  return disk.write(writePieces(new ImageWriter({ families, timeline, lsn: at }), pieces), () => {
    const keys = wholeKeySpace;
    return { kind: 'image', level: 1, keys, begin: at, end: lsn(at + 1), generation };
  });
}

/** Everything the directory holds, in key order. */
function findPieces(directory: string, major: number): Piece[] {
  const control = readFileSync(join(directory, 'global', 'pg_control'));
  const { checkpoint } = readControlFile(control);
  const context = { major: ensureMajor(major), nextXid: checkpoint.nextXid };
  const pieces: Piece[] = [
    valuePiece({ kind: keyKinds.controlFile, ...none }, 0, control),
    valuePiece(
      { kind: keyKinds.checkpoint, ...none },
      0,
      encodeCheckpoint(checkpoint, context.major),
    ),
  ];
  const sizes = new Map<string, { readonly family: KeyFamily; blocks: number }>();
  for (const path of filesBelow(directory, '')) {
    addFile(pieces, sizes, { directory, path, context });
  }
  for (const { family, blocks } of sizes.values())
    pieces.push(valuePiece(family, 0, u32Bytes(blocks)));
  return pieces.sort((a, b) => compareFamilies(a.family, b.family) || a.firstBlock - b.firstBlock);
}

interface FileToAdd {
  readonly directory: string;
  readonly path: string;
  readonly context: ImportContext;
}

function addFile(
  pieces: Piece[],
  sizes: Map<string, { readonly family: KeyFamily; blocks: number }>,
  { directory, path, context }: FileToAdd,
): void {
  const action = importAction(path, context);
  const file = join(directory, path);
  if (action.kind === 'value') {
    pieces.push(valuePiece(action.family, action.block, readFileSync(file)));
  } else if (action.kind === 'pages') {
    const { blocks: family, size, firstBlock } = action;
    const blocks = importedPages(statSync(file).size);
    if (blocks > 0) pieces.push({ family, firstBlock, source: { pages: file, blocks } });
    const name = JSON.stringify(size);
    const known = sizes.get(name)?.blocks ?? 0;
    sizes.set(name, { family: size, blocks: Math.max(known, firstBlock + blocks) });
  }
}

function* writePieces(
  writer: ImageWriter,
  pieces: readonly Piece[],
): Generator<Uint8Array, LayerSummary> {
  for (const { family, firstBlock, source } of pieces) {
    const id = families.idOf(family);
    if ('value' in source) {
      writer.addValue(makeKey(id, firstBlock), source.value);
      continue;
    }
    let block = firstBlock;
    for (const page of readPages(source.pages, source.blocks)) {
      writer.addPage(makeKey(id, block), page);
      block += 1;
      if (writer.full) yield writer.take();
    }
  }
  const summary = writer.finish(wholeKeySpace);
  yield writer.take();
  return summary;
}

/** The pages of a file, each valid until the next. */
function* readPages(path: string, blocks: number): Generator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(pagesPerRead * pageSize);
  const file = openSync(path, 'r');
  try {
    for (let block = 0; block < blocks; block += pagesPerRead) {
      const wanted = Math.min(pagesPerRead, blocks - block) * pageSize;
      const got = readSync(file, buffer, 0, wanted, block * pageSize);
      assert(got === wanted, 'a file of a Postgres that was shut down does not change');
      for (let at = 0; at < got; at += pageSize) yield buffer.subarray(at, at + pageSize);
    }
  } finally {
    closeSync(file);
  }
}

function* filesBelow(directory: string, folder: string): Generator<string> {
  for (const entry of readdirSync(join(directory, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(directory, path);
    else if (entry.isFile()) yield path;
  }
}

function valuePiece(family: KeyFamily, firstBlock: number, value: Uint8Array): Piece {
  return { family, firstBlock, source: { value } };
}

function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
