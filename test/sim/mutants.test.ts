/**
 * Mutants that the simulation finds within a few seeds. `npm run simulate -- --mutants` tries the others
 * as well.
 */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { mutants, type Mutant } from './mutants.ts';
import { type Report } from './report.ts';

const run = promisify(execFile);
/** More take too long here. */
const fewSeeds = 6;

for (const [name, { within, defect }] of Object.entries<Mutant>(mutants))
  if (within <= fewSeeds)
    test(`mutant ${name}: that ${defect} is found within ${within} seeds`, async () => {
      const report = await simulate(['--seeds', String(within), '--mutant', name]);

      equal(report.failures.length, 1);
      match(report.failures[0]!.text, /^not true: /);
    });

test('mutants: the documentation lists them all', () => {
  const row = /^\| `(\w+)` \| (.+) \| (\d+) \|$/gm;
  const documented = readFileSync('docs/testing.md', 'utf8').matchAll(row);
  const listed = [...documented].map(([, name, defect, within]) => [name, defect, Number(within)]);

  deepEqual(
    listed,
    Object.entries(mutants).map(([name, { defect, within }]) => [name, defect, within]),
  );
});

test('simulate: a failure is told with the command that tells its story', async () => {
  const seeds = ['--seeds', '3', '--mutant', 'servesUncommitted'];

  await rejects(run(process.execPath, ['test/sim/run.ts', ...seeds]), {
    stdout: /npm run simulate -- --from \d+ --trace --mutant servesUncommitted/,
  });
});

test('simulate: a seed’s story says what was done and what was said', async () => {
  const one = ['--from', '1', '--trace'];

  const { stdout } = await run(process.execPath, ['test/sim/run.ts', ...one], {
    maxBuffer: 64 * 2 ** 20,
  });

  match(stdout, /---- at [\d.]+ ms: thread killed/);
  match(stdout, /proposer\/[pq] asks acceptor-a\/t: appendWal/);
});

/** What the simulator reports; it ends with 1 when a seed fails. */
async function simulate(args: readonly string[]): Promise<Report> {
  const command = ['test/sim/run.ts', '--json', ...args];
  const { stdout } = await run(process.execPath, command).catch(
    (error: unknown) => error as { readonly stdout: string },
  );
  return JSON.parse(stdout) as Report;
}
