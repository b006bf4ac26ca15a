/**
 * A lower layer that is a data directory on local disk: the pages of its files, zeros beyond them.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { keyKinds } from '../../../src/base/key.ts';
import {
  relationDirectory,
  relationFileName,
  slruDirectories,
  slruFileName,
} from '../../../src/actors/filesystem/file-names.ts';
import { type LowerPages, type LowerRequest } from '../../../src/actors/filesystem/lower-pages.ts';

const segmentBlocks = 131_072;

export function openLower(options: unknown): LowerPages {
  const directory = options as string;
  return {
    read(request, target) {
      target.fill(0);
      const fd = openIfThere(join(directory, pathOf(request)));
      if (fd === null) return;
      readSync(fd, target, 0, target.length, (request.firstBlock % segmentBlocks) * 8_192);
      closeSync(fd);
    },
  };
}

function pathOf({ family, firstBlock }: LowerRequest): string {
  const { tablespace, database, relation, fork } = family;
  if (family.kind === keyKinds.slruBlock)
    return `${slruDirectories[tablespace]!}/${slruFileName(relation)}`;
  const segment = Math.floor(firstBlock / segmentBlocks);
  const name = relationFileName({ relation, fork, segment });
  return `${relationDirectory(tablespace, database)!}/${name}`;
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
