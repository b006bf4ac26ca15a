/**
 * Later: work of control that goes on beside its mailbox.
 */
import { Failure } from '../../base/failure.ts';
import { type Context, type ResultOf } from '../../runtime/actor.ts';
import { type ComputeFenced } from '../compute/protocol.ts';
import { type ControlMessage, type ProjectChanged, type ResumeEndpoints } from './protocol.ts';

const retry_ms = 1_000;

/** Something to do for the project. */
export interface Work {
  /** As in "cannot ...". */
  readonly doing: string;
  /** What this actor is told when it is to be tried again. */
  readonly again: ResumeEndpoints | ProjectChanged | ComputeFenced;
}

/** Logs what the work fails with. What may pass is tried again. */
export async function orRetry(
  context: Context<ControlMessage>,
  { doing, again }: Work,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { message: reason, kind } = asFailure(error);
    context.log('error', `control: cannot ${doing}`, { reason });
    if (kind === 'unavailable') context.after(retry_ms, again);
  }
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
