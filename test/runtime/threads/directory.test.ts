/**
 * The directory of paths, as several threads' views of one memory.
 */
import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../src/io/random.ts';
import { createDirectory, SharedDirectory } from '../../../src/runtime/threads/directory.ts';

test('directory: a copy that crossed threads agrees with a plain map after any changes', () => {
  const memory = createDirectory(256);
  const writer = new SharedDirectory(memory);
  const reader = new SharedDirectory(structuredClone(memory));
  const model = new Map<string, number>();
  const random = new SeededRandom(11);

  for (let step = 0; step < 5_000; step += 1) {
    const path = `timeline/${random.below(300).toString(16)}`;
    const thread = random.below(5);
    if (random.oneIn(2) && model.size < 200) {
      writer.publish(path, thread);
      model.set(path, thread);
    } else {
      writer.withdraw(path);
      model.delete(path);
    }
    const asked = `timeline/${random.below(300).toString(16)}`;
    equal(reader.threadOf(asked), model.get(asked) ?? null);
  }
});

test('directory: a full one refuses', () => {
  const directory = new SharedDirectory(createDirectory(32));

  throws(
    () => {
      for (let index = 0; index <= 32; index += 1) directory.publish(`timeline/${index}`, 1);
    },
    { code: 'directory_full' },
  );
});
