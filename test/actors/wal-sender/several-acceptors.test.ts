/** The wal-sender between followers and the acceptors of a branch, some of which are away or behind. */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { connectFollower, Follower } from './follower.ts';
import { acceptor, branch, early, late, later, middle, start, withSender } from './sending.ts';

test('wal-sender: when its acceptor goes a follower is served by another, and notices nothing', async () => {
  await withSender(
    async ({ host, main, address }) => {
      const second = await acceptor(host, 'second', start);
      await second.append(start, late);
      await main.commit(middle);
      const follower = await Follower.start({ address, branch: 'main' }, start);
      await follower.reach(middle);

      await main.stop();
      await second.commit(later);
      await follower.reach(later);
      await second.commit(late);
      await follower.reach(late);

      equal(Buffer.compare(follower.bytes(), main.bytes(start, late)), 0);
      equal(follower.ended, undefined);
    },
    { mainAcceptors: ['acceptor/main', 'acceptor/second'] },
  );
});

test('wal-sender: what the nearest acceptor lacks is another’s, and nothing comes twice', async () => {
  await withSender(
    async ({ host, main, address }) => {
      const ahead = await acceptor(host, 'ahead', start);
      await ahead.append(start, late);
      await main.commit(early);
      await ahead.commit(middle);
      const follower = await Follower.start({ address, branch: 'main' }, start);
      await follower.reach(middle);

      await main.commit(late);
      await follower.reach(late);

      equal(Buffer.compare(follower.bytes(), main.bytes(start, late)), 0);
    },
    { mainAcceptors: ['acceptor/main', 'acceptor/ahead'] },
  );
});

test('wal-sender: when all acceptors have been replaced the new ones send the rest', async () => {
  const mainAcceptors = ['acceptor/main'];
  await withSender(
    async ({ host, main, address }) => {
      const heir = await acceptor(host, 'heir', start);
      await heir.append(start, late);
      await main.commit(middle);
      const follower = await Follower.start({ address, branch: 'main' }, start);
      await follower.reach(middle);

      mainAcceptors.splice(0, 1, heir.path);
      await main.stop();
      await heir.commit(late);
      await follower.reach(late);

      equal(Buffer.compare(follower.bytes(), main.bytes(start, late)), 0);
    },
    { mainAcceptors },
  );
});

test('wal-sender: inherited bytes too are of whoever keeps them when they are sent', async () => {
  const mainAcceptors = ['acceptor/main'];
  await withSender(
    async ({ host, main, address }) => {
      await main.commit(middle);
      await branch(host, 'dev', middle, later);
      const client = await connectFollower({ address, branch: 'dev' });
      await client.query('IDENTIFY_SYSTEM');
      const heir = await acceptor(host, 'heir', start);
      await heir.append(start, late);
      await heir.commit(late);

      mainAcceptors.splice(0, 1, heir.path);
      await main.stop();
      const follower = new Follower(client, start);
      await follower.begin();
      await follower.reach(later);

      equal(Buffer.compare(follower.bytes(), main.bytes(start, later)), 0);
    },
    { mainAcceptors },
  );
});
