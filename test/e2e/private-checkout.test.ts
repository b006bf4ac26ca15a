/** A checkout and a data directory where only root can go. */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { mountsBelow } from '../../src/io/mounts.ts';
import { startTestHost } from './host.ts';
import { clearFolder } from './leftovers.ts';

const repository = join(import.meta.dirname, '../..');
const reachable = '/run/stemma';
const postgres = 'postgres-18';

test(
  'checkout: below a folder that Postgres cannot enter it works, and nothing is left',
  { timeout: 120_000 },
  async (t) => {
    const hidden = mkdtempSync(join(tmpdir(), 'stemma-e2e-'));
    chmodSync(hidden, 0o700);
    t.after(() => clearFolder(hidden));
    const checkout = copyCheckout(hidden);
    const program = join(checkout, 'src/main.ts');
    const host = await startTestHost(t, { directory: join(hidden, 'data'), program });
    const [branch] = await host.json<{ timeline: string }[]>('branch', 'list');
    function isOurs(path: string): boolean {
      return path.includes(branch!.timeline.slice(0, 16));
    }
    const binds = mountsBelow(reachable).filter(isOurs);
    assert.ok(binds.length >= 1, 'the scratch folder is reached through a bind mount');
    const client = await host.connect();
    const { rows } = await client.query(`show data_directory`);
    assert.ok(rows[0]![0]!.startsWith(reachable));
    await client.query('create table t as select 1');
    await client.end();
    const { code, stderr } = await host.stop();
    assert.equal(code, 0, stderr);
    assert.deepEqual(mountsBelow(reachable).filter(isOurs), []);
    assert.deepEqual(readdirSync(reachable).filter(isOurs), []);
    assert.deepEqual(mountsBelow(hidden), []);
  },
);

/** The sources and one Postgres are copied; the other packages may be anywhere. */
function copyCheckout(folder: string): string {
  const checkout = join(folder, 'checkout');
  const packages = realpathSync(join(repository, 'node_modules'));
  mkdirSync(join(checkout, 'node_modules'), { recursive: true });
  cpSync(join(repository, 'src'), join(checkout, 'src'), { recursive: true });
  cpSync(join(repository, 'package.json'), join(checkout, 'package.json'));
  for (const name of readdirSync(packages)) {
    const [from, to] = [join(packages, name), join(checkout, 'node_modules', name)];
    if (name === postgres)
      cpSync(realpathSync(from), to, { recursive: true, verbatimSymlinks: true });
    else symlinkSync(from, to);
  }
  return checkout;
}
