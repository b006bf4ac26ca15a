/**
 * PageDifference: where two pages differ, for a person to read.
 */

const rangesShown = 4;
const bytesShown = 24;
/** Differences closer than this are shown as one. */
const gap = 8;

/** Null when the pages are equal. */
export function describeDifference(wanted: Uint8Array, actual: Uint8Array): string | null {
  if (Buffer.compare(wanted, actual) === 0) return null;
  const lines: string[] = [];
  let at = 0;
  while (at < wanted.length) {
    if (wanted[at] === actual[at]) at += 1;
    else {
      const end = rangeEnd(wanted, actual, at);
      lines.push(describeRange(wanted, actual, at, end));
      at = end;
    }
  }
  const more = lines.length > rangesShown ? [`… ${lines.length - rangesShown} more ranges`] : [];
  const header = `header wanted ${hex(wanted, 0, 24)} actual ${hex(actual, 0, 24)}`;
  return [header, ...lines.slice(0, rangesShown), ...more].join('\n');
}

function rangeEnd(wanted: Uint8Array, actual: Uint8Array, begin: number): number {
  let last = begin;
  for (let at = begin; at < wanted.length && at - last < gap; at += 1)
    if (wanted[at] !== actual[at]) last = at;
  return last + 1;
}

function describeRange(wanted: Uint8Array, actual: Uint8Array, begin: number, end: number): string {
  const shown = Math.min(end, begin + bytesShown);
  const range = `[${begin}, ${end})`;
  return `${range} wanted ${hex(wanted, begin, shown)} actual ${hex(actual, begin, shown)}`;
}

function hex(bytes: Uint8Array, begin: number, end: number): string {
  return Buffer.from(bytes.subarray(begin, end)).toString('hex');
}
