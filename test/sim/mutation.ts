/**
 * Mutation: puts the mutant that `--mutant` names into this process. To be imported before anything else
 * (`node --import`): of the modules that come after, those it patches are read with its text in place of
 * theirs.
 */
import { ok } from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { mutantNamed, mutants, type Patch } from './mutants.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { values } = parseArgs({ strict: false, options: { mutant: { type: 'string' } } });
const patches: readonly Patch[] =
  typeof values.mutant === 'string' ? mutants[mutantNamed(values.mutant)].patches : [];
const left = new Set(patches);

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    const own = patches.filter(({ file }) => url === new URL(`file://${root}${file}`).href);
    if (own.length === 0) return loaded;
    let source = Buffer.from(loaded.source as Uint8Array).toString();
    for (const patch of own) {
      source = patched(source, patch);
      left.delete(patch);
    }
    return { ...loaded, source };
  },
});

/** Every patch has found its place. */
export function ensureMutated(): void {
  ok(left.size === 0, `not imported: ${[...left].map(({ file }) => file).join()}`);
}

function patched(source: string, { file, from, to }: Patch): string {
  const parts = source.split(from);
  ok(parts.length === 2, `in ${file} not exactly once: ${from}`);
  return parts.join(to);
}
