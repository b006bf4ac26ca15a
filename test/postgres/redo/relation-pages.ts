/**
 * RelationPages: the pages of relations in a data directory on which no server runs.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { pageSize } from '../../../src/postgres/page.ts';

/** Where a page is, as WAL names it. */
export interface PageAddress {
  readonly tablespace: number;
  readonly database: number;
  readonly relation: number;
  readonly fork: number;
  readonly block: number;
}

const globalTablespace = 1_664;
const forkSuffixes = ['', '_fsm', '_vm', '_init'];
const segmentBlocks = 131_072;

/** The page; null when there is no such file or it is shorter. */
export function readPage(dataDirectory: string, address: PageAddress): Uint8Array | null {
  const page = new Uint8Array(pageSize);
  const file = openIfThere(join(dataDirectory, relationFile(address)));
  if (file === null) return null;
  try {
    const at = (address.block % segmentBlocks) * pageSize;
    return readSync(file, page, 0, pageSize, at) === pageSize ? page : null;
  } finally {
    closeSync(file);
  }
}

function relationFile(address: PageAddress): string {
  const { tablespace, database, relation, fork, block } = address;
  const folder = tablespace === globalTablespace ? 'global' : `base/${database}`;
  const segment = Math.floor(block / segmentBlocks);
  return `${folder}/${relation}${forkSuffixes[fork]!}${segment === 0 ? '' : `.${segment}`}`;
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
