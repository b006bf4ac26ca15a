/**
 * The entry of the pool's threads: finds the task by name and runs it. A failure goes back as data,
 * since structured clone drops its class; anything else thrown is a bug, and goes back as an error.
 */
import { Failure, failureToData, type FailureData } from '../../base/failure.ts';
import { assert } from '../../base/assert.ts';

export interface PoolTask {
  /** URL of the module that exports `tasks`. */
  readonly module: string;
  readonly name: string;
  readonly data: unknown;
}

export interface PoolOutcome {
  readonly result: unknown;
  readonly failure: FailureData | null;
}

interface TaskModule {
  readonly tasks: Readonly<Record<string, (data: unknown) => unknown>>;
}

export async function runTask({ module, name, data }: PoolTask): Promise<PoolOutcome> {
  const { tasks } = (await import(module)) as TaskModule;
  const task = tasks[name];
  assert(task !== undefined, `the task module has ${name}`);
  try {
    return { result: await task(data), failure: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { result: null, failure: failureToData(error) };
  }
}
