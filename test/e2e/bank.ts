/**
 * Bank: transfers between accounts by several clients at once, and a ledger of what the server
 * acknowledged.
 *
 * Every transfer moves money and notes its number, in one transaction. So the sum of all balances
 * never changes, every acknowledged number must be there for ever, and a number that was neither
 * acknowledged nor refused may be there or not, but once seen one way stays so.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../src/base/failure.ts';
import { type PostgresClient } from '../../src/io/postgres-client.ts';
import { SeededRandom } from '../../src/io/random.ts';

const accounts = 64;
const startBalance = 1_000;
const connectPatience_ms = 60_000;
const retry_ms = 50;

export class Bank {
  readonly #random: SeededRandom;
  readonly #connect: () => Promise<PostgresClient>;
  /** Numbers that must be in the ledger, and nothing else but those in doubt. */
  #kept = new Set<number>();
  /** Numbers whose commit was neither acknowledged nor refused. */
  #inDoubt = new Set<number>();
  #next = 1;
  #open = false;
  #working: Promise<void>[] = [];
  #acknowledged = 0;

  constructor(seed: number, connect: () => Promise<PostgresClient>) {
    this.#random = new SeededRandom(seed);
    this.#connect = connect;
  }

  /** Transfers acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  async setUp(): Promise<void> {
    const client = await this.#connect();
    await client.query(`
      create table account (id int primary key, balance bigint not null);
      create table ledger (number int primary key, amount int not null);
      insert into account select n, ${startBalance} from generate_series(1, ${accounts}) n`);
    await client.end();
  }

  /** Opens the counters: `clients` work until the server goes away or `close`. */
  open(clients: number): void {
    this.#open = true;
    this.#working = Array.from({ length: clients }, () => this.#serve());
  }

  async close(): Promise<void> {
    this.#open = false;
    await Promise.all(this.#working);
  }

  /** Waits for a server, and fails unless it has all that was acknowledged and nothing made up. */
  async check(connect = this.#connect): Promise<void> {
    const client = await connectPatiently(connect);
    const { rows } = await client.query('select number from ledger');
    const { rows: sums } = await client.query('select sum(balance), count(*) from account');
    await client.end();
    const found = new Set(rows.map(([number]) => Number(number)));
    const lost = [...this.#kept].filter((number) => !found.has(number));
    assert.deepEqual(lost, [], 'acknowledged or seen, and gone');
    const madeUp = [...found].filter((each) => !this.#kept.has(each) && !this.#inDoubt.has(each));
    assert.deepEqual(madeUp, [], 'refused or seen gone, and there');
    assert.deepEqual(sums, [[String(accounts * startBalance), String(accounts)]]);
    this.#kept = found;
    this.#inDoubt = new Set();
  }

  /** One client: transfers until its connection breaks. */
  async #serve(): Promise<void> {
    const client = await connectPatiently(this.#connect);
    while (this.#open) if (!(await this.#transfer(client))) return;
    await client.end();
  }

  /** False when the connection broke. */
  async #transfer(client: PostgresClient): Promise<boolean> {
    const number = (this.#next += 1);
    try {
      this.#inDoubt.add(number);
      await client.query(this.#statements(number));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return false;
    }
    this.#inDoubt.delete(number);
    this.#kept.add(number);
    this.#acknowledged += 1;
    return true;
  }

  /** Accounts are locked in order, so that transfers do not deadlock. */
  #statements(number: number): string {
    const amount = 1 + this.#random.below(10);
    const [from, to] = [1 + this.#random.below(accounts), 1 + this.#random.below(accounts)];
    const [low, high] = from < to ? [from, to] : [to, from];
    const [first, second] = from < to ? [-amount, amount] : [amount, -amount];
    return `begin;
      update account set balance = balance + ${first} where id = ${low};
      update account set balance = balance + ${second} where id = ${high};
      insert into ledger values (${number}, ${amount});
      commit`;
  }
}

async function connectPatiently(connect: () => Promise<PostgresClient>): Promise<PostgresClient> {
  for (let waited_ms = 0; ; waited_ms += retry_ms) {
    try {
      return await connect();
    } catch (error) {
      if (!(error instanceof Failure) || waited_ms > connectPatience_ms) throw error;
      await sleep(retry_ms);
    }
  }
}
