/**
 * Faults: what a seed does to a world: to processes, machines, clocks, disks, the network, the object
 * store and the members.
 */
import { hasMajority, hostOf, memberOn } from '../../src/consensus/membership.ts';
import { folderOf } from './host-acceptors.ts';
import { type Host } from './host.ts';
import { type World } from './world.ts';

/** What was done, as `what: whom`; null when it was not possible. */
type Fault = (world: World) => string | null;

/** Of any world. */
const always: readonly Fault[] = [
  losePower,
  losePowerLater,
  losePowerLater,
  losePowerEverywhere,
  crashProcess,
  crashThread,
  crashActor,
  crashActor,
  pauseHost,
  pauseThread,
  fillDisk,
  failSync,
  jumpClock,
  removeWal,
];

/** Of one with several hosts. */
const between: readonly Fault[] = [cut, cut, isolate, breakConnection, breakConnection, weather];

/** Of one whose members change. */
const ofMembers: readonly Fault[] = [
  replaceMember,
  replaceMember,
  replaceMember,
  killControl,
  failStore,
  loseDisk,
  rot,
];

export function faultsOf(world: World, changes: boolean): readonly Fault[] {
  const alone = world.hosts.length === 1;
  return [...always, ...(alone ? [] : between), ...(changes ? ofMembers : [])];
}

/** Does one of them. */
export function disturb(world: World, faults: readonly Fault[]): void {
  const done = world.random.pick(faults)(world);
  if (done === null) return;
  const [what, whom = ''] = done.split(': ');
  world.does(what!, whom);
}

function upHost({ random, hosts }: World): Host | null {
  const host = random.pick(hosts);
  return host.isDown ? null : host;
}

function losePower(world: World): string | null {
  const host = upHost(world);
  if (host === null) return null;
  void world.losePower(host, world.random.below(300));
  return `power lost: ${host.name}`;
}

/** Between any two operations on the disk, those of the next start included. */
function losePowerLater({ random, hosts }: World): string {
  const { disk, name } = random.pick(hosts);
  disk.losePowerAfter(1 + random.below(40));
  return `power failing between operations: ${name}`;
}

function losePowerEverywhere(world: World): string {
  for (const host of world.hosts)
    if (!host.isDown) void world.losePower(host, world.random.below(300));
  return 'power lost everywhere';
}

function crashProcess(world: World): string | null {
  const host = upHost(world);
  if (host === null) return null;
  void world.crash(host, world.random.pick([0, world.random.below(300), 2_000]));
  return `process killed: ${host.name}`;
}

function crashThread(world: World): string | null {
  const host = upHost(world);
  if (host === null) return null;
  const thread = world.random.pick(host.threads);
  void world.simulation.crashThread(thread, world.random.below(50));
  return `thread killed: ${thread}`;
}

function crashActor(world: World): string | null {
  const { random, hosts, simulation } = world;
  const { name, interims } = random.pick(hosts);
  const own = ['acceptor-', 'timeline/', 'wal-receiver/', 'archiver/', 'control/'].map((role) =>
    role.endsWith('-') ? `${role}${name}/t` : `${role}${name}`,
  );
  const path = random.pick([
    ...own,
    'proposer/p',
    'proposer/q',
    `proposer/interim-${name}-${interims}`,
  ]);
  return simulation.crashActor(path) ? `actor crashed: ${path}` : null;
}

function killControl(world: World): string | null {
  const { name } = world.random.pick(world.hosts);
  return world.simulation.crashActor(`control/${name}`)
    ? `driver of changes crashed: ${name}`
    : null;
}

function pauseHost(world: World): string | null {
  const host = upHost(world);
  if (host === null) return null;
  const pause_ms = world.random.below(1_500);
  for (const thread of host.threads)
    if (world.simulation.isUp(thread)) world.simulation.pauseThread(thread, pause_ms);
  return `host paused: ${host.name}`;
}

function pauseThread(world: World): string | null {
  const { random, simulation } = world;
  const thread = random.pick(random.pick(world.hosts).threads);
  if (!simulation.isUp(thread)) return null;
  simulation.pauseThread(thread, random.below(1_000));
  return `thread paused: ${thread}`;
}

function fillDisk(world: World): string {
  const { random, simulation } = world;
  const { disk, name } = random.pick(world.hosts);
  disk.room = random.below(100_000);
  simulation.after(random.below(500), () => {
    disk.room = Infinity;
  });
  return `disk full: ${name}`;
}

function failSync({ random, hosts }: World): string {
  const { disk, name } = random.pick(hosts);
  disk.failSyncAfter(1 + random.below(5));
  return `sync failing soon: ${name}`;
}

/** As when somebody sets it, an hour at most. */
function jumpClock({ random, hosts, simulation }: World): string {
  simulation.jumpClock(random.pick(hosts).name, random.below(7_200_000) - 3_600_000);
  return 'clock set';
}

function removeWal(world: World): string | null {
  if (world.archived) return null;
  void world.removeWal();
  return 'segments removed';
}

/** One way or both. */
function cut({ random, hosts, network }: World): string | null {
  const [one, other] = [random.pick(hosts), random.pick(hosts)];
  if (one === other) return null;
  const for_ms = random.below(random.pick([100, 2_000]));
  network.cut(one.name, other.name, for_ms);
  if (random.oneIn(3)) return `cut one way: from ${one.name} to ${other.name}`;
  network.cut(other.name, one.name, for_ms);
  return `cut both ways: ${one.name} and ${other.name}`;
}

/** From everybody, one way or both. */
function isolate({ random, hosts, network }: World): string {
  const { name } = random.pick(hosts);
  const for_ms = random.below(2_000);
  const ways = random.pick(['in', 'out', 'both']);
  for (const { name: other } of hosts) {
    if (ways !== 'out') network.cut(other, name, for_ms);
    if (ways !== 'in') network.cut(name, other, for_ms);
  }
  return `host isolated: ${name}, ${ways}`;
}

function breakConnection({ random, hosts, network }: World): string | null {
  const [one, other] = [random.pick(hosts), random.pick(hosts)];
  if (one === other) return null;
  network.break(one.name, other.name);
  return `connection broken: ${one.name} and ${other.name}`;
}

function weather({ random, network }: World): string {
  network.weather = {
    latency_ms: random.pick([1, 5, 30, 100]),
    loss_oneIn: random.pick([null, 4, 20, 100]),
    late_oneIn: random.pick([null, 4, 20]),
    double_oneIn: random.pick([null, 4, 20]),
  };
  return 'weather changed';
}

/**
 * Somebody else instead of a member, beside other drivers. On its own host only when it is lost: from
 * the beginning of such a change its host does not run it any more, and the old members are one less.
 */
function replaceMember(world: World): string | null {
  const { random, document, hosts } = world;
  const id = random.pick(document.membership.configuration.members);
  const { name } = random.pick(hosts);
  if (name === hostOf(id) && !world.lostMembers().includes(id)) return null;
  void world.replaceMember(id, name);
  return `change of members: ${name} instead of ${id}`;
}

function failStore({ random, store, simulation }: World): string {
  store.failure_oneIn = random.pick([2, 4]);
  simulation.after(random.below(1_000), () => {
    store.failure_oneIn = null;
  });
  return 'object store failing';
}

/** A member whose loss the quorum can bear; not while others come, whose change would never end. */
function victim(world: World): Host | null {
  const { configuration } = world.document.membership;
  const { members, newMembers } = configuration;
  const host = upHost(world);
  if (host === null || newMembers !== null || world.changing > 0) return null;
  const id = memberOn(configuration, host.name);
  if (id === null) return null;
  const lost = [...world.lostMembers(), id];
  return hasMajority(members, (each) => !lost.includes(each)) ? host : null;
}

function loseDisk(world: World): string | null {
  const host = victim(world);
  if (host === null) return null;
  void world.crash(host, world.random.below(300));
  host.wipe(world.document.membership.configuration);
  return `disk lost: ${host.name}`;
}

/** In the log, where somebody may read or scan it. */
function rot(world: World): string | null {
  const host = victim(world);
  if (host === null) return null;
  const id = memberOn(world.document.membership.configuration, host.name)!;
  const folder = `${folderOf(id, host.name)}/wal`;
  const names = host.disk.list(folder);
  if (names.length === 0 || host.disk.off) return null;
  const path = `${folder}/${world.random.pick(names)}`;
  host.isDamaged = true;
  host.disk.rot(path, world.random.below(2 ** 20), 1 << world.random.below(8));
  return `bits rotten: ${path} of ${host.name}`;
}
