/**
 * Three hosts under load, each of which is killed, paused, starved of disk, cut off or damaged: what was
 * acknowledged is never lost, one host away stops nobody, and two computes never both commit.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../src/base/failure.ts';
import { SeededRandom } from '../../src/io/random.ts';
import { Bank } from '../e2e/bank.ts';
import { prepareTestCluster, startTestCluster, type TestCluster } from '../e2e/cluster.ts';
import { connectTo, type TestHost } from '../e2e/host.ts';
import { mountTemporary } from '../io/temporary-disk.ts';
import { fillDisk } from './fill-disk.ts';

const clients = 3;
const look_ms = 20;
/** No acknowledgement for so long means that there is none. */
const quiet_ms = 1_500;
/** A minute of it, when it is run by hand with STEMMA_FIGHT_S=60. */
const fight_s = Number(process.env['STEMMA_FIGHT_S'] ?? 12);
const seed = Number(process.env['STEMMA_SEED'] ?? 20_261_125);
const limits = { timeout: 400_000 };

interface Started {
  readonly connectionString: string;
}

/** A bank whose money is wherever `main` runs. */
interface Scene {
  readonly cluster: TestCluster;
  readonly bank: Bank;
  /** Of main, where it runs now. */
  connectionString: string;
}

test('cluster chaos: acceptors that are killed', limits, async (t) => {
  const scene = await open(t, await startTestCluster(t));
  const { b, c } = scene.cluster;

  for (const host of [b, c]) {
    await kill(host);
    await goesOn(scene);
    await host.start();
  }
  await Promise.all([kill(b), kill(c)]);
  await stands(scene);
  await b.start();
  await goesOn(scene);
  await kill(scene.cluster.a); // the one that has served; what b and c have is all there is
  await c.start();
  await moveMain(scene, c);
  await close(scene);
});

test('cluster chaos: acceptors that are paused', limits, async (t) => {
  const scene = await open(t, await startTestCluster(t));
  const { b, c } = scene.cluster;

  for (const host of [b, c]) {
    host.kill('SIGSTOP');
    await goesOn(scene);
    host.kill('SIGCONT');
    await goesOn(scene);
  }
  for (const host of [b, c]) host.kill('SIGSTOP');
  await stands(scene);
  for (const host of [b, c]) host.kill('SIGCONT');
  await goesOn(scene);
  await close(scene);
});

test('cluster chaos: a paused host wakes up and finds its branch taken over', limits, async (t) => {
  const scene = await open(t, await startTestCluster(t));
  const { a, b } = scene.cluster;
  const stale = await connectTo(scene.connectionString);
  a.kill('SIGSTOP');
  await moveMain(scene, b);
  await goesOn(scene);

  a.kill('SIGCONT');

  await assert.rejects(stale.query(`insert into ledger values (-1, 0)`));
  await goesOn(scene);
  await close(scene);
});

test('cluster chaos: acceptors whose disks are full', limits, async (t) => {
  const cluster = await prepareTestCluster(t);
  const { b, c } = cluster;
  const ballasts = [b, c].map((host) => join(smallDisk(t, host, 160), 'ballast'));
  await Promise.all(cluster.all.map((host) => host.start()));
  const scene = await open(t, cluster);
  for (const ballast of ballasts) {
    fillDisk(ballast);
    await goesOn(scene);
    await sleep(quiet_ms);
    fillDisk(ballast);
    await goesOn(scene);
    rmSync(ballast);
    await goesOn(scene);
  }

  for (const ballast of ballasts) fillDisk(ballast);
  scene.bank.open(clients);
  await comesToStand(scene);
  for (const ballast of ballasts) rmSync(ballast);

  await scene.bank.close();
  await goesOn(scene);
  await isNeeded(scene, b, c);
  await isNeeded(scene, c, b);
  await close(scene);
});

test('cluster chaos: the disk of the host that serves a branch is full', limits, async (t) => {
  const cluster = await prepareTestCluster(t);
  const { a, b, c } = cluster;
  const ballast = join(smallDisk(t, a, 512), 'ballast');
  await Promise.all(cluster.all.map((host) => host.start()));
  const scene = await open(t, cluster);
  scene.bank.open(clients);
  fillDisk(ballast);
  await sleep(quiet_ms);
  await scene.bank.close();

  await moveMain(scene, b);

  await goesOn(scene);
  rmSync(ballast);
  await isNeeded(scene, a, c);
  await moveMain(scene, a);
  await close(scene);
});

test(
  'cluster chaos: ways between hosts that stall, lose what goes one way, and are cut',
  limits,
  async (t) => {
    const scene = await open(t, await startTestCluster(t));
    const { wires } = scene.cluster;
    const random = new SeededRandom(seed);

    wires.b.stall('forth', 'back');
    await goesOn(scene);
    wires.c.stall('forth');
    await stands(scene);
    wires.b.mend();
    await goesOn(scene);
    wires.c.mend();
    for (const direction of ['forth', 'back'] as const) {
      wires.b.drop(direction);
      await goesOn(scene);
      wires.c.drop(direction);
      await stands(scene);
      wires.b.mend();
      wires.c.mend();
      await goesOn(scene);
    }
    scene.bank.open(clients);
    for (let cut = 0; cut < 30; cut += 1) {
      const wire = random.pick([wires.b, wires.c]);
      wire.cutAfter(
        1 + random.below(random.pick([300, 5_000, 50_000])),
        random.pick(['forth', 'back']),
      );
      await sleep(random.below(120));
    }
    await scene.bank.close();
    wires.b.mend();
    wires.c.mend();
    await goesOn(scene);
    assert.ok(wires.b.cuts + wires.c.cuts > 0);
    await close(scene);
  },
);

test(
  'cluster chaos: a host whose disk fails a sync dies, and does not sync again',
  limits,
  async (t) => {
    const trigger = join(tmpdir(), `stemma-fail-sync-${process.pid}`);
    t.after(() => {
      rmSync(trigger, { force: true });
    });
    const preload = `--import ${join(import.meta.dirname, 'failing-sync.ts')}`;
    const cluster = await startTestCluster(t, {
      environment: (host): Readonly<Record<string, string>> =>
        host === 'b' ? { NODE_OPTIONS: preload, STEMMA_FAIL_SYNC: trigger } : {},
    });
    const scene = await open(t, cluster);

    writeFileSync(trigger, '');

    const { code, stderr } = await cluster.b.ended;
    assert.equal(code, 1);
    assert.match(stderr, /EIO/);
    await goesOn(scene);
    rmSync(trigger);
    await cluster.b.start();
    await isNeeded(scene, cluster.b, cluster.c);
    await close(scene);
  },
);

test(
  'cluster chaos: a flipped bit in the WAL of an acceptor is never served',
  limits,
  async (t) => {
    const scene = await open(t, await startTestCluster(t));
    const { b, c } = scene.cluster;
    await goesOn(scene);
    await kill(b);
    for (const path of segmentsOf(b)) flipBits(path);
    await b.start();
    await goesOn(scene);
    await close(scene);
    await moveMain(scene, c); // which reads what it lacks from whoever has it whole
    await close(scene);
  },
);

test('cluster chaos: two hosts that fight for a branch', limits, async (t) => {
  const scene = await open(t, await startTestCluster(t));
  const { a, b } = scene.cluster;
  const until_ms = performance.now() + fight_s * 1_000;
  let rounds = 0;
  async function grab(host: TestHost): Promise<void> {
    while (performance.now() < until_ms) {
      const { code, stdout } = await host.cli('endpoint', 'start', 'main', '--json');
      if (code !== 0) continue; // the other one was faster
      scene.connectionString = (JSON.parse(stdout) as Started).connectionString;
      rounds += 1;
    }
  }

  scene.bank.open(clients);
  await Promise.all([grab(a), grab(b)]);
  await scene.bank.close();

  assert.ok(rounds >= 2, `${rounds} times`);
  await moveMain(scene, b);
  await close(scene);
});

async function open(t: TestContext, cluster: TestCluster): Promise<Scene> {
  t.diagnostic(`STEMMA_SEED=${seed}`);
  const { connectionString } = cluster.a;
  const bank = new Bank(seed, () => connectTo(scene.connectionString));
  const scene: Scene = { cluster, bank, connectionString };
  await bank.setUp();
  return scene;
}

/** More is acknowledged, also to clients that come now, and all that was is there. */
async function goesOn({ bank }: Scene): Promise<void> {
  bank.open(clients);
  const before = bank.acknowledged;
  while (bank.acknowledged < before + 4 * clients) await sleep(look_ms);
  await bank.close();
  await bank.check();
}

/** Nothing is acknowledged. */
async function stands({ connectionString }: Scene): Promise<void> {
  const client = await connectTo(connectionString);
  const change = client.query(`create table "stands at ${performance.now()}" (n int)`);
  const commit = change.then(() => 'committed');
  const quiet = sleep(quiet_ms, 'quiet');
  assert.equal(await Promise.race([commit, quiet]), 'quiet');
  client.destroy(new Failure('postgres_stream_closed', {}));
  await commit.catch(() => undefined);
}

/** The clients that are at work come to an end of what can be acknowledged. */
async function comesToStand({ bank }: Scene): Promise<void> {
  let before: number;
  do {
    before = bank.acknowledged;
    await sleep(quiet_ms);
  } while (bank.acknowledged > before);
}

/** `host` has caught up: without `other` nothing would be acknowledged without it. */
async function isNeeded(scene: Scene, host: TestHost, other: TestHost): Promise<void> {
  await kill(other);
  await goesOn(scene);
  await other.start();
  assert.notEqual(host, other);
}

async function moveMain(scene: Scene, host: TestHost): Promise<void> {
  for (;;) {
    const { code, stdout, stderr } = await host.cli('endpoint', 'start', 'main', '--json');
    if (code === 0) {
      scene.connectionString = (JSON.parse(stdout) as Started).connectionString;
      break;
    }
    // Somebody may just have taken it; the quorum may just be coming back.
    assert.match(stderr, /election lost|quorum unreachable|fenced|stopping|peer unreachable/);
    await sleep(look_ms);
  }
  await scene.bank.check();
}

/** Storage has what Postgres has. */
async function close({ cluster, bank }: Scene): Promise<void> {
  await bank.check();
  const somebody = cluster.all.find((host) => host.runs)!;
  const { first } = await somebody.json<{ readonly first: readonly string[] }>('verify', 'main');
  assert.deepEqual(first, []);
}

async function kill(host: TestHost): Promise<void> {
  host.kill('SIGKILL');
  await host.ended;
}

/** Mounts one under all that the host keeps, which has not begun. */
function smallDisk(t: TestContext, { directory }: TestHost, size_mb: number): string {
  mkdirSync(directory, { recursive: true });
  return mountTemporary(t, `size=${size_mb}m,mode=755`, directory);
}

function segmentsOf(host: TestHost): readonly string[] {
  const timelines = join(host.directory, 'timelines');
  return readdirSync(timelines).flatMap((timeline) => {
    const folder = join(timelines, timeline, 'wal');
    return readdirSync(folder).map((name) => join(folder, name));
  });
}

/** One bit of every 64 KiB that hold anything. */
function flipBits(path: string): void {
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length; at += 65_536) {
    const piece = bytes.subarray(at, at + 65_536);
    const used = piece.findLastIndex((byte) => byte !== 0);
    if (used >= 0) piece[used >> 1]! ^= 1;
  }
  writeFileSync(path, bytes);
}
