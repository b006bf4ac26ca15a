/** How far a branch is committed: watched once for all who follow it, and not without them. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { CommittedTips, type OpenedWal } from '../../../src/actors/wal-sender/committed-wal.ts';
import { type WalSenderMessage } from '../../../src/actors/wal-sender/protocol.ts';
import { walSource } from '../../../src/actors/wal-sender/wal-source.ts';
import { Failure } from '../../../src/base/failure.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { type Context } from '../../../src/runtime/actor.ts';

test('tips: one read waits, however many follow', async () => {
  const acceptor = new ReadAcceptor();
  const tips = new CommittedTips(acceptor.context);
  const heard: string[] = [];
  tips.follow(opened(100), () => heard.push('a'));
  const second = tips.follow(opened(100), () => heard.push('b'));

  await acceptor.answer(120);

  deepEqual(heard, ['a', 'b']);
  equal(second.commitLsn(), 120);
  deepEqual(acceptor.froms, [100, 120]);
});

test('tips: a read that waited in vain is asked again, and nobody hears of it', async () => {
  const acceptor = new ReadAcceptor();
  const heard: string[] = [];
  new CommittedTips(acceptor.context).follow(opened(100), () => heard.push('a'));

  await acceptor.answer(100);

  deepEqual(heard, []);
  deepEqual(acceptor.froms, [100, 100]);
});

test('tips: when the last has left nothing more is asked', async () => {
  const acceptor = new ReadAcceptor();
  const tips = new CommittedTips(acceptor.context);
  const first = tips.follow(opened(100), () => undefined);
  const second = tips.follow(opened(100), () => undefined);
  first.leave();
  await acceptor.answer(110);
  second.leave();
  await acceptor.answer(120);

  tips.follow(opened(130), () => undefined);

  deepEqual(acceptor.froms, [100, 110, 130]);
});

test('tips: an acceptor that knows of less than before changes nothing', async () => {
  const acceptor = new ReadAcceptor();
  const tips = new CommittedTips(acceptor.context);
  const tip = tips.follow(opened(100), () => undefined);

  tips.follow(opened(90), () => undefined);
  await acceptor.answer(95);

  equal(tip.commitLsn(), 100);
});

test('tips: a read that fails is told to all, and the next to follow begins anew', async () => {
  const acceptor = new ReadAcceptor();
  const tips = new CommittedTips(acceptor.context);
  const heard: string[] = [];
  const tip = tips.follow(opened(100), () => heard.push('a'));

  await acceptor.refuse(new Failure('actor_missing', {}));
  const again = tips.follow(opened(110), () => undefined);

  deepEqual(heard, ['a']);
  throws(() => tip.commitLsn(), { code: 'actor_missing' });
  equal(again.commitLsn(), 110);
  deepEqual(acceptor.froms, [100, 110]);
});

/** Answers `awaitCommit` when it is told to. */
class ReadAcceptor {
  /** Where reads began. */
  readonly froms: number[] = [];
  #asked = Promise.withResolvers<unknown>();

  /** All that the tips use of an actor's context. */
  get context(): Context<WalSenderMessage> {
    const ask = (_to: unknown, { at }: { readonly at: number }): Promise<unknown> => {
      this.froms.push(at - 1);
      this.#asked = Promise.withResolvers();
      return this.#asked.promise;
    };
    return { ask, ref: (path: string) => ({ path }) } as unknown as Context<WalSenderMessage>;
  }

  async answer(commitLsn: number): Promise<void> {
    this.#asked.resolve({ commitLsn });
    await heard();
  }

  async refuse(failure: Failure): Promise<void> {
    this.#asked.reject(failure);
    await heard();
  }
}

/** Promises that were settled have been heard of. */
function heard(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function opened(commitLsn: number): OpenedWal {
  const ranges = [{ acceptor: 'acceptor/t', from: lsn(0), to: null }];
  const wal = { systemId: '1', major: 18, segmentSize: 2 ** 20, ranges };
  const source = walSource(wal, { startLsn: lsn(0), firstLsn: lsn(0) });
  return { source, commitLsn: lsn(commitLsn) };
}
