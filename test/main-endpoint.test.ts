/** `main` at the start of its host: who waits for whom, and what is no reason to give up. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type FailureCode } from '../src/base/failure-codes.ts';
import { Failure } from '../src/base/failure.ts';
import { startMain, type MainEndpointParts } from '../src/main-endpoint.ts';

/** A control whose endpoint starts once the clock has come so far; until then it says why not. */
class Scene {
  now_ms = 0;
  tries = 0;
  readonly hosts: readonly string[];
  mainHost: string | null = null;
  startsAt_ms = 0;
  code: FailureCode = 'quorum_unreachable';

  constructor(...hosts: readonly string[]) {
    this.hosts = hosts;
  }

  start(host: string): ReturnType<typeof startMain> {
    const ask = (_control: unknown, { kind }: { kind: string }): Promise<unknown> => {
      if (kind === 'describeHost') return Promise.resolve({ mainHost: this.mainHost });
      this.tries += 1;
      if (this.now_ms < this.startsAt_ms) return Promise.reject(new Failure(this.code, {}));
      return Promise.resolve({ connectionString: 'postgresql://' });
    };
    const pause = (delay_ms: number): Promise<void> => {
      this.now_ms += delay_ms;
      return Promise.resolve();
    };
    const { hosts } = this;
    const parts = { runtime: { ask }, control: {}, host, hosts, now_ms: () => this.now_ms, pause };
    return startMain(parts as unknown as MainEndpointParts);
  }
}

const served = { connectionString: 'postgresql://', mainIs: 'served here' };

test('main: it starts where it ran last, at first on the first host', async () => {
  const scene = new Scene('a', 'b');
  deepEqual(await scene.start('a'), served);
  deepEqual(await scene.start('b'), { connectionString: null, mainIs: 'it is on host a' });

  scene.mainHost = 'b';
  deepEqual(await scene.start('a'), { connectionString: null, mainIs: 'it is on host b' });
  deepEqual(await scene.start('b'), served);
});

test('main: the others of a cluster are waited for, a minute', async () => {
  const scene = new Scene('a', 'b', 'c');
  scene.startsAt_ms = 59_000;
  deepEqual(await scene.start('a'), served);

  scene.now_ms = 0;
  scene.startsAt_ms = Infinity;
  const late = await scene.start('a');
  deepEqual(late, { connectionString: null, mainIs: 'quorum unreachable.' });
  equal(scene.now_ms, 60_000);
});

test('main: a host on its own waits for nobody', async () => {
  const scene = new Scene('a');
  scene.startsAt_ms = 1;

  await rejects(scene.start('a'), { code: 'quorum_unreachable' });

  equal(scene.tries, 1);
});

test('main: storage that cannot go on keeps no host from starting; what nobody foresaw does', async () => {
  for (const hosts of [['a'], ['a', 'b']]) {
    const scene = new Scene(...hosts);
    scene.startsAt_ms = 1;
    scene.code = 'acceptor_wal_damaged';
    equal((await scene.start('a')).connectionString, null);
    scene.code = 'config_invalid';
    await rejects(scene.start('a'), { code: 'config_invalid' });
    equal(scene.tries, 2);
  }
});
