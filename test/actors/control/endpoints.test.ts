/** Endpoints that cannot be started, or were ended by somebody else's election. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { Endpoints, type EndpointsParts } from '../../../src/actors/control/endpoints.ts';
import { type Branch, type Project } from '../../../src/actors/control/project.ts';
import { type ControlMessage } from '../../../src/actors/control/protocol.ts';
import { type FailureCode } from '../../../src/base/failure-codes.ts';
import { Failure } from '../../../src/base/failure.ts';
import { type Context } from '../../../src/runtime/actor.ts';

const fenced = { kind: 'computeFenced', timeline: 'main-id' } as const;

class Scene {
  /** What cannot be done now, and why; null when all can. */
  storeFails: FailureCode | null = null;
  startFails: FailureCode | null = null;
  branches: readonly Branch[];
  readonly started: string[] = [];
  /** What control is told later. */
  readonly due: string[] = [];

  constructor(...branches: readonly Branch[]) {
    this.branches = branches;
  }

  endpoints(): Endpoints {
    const context = {
      log: () => undefined,
      after: (_delay_ms: number, { kind }: ControlMessage) => {
        this.due.push(kind);
      },
    } as unknown as Context<ControlMessage>;
    const computes = {
      start: (_project: Project, { name }: Branch) => {
        this.started.push(name);
        return this.#unless(this.startFails, {});
      },
    } as unknown as EndpointsParts['computes'];
    const { branches } = this;
    const projects = {
      project: { branches },
      refresh: () => this.#unless(this.storeFails, { branches }),
    } as unknown as EndpointsParts['projects'];
    const others = {} as unknown as EndpointsParts['others'];
    const parts = { context, options: { host: 'a' }, projects, computes, others };
    return new Endpoints({ ...parts, keepUp: () => Promise.resolve() });
  }

  #unless<T>(code: FailureCode | null, value: T): Promise<T> {
    return code === null ? Promise.resolve(value) : Promise.reject(new Failure(code, {}));
  }
}

function branch(name: string, host: string | null = 'a', running = true): Branch {
  return { name, timeline: `${name}-id`, host, running } as unknown as Branch;
}

test('endpoints: those that ran here are resumed, and no others', async () => {
  const scene = new Scene(branch('main'), branch('dev', 'b'), branch('old', 'a', false));

  await scene.endpoints().resume();

  deepEqual([scene.started, scene.due], [['main'], []]);
});

test('endpoints: however many cannot be resumed now, they are tried again together, once', async () => {
  const scene = new Scene(branch('main'), branch('dev'), branch('test'));
  scene.startFails = 'quorum_unreachable';

  await scene.endpoints().resume();

  deepEqual([scene.started, scene.due], [['main', 'dev', 'test'], ['resumeEndpoints']]);
});

test('endpoints: one that is damaged is not tried again', async () => {
  const scene = new Scene(branch('main'));
  scene.startFails = 'acceptor_wal_damaged';

  await scene.endpoints().resume();

  deepEqual(scene.due, []);
});

test('endpoints: one that was fenced comes back if the project says that it runs here', async () => {
  for (const [now, comesBack] of [
    [branch('main'), true],
    [branch('main', 'b'), false],
    [branch('main', 'a', false), false],
    [branch('another'), false],
  ] as const) {
    const scene = new Scene(now);

    await scene.endpoints().onFenced(fenced);

    deepEqual([scene.started, scene.due], [comesBack ? ['main'] : [], []]);
  }
});

test('endpoints: whether one that was fenced comes back is asked again while the store is away', async () => {
  const scene = new Scene(branch('main'));
  scene.storeFails = 'store_unavailable';

  await scene.endpoints().onFenced(fenced);

  deepEqual([scene.started, scene.due], [[], ['computeFenced']]);
});
