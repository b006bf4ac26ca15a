/**
 * Later: work of control that goes on beside its mailbox.
 */
import { Failure } from '../../base/failure.ts';
import { type Context, type ResultOf } from '../../runtime/actor.ts';
import { type ComputeFenced } from '../compute/protocol.ts';
import { type ControlMessage, type ProjectChanged, type ResumeEndpoints } from './protocol.ts';

const retry_ms = 1_000;

/** Does some work. What it fails with is logged; true when that may pass, so that it is to be tried again. */
export async function failsForNow(
  context: Context<ControlMessage>,
  doing: string,
  work: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    const { message: reason, kind } = asFailure(error);
    context.log('error', `control: cannot ${doing}`, { reason });
    return kind === 'unavailable';
  }
}

/** Has this actor told once more, in a moment, what it could not do now. */
export function tryAgain(
  context: Context<ControlMessage>,
  what: ResumeEndpoints | ProjectChanged | ComputeFenced,
): void {
  context.after(retry_ms, what);
}

/** Answers when a child has done its part; control goes on meanwhile. */
export function answerLater<Asked extends ControlMessage>(
  context: Context<ControlMessage>,
  asked: Asked,
  result: Promise<ResultOf<Asked>>,
): void {
  result.then(
    (value) => {
      context.answer(asked, value);
    },
    (error: unknown) => {
      context.refuse(asked, asFailure(error));
    },
  );
}

export function asFailure(error: unknown): Failure {
  return error instanceof Failure
    ? error
    : new Failure('internal_error', { reason: String(error) });
}
