/** Page checksums against those Postgres itself wrote. */
import { equal, ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pageChecksum, setPageChecksum } from '../../src/postgres/page-checksum.ts';
import { isNewPage, PageHeader, pageSize } from '../../src/postgres/page.ts';
import { makeCluster } from './postgres-cluster.ts';

test('PageChecksum: every page of a cluster with data checksums has the one we compute', () => {
  const cluster = makeCluster(15, '-k');
  let pages = 0;
  try {
    const directory = join(cluster.directory, 'base/5');
    for (const name of readdirSync(directory).filter((each) => /^\d+(_\w+)?$/.test(each))) {
      const file = new Uint8Array(readFileSync(join(directory, name)));
      for (let block = 0; block < file.length / pageSize; block += 1) {
        const page = new DataView(file.buffer, block * pageSize, pageSize);
        if (isNewPage(page)) continue;
        equal(pageChecksum(page, block), PageHeader.checksum.get(page, 0), `${name} ${block}`);
        pages += 1;
      }
    }
  } finally {
    cluster.remove();
  }

  ok(pages > 500);
});

test('PageChecksum: setting it again changes nothing, and a new page gets none', () => {
  const page = new DataView(new ArrayBuffer(pageSize));
  setPageChecksum(page, 7);
  equal(PageHeader.checksum.get(page, 0), 0);
  PageHeader.upper.set(page, 0, pageSize);

  setPageChecksum(page, 7);
  const first = PageHeader.checksum.get(page, 0);
  setPageChecksum(page, 7);

  ok(first !== 0);
  equal(PageHeader.checksum.get(page, 0), first);
});
