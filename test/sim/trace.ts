/**
 * Trace: a run as a story: what was done to the world, what the actors said to each other and logged,
 * in the order of the world's time.
 */
import { type TraceEvent } from '../../src/runtime/trace.ts';
import { type World } from './world.ts';

/** Ticks to oneself and what a reader asks again and again say nothing. */
const noise = new Set(['syncDue', 'positionDue', 'readDue', 'deadlineDue', 'chunkIngested']);

export function printTrace({ simulation, story }: World): void {
  let at = 0;
  for (const { traced, text } of story) {
    for (; at < simulation.trace.length && at < traced; at += 1) print(simulation.trace[at]!);
    console.log(`---- ${text}`);
  }
  for (; at < simulation.trace.length; at += 1) print(simulation.trace[at]!);
}

function print(event: TraceEvent): void {
  if (isNews(event)) console.log(inWords(event));
}

function isNews({ what, detail }: TraceEvent): boolean {
  return what !== 'receive' || !noise.has(detail);
}

/** Times are those of the host the actor lives on. */
function inWords({ at_ms, what, from, to, detail }: TraceEvent): string {
  const time = at_ms.toFixed(3).padStart(12);
  if (what === 'ask' || what === 'tell') return `${time}  ${from} ${what}s ${to}: ${detail}`;
  return `${time}  ${to} ${what}: ${detail}`;
}
