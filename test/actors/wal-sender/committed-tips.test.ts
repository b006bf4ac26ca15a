/** How far a branch is committed: watched once for all who follow it, and not without them. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { CommittedTips } from '../../../src/actors/wal-sender/committed-tips.ts';
import { Failure } from '../../../src/base/failure.ts';
import { FakeAcceptors } from './fake-acceptors.ts';

test('tips: one ask waits at one acceptor, the nearest, however many follow', async () => {
  const { acceptors, tips } = watched('a', 'b', 'c');
  const heard: string[] = [];
  tips.follow(acceptors.opened(100), () => heard.push('first'));
  const second = tips.follow(acceptors.opened(100), () => heard.push('second'));

  await acceptors.answer('a', 120);

  deepEqual(heard, ['first', 'second']);
  equal(second.commitLsn(), 120);
  deepEqual(acceptors.asks, ['awaitCommit a 101', 'awaitCommit a 121']);
});

test('tips: an ask that waited in vain is asked again, and nobody hears of it', async () => {
  const { acceptors, tips } = watched('a');
  const heard: string[] = [];
  tips.follow(acceptors.opened(100), () => heard.push('first'));

  await acceptors.refuse('a', 'ask_timed_out');

  deepEqual(heard, []);
  deepEqual(acceptors.asks, ['awaitCommit a 101', 'awaitCommit a 101']);
});

test('tips: when the last has left nothing more is asked', async () => {
  const { acceptors, tips } = watched('a', 'b');
  const first = tips.follow(acceptors.opened(100), () => undefined);
  const second = tips.follow(acceptors.opened(100), () => undefined);
  first.leave();
  await acceptors.answer('a', 110);
  second.leave();
  await acceptors.answer('a', 120);

  tips.follow(acceptors.opened(130), () => undefined);

  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'a 111', 'a 131']);
});

test('tips: one who knows of more has all hear of it, one who knows of less changes nothing', () => {
  const { acceptors, tips } = watched('a');
  const heard: string[] = [];
  const tip = tips.follow(acceptors.opened(100), () => heard.push('first'));

  tips.follow(acceptors.opened(90), () => undefined);
  const before = [tip.commitLsn(), heard.length];
  tips.follow(acceptors.opened(130), () => undefined);

  deepEqual(before, [100, 0]);
  deepEqual([tip.commitLsn(), heard.length], [130, 1]);
});

test('tips: when its acceptor fails the watch goes on at the next, and nobody hears of it', async () => {
  const { acceptors, tips } = watched('a', 'b', 'c');
  const heard: string[] = [];
  const tip = tips.follow(acceptors.opened(100), () => heard.push('first'));

  await acceptors.refuse('a', 'peer_unreachable');
  await acceptors.refuse('b', 'acceptor_missing');
  const before = [...heard];
  await acceptors.answer('c', 120);

  deepEqual([before, heard], [[], ['first']]);
  equal(tip.commitLsn(), 120);
  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'b 101', 'c 101', 'c 121']);
});

test('tips: an acceptor that is silent while others know of more is left for one of those', async () => {
  const { acceptors, tips } = watched('a', 'b', 'c');
  const tip = tips.follow(acceptors.opened(100), () => undefined);
  acceptors.commits.set('b', new Failure('ask_timed_out', {})).set('c', 140);

  await acceptors.refuse('a', 'ask_timed_out');
  const known = tip.commitLsn();
  await acceptors.refuse('a', 'ask_timed_out');

  equal(known, 140);
  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'a 101', 'c 141']);
});

test('tips: an acceptor that is silent because nothing is committed is not left', async () => {
  const { acceptors, tips } = watched('a', 'b', 'c');
  tips.follow(acceptors.opened(100), () => undefined);
  acceptors.commits.set('b', 100).set('c', new Failure('peer_unreachable', {}));

  await acceptors.refuse('a', 'ask_timed_out');
  await acceptors.refuse('a', 'ask_timed_out');

  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'a 101', 'a 101']);
});

test('tips: what others know is learned now and then though its acceptor answers', async () => {
  const { acceptors, tips } = watched('a', 'b');
  const tip = tips.follow(acceptors.opened(100), () => undefined);
  acceptors.commits.set('b', 500);

  await acceptors.answer('a', 110);
  const soon = tip.commitLsn();
  acceptors.now_ms = 5_000;
  await acceptors.answer('a', 120);
  const later = tip.commitLsn();
  await acceptors.answer('a', 510);

  deepEqual([soon, later], [110, 500]);
  // It is not left for that.
  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'a 111', 'a 121', 'a 511']);
});

test('tips: an acceptor that answers less than is known makes nothing fall, and is as silent', async () => {
  const { acceptors, tips } = watched('a', 'b');
  const tip = tips.follow(acceptors.opened(100), () => undefined);

  await acceptors.answer('a', 60); // as one does whose place was taken

  equal(tip.commitLsn(), 100);
  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'a 101']);
  deepEqual(acceptors.asked('describeAcceptor'), ['b']);
});

test('tips: when all acceptors have failed it is those that control knows now', async () => {
  const { acceptors, tips } = watched('a', 'b');
  const tip = tips.follow(acceptors.opened(100), () => undefined);
  acceptors.acceptors = ['c', 'd'];

  await acceptors.refuse('a', 'acceptor_missing');
  await acceptors.refuse('b', 'acceptor_missing');
  await acceptors.refuse('c', 'actor_crashed');
  await acceptors.answer('d', 120);

  equal(tip.commitLsn(), 120);
  deepEqual(acceptors.asked('findAcceptors'), ['t']);
  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'b 101', 'c 101', 'd 101', 'd 121']);
});

test('tips: when those fail too it is told to all, and the next to follow begins anew', async () => {
  const { acceptors, tips } = watched('a');
  const heard: string[] = [];
  const tip = tips.follow(acceptors.opened(100), () => heard.push('first'));

  await acceptors.refuse('a', 'actor_missing');
  const before = [...heard];
  await acceptors.refuse('a', 'actor_missing');
  const again = tips.follow(acceptors.opened(110), () => undefined);

  deepEqual([before, heard], [[], ['first']]);
  throws(() => tip.commitLsn(), { code: 'actor_missing' });
  equal(again.commitLsn(), 110);
  deepEqual(acceptors.asked('awaitCommit'), ['a 101', 'a 101', 'a 111']);
});

function watched(...paths: readonly string[]): { acceptors: FakeAcceptors; tips: CommittedTips } {
  const acceptors = new FakeAcceptors(...paths);
  return { acceptors, tips: new CommittedTips(acceptors.wal, acceptors.context.clock) };
}
