/**
 * Failures: what the world did to us, as opposed to what we did wrong (assert.ts).
 *
 * A failure has a `code` (what happened), the code's `kind` (what to do about it) and values.
 */
import { failureCodes, type FailureCode, type FailureKind } from './failure-codes.ts';

export type FailureValues = Readonly<Record<string, string | number | boolean | null>>;

export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: FailureCode;
  readonly kind: FailureKind;
  readonly values: FailureValues;

  constructor(code: FailureCode, values: FailureValues, cause?: unknown) {
    super(describe(code, values), cause === undefined ? undefined : { cause });
    this.code = code;
    this.kind = failureCodes[code];
    this.values = values;
  }
}

/** Throws a `Failure` unless the claim about the outside holds. */
export function ensure(
  holds: boolean,
  code: FailureCode,
  values: FailureValues = {},
): asserts holds {
  if (!holds) throw new Failure(code, values);
}

/** A failure as plain data, since structured clone drops an error's class and fields. */
export interface FailureData {
  readonly code: FailureCode;
  readonly values: FailureValues;
  readonly stack: string | null;
}

export function failureToData(failure: Failure): FailureData {
  return { code: failure.code, values: failure.values, stack: failure.stack ?? null };
}

export function failureFromData(data: FailureData): Failure {
  const failure = new Failure(data.code, data.values);
  if (data.stack !== null) failure.stack = data.stack;
  return failure;
}

function describe(code: string, values: FailureValues): string {
  const pairs = Object.entries(values).map(([key, value]) => `${key}=${String(value)}`);
  return [`${code.replaceAll('_', ' ')}.`, ...pairs].join(' ');
}
