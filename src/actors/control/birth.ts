/**
 * Birth: what a timeline began with, kept in the object store: enough to make an acceptor or a page
 * server of it on another host, which takes the rest from the log.
 *
 * ```
 * timelines/<timeline>/birth.json             where the log begins, and its first page up to there
 * timelines/<timeline>/birth/<file>           of the first timeline: its manifest and its layers
 * ```
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ensure, Failure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { replaceFile, syncFolder } from '../../io/atomic-file.ts';
import { type ObjectStore } from '../../io/object-store.ts';

export interface Birth {
  readonly startLsn: Lsn;
  readonly lastRecordStart: Lsn;
  /** From the start of the first page up to `startLsn`. */
  readonly head: Uint8Array;
}

interface StoredBirth {
  readonly version: number;
  readonly startLsn: Lsn;
  readonly lastRecordStart: Lsn;
  /** Base64. */
  readonly head: string;
}

const manifest = 'manifest.json';

/** Done again it changes nothing. */
export async function publishBirth(
  store: ObjectStore,
  timeline: string,
  { startLsn, lastRecordStart, head }: Birth,
): Promise<void> {
  const text = Buffer.from(head).toString('base64');
  const stored: StoredBirth = { version: 1, startLsn, lastRecordStart, head: text };
  await store.putIfAbsent(birthKey(timeline), Buffer.from(JSON.stringify(stored)));
}

/** Fails with `birth_missing`. */
export async function fetchBirth(store: ObjectStore, timeline: string): Promise<Birth> {
  const found = await store.get(birthKey(timeline));
  ensure(found !== null, 'birth_missing', { timeline });
  const { version, ...birth } = parse(timeline, found.bytes);
  ensure(version === 1, 'birth_missing', { timeline, version });
  return { ...birth, head: Buffer.from(birth.head, 'base64') };
}

/** Keeps what the first timeline consists of as it begins: the files of its folder. */
export async function publishFiles(
  store: ObjectStore,
  timeline: string,
  folder: string,
): Promise<void> {
  const names = [manifest, ...readdirSync(join(folder, 'layers')).map((name) => `layers/${name}`)];
  for (const name of names)
    await store.putIfAbsent(fileKey(timeline, name), readFileSync(join(folder, name)));
}

/** Lays those files down in `folder`, the manifest last: with it the timeline exists. */
export async function fetchFiles(
  store: ObjectStore,
  timeline: string,
  folder: string,
): Promise<void> {
  const prefix = fileKey(timeline, '');
  const names = (await store.list(prefix)).map((key) => key.slice(prefix.length));
  ensure(names.includes(manifest), 'birth_missing', { timeline, file: manifest });
  mkdirSync(join(folder, 'layers'), { recursive: true });
  for (const name of [...names.filter((each) => each !== manifest), manifest]) {
    const found = await store.get(fileKey(timeline, name));
    ensure(found !== null, 'birth_missing', { timeline, file: name });
    if (name === manifest) {
      syncFolder(join(folder, 'layers'));
      replaceFile(join(folder, name), found.bytes);
    } else writeFileSync(join(folder, name), found.bytes, { flush: true });
  }
  syncFolder(dirname(folder));
}

function birthKey(timeline: string): string {
  return `timelines/${timeline}/birth.json`;
}

function fileKey(timeline: string, name: string): string {
  return `timelines/${timeline}/birth/${name}`;
}

function parse(timeline: string, bytes: Uint8Array): StoredBirth {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as StoredBirth;
  } catch (cause) {
    throw new Failure('birth_missing', { timeline, reason: String(cause) }, cause);
  }
}
