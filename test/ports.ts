/**
 * Ports for tests: of a range that the system gives nobody, and of each process its own.
 */
import { isPortFree } from '../src/io/ports.ts';

/** The system gives out ports from 32,768 on. */
const first = 10_000;
const slices = 1_100;
const perProcess = 20;

let taken = 0;

/** A port that no other test takes before it is listened on. */
export async function takeTestPort(address: string): Promise<number> {
  const slice = first + (process.pid % slices) * perProcess;
  for (let tries = 0; tries < perProcess; tries += 1) {
    const port = slice + (taken++ % perProcess);
    if (await isPortFree(address, port)) return port;
  }
  throw new Error(`all of ${perProcess} ports from ${slice} on are in use`);
}
