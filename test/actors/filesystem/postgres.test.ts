/** A stock Postgres on a mount: what it wrote is there, also after everything was trimmed. */
import { after, before, describe, test } from 'node:test';
import { equal, ok } from 'node:assert/strict';
import { postgresOnMount, type PostgresOnMount } from './postgres-on-mount.ts';
import { type PostgresClient } from '../../../src/io/postgres-client.ts';

for (const major of [15, 18])
  describe(`filesystem, Postgres ${major}`, () => {
    let postgres: PostgresOnMount;
    before(async () => {
      postgres = await postgresOnMount(major);
    });
    after(() => postgres.remove());

    test(`filesystem: Postgres ${major} reads back what it wrote, all trimmed in between`, async () => {
      const client = await postgres.connect();
      await client.query(`create extension amcheck;
        create table accounts (id int primary key, balance bigint, filler text);
        create table history (id bigserial, delta int);
        insert into accounts select i, 0, repeat('x', 80) from generate_series(1, 20000) i`);
      let trimmed = 0;
      for (let round = 0; round < 3; round += 1) {
        await Promise.all([1, 2, 3].map((seed) => load(postgres, seed + round * 10)));
        await client.query('vacuum accounts');
        ({ trimmedBlocks: trimmed } = await postgres.trimAll());
      }

      const sums = 'select (select sum(balance) from accounts) = (select sum(delta) from history)';
      equal(await one(client, sums), 't');
      await client.query(`select bt_index_check('accounts_pkey', true)`);
      ok(trimmed > 1_000, `only ${trimmed} blocks were trimmed`);
      await client.end();
    });

    test(`filesystem: Postgres ${major} and a standby that replayed its log agree`, async () => {
      const client = await postgres.connect();
      const digest = `select md5(string_agg(a::text, ',' order by id)) from accounts a`;

      const here = JSON.stringify((await client.query(digest)).rows);

      equal(here, await postgres.askStandby(digest));
      await client.end();
    });

    test(`filesystem: Postgres ${major} finds everything after a restart`, async () => {
      const before = await postgres.connect();
      await before.query('create unlogged table scratch as select generate_series(1, 5000) i');
      await before.query('create database other strategy file_copy');
      const count = await one(before, 'select count(*) from history');
      await before.end();

      await postgres.restart();

      const client = await postgres.connect();
      equal(await one(client, 'select count(*) from history'), count);
      equal(await one(client, 'select count(*) from scratch'), '5000');
      await client.query('drop database other');
      await client.query('drop table history, scratch');
      await client.end();
    });
  });

async function one(client: PostgresClient, sql: string): Promise<string | null> {
  return (await client.query(sql)).rows[0]![0]!;
}

/** Updates, savepoints that are rolled back, and deletes, all balanced by history. */
async function load(postgres: PostgresOnMount, seed: number): Promise<void> {
  const client = await postgres.connect();
  for (let i = 0; i < 150; i += 1) {
    const id = ((seed * 7_919 + i * 104_729) % 19_000) + 1;
    const delta = (i % 17) - 5;
    await client.query(`begin;
      update accounts set balance = balance + ${delta} where id between ${id} and ${id};
      savepoint s; update accounts set filler = 'lost' where id between ${id} and ${id + 20}; rollback to s;
      insert into history (delta) values (${delta});
      ${i % 30 === 0 ? `update accounts set filler = filler || 'y' where id % 100 = ${seed};` : ''}
      commit`);
  }
  await client.end();
}
