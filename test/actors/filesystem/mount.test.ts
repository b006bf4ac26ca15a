/** The filesystem actor on a real mount: files and names, and where their bytes come from. */
import { after, before, describe, test } from 'node:test';
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { lsn } from '../../../src/base/lsn.ts';
import { type SampleTaken } from '../../../src/actors/filesystem/protocol.ts';
import { mountTemporary } from '../../io/temporary-disk.ts';
import { mounted, type Mounted } from './mounted.ts';
import { patternPage } from './pattern-lower.ts';

const relation = { tablespace: 1_663, database: 5, relation: 1_000, fork: 0 };
const family = { kind: 0, ...relation } as const;

describe('filesystem', () => {
  let mount: Mounted;
  before(async () => {
    mount = await mounted({
      snapshot: {
        floor: lsn(100),
        databases: [5, 6],
        relations: [
          { ...relation, blocks: 40 },
          { ...relation, relation: 1_001, blocks: 4 },
          { ...relation, relation: 1_002, blocks: 4 },
          { ...relation, relation: 1_003, fork: 3, blocks: 1 },
          { ...relation, relation: 1_003, fork: 0, blocks: 9 },
          { ...relation, relation: 1_003, fork: 1, blocks: 3 },
          { ...relation, relation: 1_004, blocks: 64 },
          { ...relation, relation: 2_000, blocks: 131_073 },
          { ...relation, relation: 666, blocks: 1 },
        ],
        slruSegments: [{ slru: 2, segment: 10, blocks: 3 }],
        files: [{ path: 'base/5/PG_VERSION', bytes: Buffer.from('15\n') }],
      },
    });
  });
  after(() => mount.remove());

  test('filesystem: a page nobody wrote comes from the lower layer', async () => {
    const bytes = await readFile(at('base/5/1000'));

    sameBytes(bytes, Buffer.concat(pattern(family, 40)));
  });

  test('filesystem: a relation of more than 1 GiB has a second file, which counts on', async () => {
    const bytes = await readFile(at('base/5/2000.1'));

    equal((await stat(at('base/5/2000'))).size, 2 ** 30);
    sameBytes(bytes, Buffer.from(patternPage({ ...family, relation: 2_000 }, 131_072)));
  });

  test('filesystem: an unlogged relation begins as its init fork, without other forks', async () => {
    const bytes = await readFile(at('base/5/1003'));

    sameBytes(bytes, Buffer.from(patternPage({ ...family, relation: 1_003, fork: 3 }, 0)));
    await rejects(stat(at('base/5/1003_fsm')), { code: 'ENOENT' });
  });

  test('filesystem: an SLRU segment is in its directory', async () => {
    const bytes = await readFile(at('pg_multixact/offsets/000A'));

    const slru = { kind: 4, tablespace: 2, database: 0, relation: 10, fork: 0 } as const;
    sameBytes(bytes, Buffer.concat(pattern(slru, 3)));
  });

  test('filesystem: a written block is read back, its neighbours come from the lower layer', async () => {
    const file = await open(at('base/5/1001'), 'r+');
    await file.write(page(7), 0, 8_192, 8_192);
    await dropCaches(file);

    const bytes = await readFile(at('base/5/1001'));

    const expected = pattern({ ...family, relation: 1_001 }, 4);
    expected[1] = page(7);
    sameBytes(bytes, Buffer.concat(expected));
    await file.close();
  });

  test('filesystem: what was truncated away is zeros when the file grows again', async () => {
    await truncate(at('base/5/1002'), 8_192);
    await truncate(at('base/5/1002'), 24_576);

    const bytes = await readFile(at('base/5/1002'));

    const kept = patternPage({ ...family, relation: 1_002 }, 0);
    sameBytes(bytes, Buffer.concat([kept, page(0), page(0)]));
  });

  test('filesystem: a plain file has the bytes it was given, and takes others', async () => {
    await writeFile(at('base/6/pg_internal.init.77'), 'cached');

    await rename(at('base/6/pg_internal.init.77'), at('base/6/pg_internal.init'));

    equal(await readFile(at('base/5/PG_VERSION'), 'utf8'), '15\n');
    equal(await readFile(at('base/6/pg_internal.init'), 'utf8'), 'cached');
  });

  test('filesystem: a listing has every name once', async () => {
    await mkdir(at('base/7'));
    const names = Array.from({ length: 3_000 }, (_, i) => `t3_${i + 1}`);
    for (const name of names) await writeFile(at(`base/7/${name}`), '');

    deepEqual((await readdir(at('base/7'))).sort(), names.sort());
    await rejects(rmdir(at('base/7')), { code: 'ENOTEMPTY' });
  });

  test('filesystem: a file that is removed while open can still be read', async () => {
    await writeFile(at('base/6/4242'), page(9));
    const file = await open(at('base/6/4242'), 'r');
    await unlink(at('base/6/4242'));

    const { buffer } = await file.read(new Uint8Array(8_192), 0, 8_192, 0);

    sameBytes(buffer, page(9));
    await file.close();
    await rejects(stat(at('base/6/4242')), { code: 'ENOENT' });
  });

  test('filesystem: a page the lower layer cannot give is an input error', async () => {
    await rejects(readFile(at('base/5/666')), { code: 'EIO' });
  });

  test('filesystem: a trimmed block comes from the lower layer, and its slot is free', async () => {
    const file = await open(at('base/5/1004'), 'r+');
    for (let block = 0; block < 64; block += 1)
      await file.write(loggedPage(3), 0, 8_192, block * 8_192);
    await file.write(page(0), 0, 8_192, 63 * 8_192); // never logged: must stay
    await dropCaches(file);
    const before = await mount.ask({ kind: 'describeMount' });

    const { writeMark } = await mount.ask({ kind: 'markWrites' });
    mount.tell(sample({ writeMark }));
    await mount.ask({ kind: 'trimUpper' });

    const now = await mount.ask({ kind: 'describeMount' });
    const expected = pattern({ ...family, relation: 1_004 }, 64);
    expected[63] = page(0);
    sameBytes(await readFile(at('base/5/1004')), Buffer.concat(expected));
    ok(before.upper_bytes - now.upper_bytes >= 63 * 8_192);
    equal(now.floor, 200);
    await file.close();
  });

  test('filesystem: what was written after the mark is not trimmed', async () => {
    const file = await open(at('base/5/1000'), 'r+');
    await file.write(loggedPage(4), 0, 8_192, 8_192);
    await dropCaches(file);
    const { writeMark } = await mount.ask({ kind: 'markWrites' });
    await file.write(loggedPage(5), 0, 8_192, 0);
    await dropCaches(file);

    mount.tell(sample({ writeMark }));
    await mount.ask({ kind: 'trimUpper' });

    const { buffer } = await file.read(new Uint8Array(8_192), 0, 8_192, 0);
    sameBytes(buffer, loggedPage(5));
    await file.close();
  });

  function at(path: string): string {
    return join(mount.mountPoint, path);
  }
});

test('filesystem: a delayed write that finds no room fails the mount, and every read after it', async () => {
  const snapshot = { databases: [5], relations: [{ ...relation, blocks: 4 }], slruSegments: [] };
  const mount = await mounted({
    upperMax_bytes: 64 * 8_192,
    snapshot: { ...snapshot, files: [], floor: lsn(1) },
  });
  try {
    const file = await open(join(mount.mountPoint, 'base/5/1001'), 'w+');
    await file.write(new Uint8Array(80 * 8_192).fill(1));

    await rejects(file.sync(), { code: 'ENOSPC' });

    await rejects(readFile(join(mount.mountPoint, 'base/5/1000')), { code: 'EIO' });
    await mount.ask({ kind: 'describeMount' });
    deepEqual(
      mount.told.map(({ kind }) => kind),
      ['mountFailed'],
    );
    await file.close();
  } finally {
    await mount.remove();
  }
});

test('filesystem: a scratch disk without room refuses new files, and the mount goes on', async (t) => {
  // places for the folder, the scratch folder in it, and the slot file
  const disk = mountTemporary(t, 'nr_inodes=3');
  const mount = await mounted({ scratchDirectory: join(disk, 'scratch') });
  try {
    const path = join(mount.mountPoint, 'pg_twophase/0000000000000001');

    await rejects(writeFile(path, 'prepared'), { code: 'ENOSPC' });

    deepEqual(await readdir(join(mount.mountPoint, 'pg_twophase')), []);
    deepEqual(mount.told, []);
  } finally {
    await mount.remove();
  }
});

test('filesystem: a scratch disk that holds the first files in part is a full disk', async (t) => {
  const disk = mountTemporary(t, 'size=8192');
  const files = [{ path: 'base/5/pg_internal.init', bytes: new Uint8Array(3 * 4_096).fill(1) }];
  const lower = { databases: [5], relations: [], slruSegments: [], floor: lsn(1) };

  const start = mounted({ scratchDirectory: join(disk, 'scratch'), snapshot: { ...lower, files } });

  await rejects(start, { code: 'disk_full' });
});

test('filesystem: extending beyond the upper layer is refused at once', async () => {
  const mount = await mounted({ upperMax_bytes: 64 * 8_192 });
  try {
    await mkdir(join(mount.mountPoint, 'base/5'));
    const path = join(mount.mountPoint, 'base/5/1000');
    await writeFile(path, '');

    const extend = promisify(execFile)('fallocate', ['-l', '1000000', path]);

    await rejects(extend, /No space left/);
  } finally {
    await mount.remove();
  }
});

test('filesystem: the memory it shares with its readers is given back when it ends', async () => {
  const before = await promised_bytes();
  let mount: Mounted | null = await mounted({ upperMax_bytes: 2 ** 36 });
  const during = await promised_bytes();
  const shared = during - before;

  await mount.remove();
  mount = null;

  ok(shared > 2 ** 30, `a mount takes ${shared} bytes`);
  let after = during;
  for (let tries = 0; tries < 40 && after > during - shared / 2; tries += 1) {
    await sleep(50);
    after = await promised_bytes();
  }
  ok(after < during - shared / 2, `${before}, ${during}, then ${after} bytes`);
});

/** What the kernel has promised to this process: memory that it may write to (proc(5), `statm`). */
async function promised_bytes(): Promise<number> {
  const [, , , , , data] = (await readFile('/proc/self/statm', 'utf8')).split(' ');
  return Number(data) * 4_096;
}

/** Without a description of how they differ, which takes a minute for a file. */
function sameBytes(found: Uint8Array, expected: Uint8Array): void {
  equal(Buffer.compare(found, expected), 0, 'the bytes differ');
}

function page(fill: number): Uint8Array {
  return new Uint8Array(8_192).fill(fill);
}

/** A page with an LSN, and no special area. */
function loggedPage(fill: number): Uint8Array {
  return page(fill);
}

function pattern(of: Parameters<typeof patternPage>[0], blocks: number): Uint8Array[] {
  return Array.from({ length: blocks }, (_, block) => patternPage(of, block));
}

/** An idle Postgres, everything ingested. */
function sample({ writeMark }: { readonly writeMark: number }): SampleTaken {
  const at = lsn(200);
  return { kind: 'sampleTaken', writeMark, insertLsn: at, nextXid: 9, xmin: 9, ingestedLsn: at };
}

/** Has the kernel write back what is dirty, so that it is the mount that is read next. */
async function dropCaches(file: { sync(): Promise<void> }): Promise<void> {
  await file.sync();
}
