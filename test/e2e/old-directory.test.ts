/** A data directory from before hosts shared an object store: it is taken over, with all that is in it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeControl } from '../../src/actors/acceptor/control-file.ts';
import { readProject } from '../../src/actors/control/project-store.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import { DirectoryStore } from '../../src/io/directory-store.ts';
import { connectTo, startTestHost } from './host.ts';

test(
  'old directory: project and acceptors of the first version are taken over',
  { timeout: 120_000 },
  async (t) => {
    const host = await startTestHost(t, {});
    await run(host.connectionString, 'create table t as select 7 as n');
    await host.json('branch', 'create', 'dev');
    await host.stop();
    await makeOld(host.directory);

    await host.start();

    assert.equal(await run(host.connectionString, 'select n from t'), '7');
    const dev = await host.json<{ readonly connectionString: string }>('endpoint', 'start', 'dev');
    assert.equal(await run(dev.connectionString, 'select n from t'), '7');
    await host.json('branch', 'create', 'again', '--parent', 'dev');
    assert.equal(existsSync(join(host.directory, 'project.json')), false);
    await host.stop();
    await host.start();
    assert.equal(await run(host.connectionString, 'select n from t'), '7');
  },
);

/** Writes what is there as the first version wrote it. */
async function makeOld(directory: string): Promise<void> {
  const { project } = (await readProject(new DirectoryStore(join(directory, 'store'))))!;
  const branches = project.branches.map(
    ({ name, timeline, parent, ancestor, createdAt_ms, port, running }) => {
      return { name, timeline, parent, ancestor, createdAt_ms, port, running };
    },
  );
  const { name, major, systemId, segment_bytes } = project;
  const old = { name, major, systemId, segment_bytes, branches };
  const crc = crc32c(Buffer.from(JSON.stringify(old)));
  const file = { version: 1, crc, project: old };
  writeFileSync(join(directory, 'project.json'), `${JSON.stringify(file, null, 2)}\n`);
  rmSync(join(directory, 'store'), { recursive: true });
  for (const timeline of readdirSync(join(directory, 'timelines')))
    makeOldControl(join(directory, 'timelines', timeline, 'acceptor.control'));
}

function makeOldControl(path: string): void {
  const { identity, ...kept } = decodeControl(readFileSync(path), path);
  const body = Buffer.from(JSON.stringify({ ...kept, ...identity, headLsn: undefined }));
  const head = Buffer.alloc(16);
  [0x31434341, 1, body.length, crc32c(body)].forEach((value, at) =>
    head.writeUInt32LE(value, 4 * at),
  );
  writeFileSync(path, Buffer.concat([head, body]));
}

/** The first value of the first row. */
async function run(connectionString: string, sql: string): Promise<string | null> {
  const client = await connectTo(connectionString);
  try {
    const { rows } = await client.query(sql);
    return rows[0]?.[0] ?? null;
  } finally {
    await client.end();
  }
}
