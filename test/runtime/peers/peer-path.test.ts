/** Addresses of actors of other hosts. */
import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { hostOfPath, localPath, pathOn } from '../../../src/runtime/peers/peer-path.ts';

test('peer path: an actor of another host is addressed by its host', () => {
  deepEqual(
    [pathOn('b', 'a', 'acceptor/t'), pathOn('a', 'a', 'acceptor/t')],
    ['b:acceptor/t', 'acceptor/t'],
  );
});

test('peer path: a path is taken apart again', () => {
  const paths = ['b:acceptor/t', 'acceptor/t', 'acceptor/a:b', ''];

  deepEqual(paths.map(hostOfPath), ['b', null, null, null]);
  deepEqual(paths.map(localPath), ['acceptor/t', 'acceptor/t', 'acceptor/a:b', '']);
});

test('peer path: a name that would not be read back is no host', () => {
  throws(() => pathOn('B/c', 'a', 'acceptor/t'), { name: 'AssertionFailed' });
});
