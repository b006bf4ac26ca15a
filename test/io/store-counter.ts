/**
 * A process that counts in an object of a directory store: `store-counter.ts <root> <key> <count>`.
 * Prints a line for every increment that was answered.
 */
import { DirectoryStore } from '../../src/io/directory-store.ts';

const [root, key, count] = process.argv.slice(2) as [string, string, string];
const store = new DirectoryStore(root);

for (let done = 0; done < Number(count); done += 1) {
  await increment();
  process.stdout.write('one more\n');
}

async function increment(): Promise<void> {
  for (;;) {
    const stored = await store.get(key);
    const number = stored === null ? 0 : Number(Buffer.from(stored.bytes).toString());
    const bytes = Buffer.from(String(number + 1));
    if ((await store.putIfUnchanged(key, bytes, stored?.version ?? null)) !== null) return;
  }
}
