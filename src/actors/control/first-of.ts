/**
 * FirstOf: asks several that can answer, one after the other, until one does.
 */
import { assert } from '../../base/assert.ts';
import { Failure } from '../../base/failure.ts';

/** Goes on while they are unavailable; fails as the first one did when all are. */
export async function firstOf<T>(
  paths: readonly string[],
  ask: (path: string) => Promise<T>,
): Promise<T> {
  assert(paths.length > 0, 'there is somebody to ask');
  let first: Failure | null = null;
  for (const path of paths) {
    try {
      return await ask(path);
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'unavailable') throw error;
      first ??= error;
    }
  }
  throw first!;
}
