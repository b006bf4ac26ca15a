/**
 * Healing: all faults end, and what is left must do: a change of members comes to its end, records are
 * committed, everybody gets everything, and all of that within bounded virtual time.
 */
import { lsnZero, type Lsn } from '../../src/base/lsn.ts';
import { hostOf } from '../../src/consensus/membership.ts';
import { wholeKey } from '../../src/actors/archiver/archive-names.ts';
import { segmentNumber, segmentStart } from '../../src/postgres/wal-page.ts';
import { checkQuorum } from './quorum-check.ts';
import { identity, start, timeline } from './setting.ts';
import { type World } from './world.ts';

const changeLimit_ms = 300_000;
const commitLimit_ms = 120_000;
const lateHost_ms = 3_000;

export async function heal(world: World): Promise<void> {
  await calmDown(world);
  await mend(world);
  const deadline_ms = world.simulation.now_ms + commitLimit_ms;
  const end = await commitLate(world, deadline_ms);
  await world.simulation.runFor(500);
  await world.removeWal();
  checkQuorum(world);
  while (world.hosts.some(({ isDown }) => isDown)) await world.simulation.runFor(100);
  await everybodyReaches(world, end, deadline_ms);
  if (world.archived) await segmentsArrive(world, deadline_ms);
}

async function calmDown(world: World): Promise<void> {
  const { simulation, network, store, hosts } = world;
  network.heal();
  store.failure_oneIn = null;
  for (const { disk } of hosts) {
    disk.losePowerAfter(Infinity);
    disk.failSyncAfter(Infinity);
    disk.room = Infinity;
  }
  while (hosts.some(({ isDown }) => isDown)) await simulation.runFor(10);
  for (const thread of hosts.flatMap(({ threads }) => threads)) {
    while (!simulation.isUp(thread)) await simulation.runFor(10);
    simulation.pauseThread(thread, 0);
  }
  await simulation.runFor(100);
  world.check();
}

/** Ends changes, and puts others in the place of members that are lost. */
async function mend(world: World): Promise<void> {
  const { simulation, document, random, hosts } = world;
  const deadline_ms = simulation.now_ms + changeLimit_ms;
  while (world.changing > 0 && simulation.now_ms < deadline_ms) await simulation.runFor(100);
  for (;;) {
    world.check();
    const { members, newMembers } = document.membership.configuration;
    const [lost] = world.lostMembers();
    if (newMembers === null && lost === undefined) return;
    const isLate = simulation.now_ms >= deadline_ms;
    world.ledger.claim(!isLate, 'without faults a change of members ends', {
      ...{ members: members.join(), newMembers: newMembers?.join() ?? '', lost: lost ?? '' },
    });
    world.check();
    const taken = members.filter((id) => id !== lost).map(hostOf);
    const free = hosts.map(({ name }) => name).filter((name) => !taken.includes(name));
    if (lost !== undefined && newMembers === null) repair(world, lost);
    await world.replaceMember(lost ?? members[0]!, random.pick(free));
    await simulation.runFor(100);
  }
}

/** Somebody replaces the disk: what was rotten on it is gone. Not while one who joins may live there. */
function repair(world: World, id: string): void {
  const host = world.host(hostOf(id));
  if (!host.isDamaged) return;
  host.wipe(world.document.membership.configuration);
  host.isDamaged = false;
  void world.crash(host, 0);
}

/** One of several hosts only comes back when the records are written, and so must be spoken to again. */
async function commitLate(world: World, deadline_ms: number): Promise<Lsn> {
  const { random, hosts, writers } = world;
  const [writer] = writers;
  const others = hosts.filter(({ name }) => name !== writer!.host);
  if (others.length > 0) void world.crash(random.pick(others), lateHost_ms);
  return commit(world, deadline_ms);
}

async function commit(world: World, deadline_ms: number): Promise<Lsn> {
  const { simulation, writers, ledger } = world;
  let end: Lsn | null = null;
  while (end === null && simulation.now_ms < deadline_ms) {
    end = await writers[0]!.reign(30);
    await simulation.runFor(20);
  }
  ledger.claim(end !== null, 'without faults records are committed again', {});
  world.check();
  return end!;
}

/**
 * A host that was away may have promised a higher term to an election that nobody won: it fences the
 * reign, and takes part in the next, whose term is higher than that of anybody who is there.
 */
async function everyMemberReaches(world: World, first: Lsn, deadline_ms: number): Promise<Lsn> {
  const { simulation, ledger, document, writers } = world;
  let end = first;
  let isAgain = false;
  for (;;) {
    const { members } = document.membership.configuration;
    const described = await Promise.all(members.map((id) => world.describe(id)));
    const commits = described.map((each) => each?.commitLsn ?? lsnZero);
    if (commits.every((each) => each >= end)) return end;
    const isLate = simulation.now_ms >= deadline_ms;
    const values = { members: members.join(), end, commits: commits.join() };
    ledger.claim(!isLate, 'without faults everybody gets everything', values);
    if (await writers[0]!.isFenced()) {
      ledger.claim(!isAgain, 'whoever is elected when everybody is there is fenced by nobody', {});
      isAgain = true;
      end = await commit(world, deadline_ms);
    }
    await simulation.runFor(50);
    world.check();
  }
}

async function everybodyReaches(world: World, first: Lsn, deadline_ms: number): Promise<void> {
  const { simulation, recordings, ledger } = world;
  const end = await everyMemberReaches(world, first, deadline_ms);
  for (const [id, recording] of recordings) {
    while (recording.received < end && simulation.now_ms < deadline_ms) {
      await simulation.runFor(50);
      world.check();
    }
    const { received } = recording;
    const reached = received >= end;
    ledger.claim(reached, 'without faults every reader gets everything', { id, end, received });
    world.check();
  }
}

/** Archivers store every whole segment that is committed. */
async function segmentsArrive(world: World, deadline_ms: number): Promise<void> {
  const { simulation, ledger, store } = world;
  const { segmentSize } = identity;
  let segment = segmentNumber(start, segmentSize);
  while (segmentStart(segment + 1, segmentSize) <= ledger.committed.end) {
    const isStored = store.peek(wholeKey(timeline, segment, segmentSize)) !== null;
    const inTime = isStored || simulation.now_ms < deadline_ms;
    ledger.claim(inTime, 'without faults whole segments are archived', { segment });
    world.check();
    if (isStored) segment += 1;
    else await simulation.runFor(50);
  }
}
