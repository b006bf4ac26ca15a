import { deepEqual } from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

/** House rules that no other tool checks. */
const root = fileURLToPath(new URL('..', import.meta.url));
const skipped = new Set(['node_modules', '.git', '.stemma']);
const fileSize_max = 256 * 1_024;
const columns_max = 110;
const bannedNames =
  /(^|\/)(utils?|helpers?|common|types|index|[A-Za-z]*(Manager|Handler|Service))\.ts$/;

const files = [...walk(root)];
const sources = files.filter((path) => /^(src|test|bench)\/.*\.ts$/.test(path));
const documents = files.filter((path) => path.endsWith('.md'));

test('tidy: every source file opens with a header comment', () => {
  const missing = sources
    .filter((path) => path.startsWith('src/'))
    .filter((path) => !/^(#!.*\n)?\/\*\*/.test(read(path)));

  deepEqual(missing, []);
});

test('tidy: no line is longer than 110 columns', () => {
  const long = sources.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, at) => (line.length > columns_max ? [`${path}:${at + 1}`] : [])),
  );

  deepEqual(long, []);
});

test('tidy: no file is a drawer for leftovers', () => {
  deepEqual(
    sources.filter((path) => bannedNames.test(path)),
    [],
  );
});

test('tidy: no work is left for later without its reason', () => {
  const marker = new RegExp(['TO', 'DO|FIX', 'ME'].join(''));

  deepEqual(
    sources.filter((path) => marker.test(read(path))),
    [],
  );
});

test('tidy: no test is skipped', () => {
  const skip = /\b(test|it|describe)\.(skip|todo|only)\(|\b(skip|todo|only): *true/;

  deepEqual(
    sources.filter((path) => path.startsWith('test/') && skip.test(read(path))),
    [],
  );
});

test('tidy: no file is larger than 256 KiB', () => {
  const large = files.filter(
    (path) => path !== 'package-lock.json' && statSync(join(root, path)).size > fileSize_max,
  );

  deepEqual(large, []);
});

test('tidy: links between documents lead somewhere', () => {
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)]
      .map(([, target]) => join(dirname(path), target ?? ''))
      .filter((target) => !existsSync(join(root, target)))
      .map((target) => `${path} -> ${target}`),
  );

  deepEqual(broken, []);
});

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (skipped.has(entry.name)) continue;
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield relative(root, path);
  }
}
