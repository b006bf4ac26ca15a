/**
 * QuorumCheck: what would be left of the log if the power failed everywhere now.
 */
import { maxLsn, type Lsn } from '../../src/base/lsn.ts';
import { Failure } from '../../src/base/failure.ts';
import { openStore, type Store } from '../../src/actors/acceptor/store.ts';
import { wholeKey } from '../../src/actors/archiver/archive-names.ts';
import { hostOf, type AcceptorId } from '../../src/consensus/membership.ts';
import { folderOf } from './host-acceptors.ts';
import { segmentNumber, segmentStart } from '../../src/postgres/wal-page.ts';
import { identity, start, timeline } from './setting.ts';
import { type World } from './world.ts';

/**
 * Whoever could be elected would have everything acknowledged: fewer than a majority of the members
 * are there and lack some of it. Of a joint configuration that holds for the old members.
 */
export function checkQuorum(world: World): void {
  const { ledger, document } = world;
  const { members, newMembers } = document.membership.configuration;
  const lost = world.lostMembers();
  const lacking = members.filter((id) => !lost.includes(id) && !hasAcknowledged(world, id));
  const safe = lacking.length <= Math.floor((members.length - 1) / 2);
  ledger.claim(safe, 'a majority has on disk what was acknowledged', {
    members: members.join(),
    joining: newMembers?.join() ?? '',
    lost: lost.join(),
    lacking: lacking.join(),
    acknowledged: ledger.acknowledgedEnd,
  });
  world.check();
}

/** Every member has all that was ever committed. */
export function checkAllHaveAll(world: World): void {
  const { ledger, document } = world;
  for (const id of document.membership.configuration.members) {
    const store = storeAfterPowerLoss(world, id);
    const { committed } = ledger;
    const whole = store !== null && store.core.flushLsn >= committed.end;
    ledger.claim(whole, 'in the end every acceptor has everything', { id });
    if (!whole) break;
    const begin = maxLsn(start, store.log.firstLsn);
    ledger.committedIs(begin, store.log.copy(begin, committed.end - begin), id);
  }
  world.check();
}

function hasAcknowledged(world: World, id: AcceptorId): boolean {
  const { committed, acknowledgedEnd } = world.ledger;
  const store = storeAfterPowerLoss(world, id);
  if (store === null || store.core.flushLsn < acknowledgedEnd) return false;
  if (world.archived) checkArchive(world, id, store.log.firstLsn);
  const begin = maxLsn(start, store.log.firstLsn);
  const found = store.log.copy(begin, acknowledgedEnd - begin);
  return Buffer.compare(found, committed.slice(begin, acknowledgedEnd)) === 0;
}

/** What a member has removed is in the object store, as it was committed. */
function checkArchive({ ledger, store }: World, id: AcceptorId, firstLsn: Lsn): void {
  const { segmentSize } = identity;
  const first = segmentNumber(start, segmentSize);
  for (let segment = first; segmentStart(segment + 1, segmentSize) <= firstLsn; segment += 1) {
    const found = store.peek(wholeKey(timeline, segment, segmentSize))?.bytes;
    const end = segmentStart(segment + 1, segmentSize);
    const begin = maxLsn(start, segmentStart(segment, segmentSize));
    const kept = found?.subarray(found.length - (end - begin)) ?? new Uint8Array(0);
    const same = Buffer.compare(kept, ledger.committed.slice(begin, end)) === 0;
    ledger.claim(same, 'WAL is removed only when it is in the object store', { id, segment });
  }
}

/** What the acceptor would find. */
function storeAfterPowerLoss(world: World, id: AcceptorId): Store | null {
  const host = world.host(hostOf(id));
  const directory = folderOf(id, host.name);
  const options = { acceptor: id, timeline, newborn: false, archiver: null, directory };
  try {
    return openStore(host.disk.afterPowerLoss(world.random), options);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const values = { id, failure: error.message };
    world.ledger.claim(false, 'an acceptor starts from what a crash left', values);
    return null;
  }
}
