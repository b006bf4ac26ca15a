/**
 * BaseDirectory: a data directory on which no server runs, or a base backup, as the state that WAL is
 * replayed onto.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyKinds } from '../../src/base/key.ts';
import { lsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { readControlFile, type ControlFile } from '../../src/postgres/control-file.ts';
import { importFiles } from '../postgres/ingest/data-directory.ts';
import { readPage } from '../postgres/redo/relation-pages.ts';
import { FoldedTip } from './folded-tip.ts';

export interface BaseDirectory {
  readonly control: ControlFile;
  /** Where WAL begins to matter. */
  readonly start: Lsn;
  /** Everything of the directory; pages of relations are read when wanted. */
  readonly tip: FoldedTip;
}

export function openBase(directory: string): BaseDirectory {
  const control = readControlFile(new Uint8Array(readFileSync(join(directory, controlPath))));
  const start = startOfBackup(directory) ?? lsn(control.checkpoint.redo);
  const tip = new FoldedTip(control.major, (family, block) =>
    family.kind === keyKinds.relationBlock ? readPage(directory, { ...family, block }) : null,
  );
  importFiles(directory, control.major, { tip, at: start, relationPages: false });
  return { control, start, tip };
}

const controlPath = 'global/pg_control';

/** What the label of a base backup says; null when there is none. */
function startOfBackup(directory: string): Lsn | null {
  const path = join(directory, 'backup_label');
  if (!existsSync(path)) return null;
  const [, position] = /^START WAL LOCATION: (\S+)/m.exec(readFileSync(path, 'utf8')) ?? [];
  return position === undefined ? null : parseLsn(position);
}
