/**
 * OneByOne: steps that change which actors run on a host, none of which may come between another's.
 */
export type InTurn = <T>(step: () => Promise<T>) => Promise<T>;

/** Whoever gives a step hears what it fails with; the next one begins all the same. */
export function oneByOne(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (step) => {
    const next = last.then(step);
    last = next.catch(() => undefined);
    return next;
  };
}
