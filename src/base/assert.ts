/**
 * Assertions: claims about ourselves. A false one is a bug, and stops the actor that made it.
 *
 * Bytes and requests from outside are checked with `ensure` (failure.ts) instead.
 */

/** We were wrong. Never caught except by the supervisor. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** Throws `AssertionFailed` with `claim`, a statement in words, when it does not hold. */
export function assert(holds: boolean, claim: string): asserts holds {
  if (!holds) throw new AssertionFailed(claim);
}

/** The default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`unreachable value=${JSON.stringify(value)}`);
}
