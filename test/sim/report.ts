/**
 * Report: what a number of seeds came to.
 */
interface Failed {
  readonly seed: number;
  readonly text: string;
}

export interface Report {
  readonly seeds: number;
  readonly virtual_ms: number;
  readonly steps: number;
  readonly acknowledgements: number;
  /** Configurations after the first. */
  readonly changes: number;
  /** How often what was done: to the world, and to messages. */
  readonly faults: Readonly<Record<string, number>>;
  readonly failures: readonly Failed[];
}

export const emptyReport: Report = {
  seeds: 0,
  virtual_ms: 0,
  steps: 0,
  acknowledgements: 0,
  changes: 0,
  faults: {},
  failures: [],
};

export function merge(a: Report, b: Report): Report {
  const faults: Record<string, number> = { ...a.faults };
  for (const [fault, count] of Object.entries(b.faults))
    faults[fault] = (faults[fault] ?? 0) + count;
  return {
    seeds: a.seeds + b.seeds,
    virtual_ms: a.virtual_ms + b.virtual_ms,
    steps: a.steps + b.steps,
    acknowledgements: a.acknowledgements + b.acknowledgements,
    changes: a.changes + b.changes,
    faults,
    failures: [...a.failures, ...b.failures].sort((one, other) => one.seed - other.seed),
  };
}

export interface PrintOptions {
  /** Of real time. */
  readonly minutes: number;
  readonly mutant: string | null;
  readonly json: boolean;
}

export function printReport(report: Report, { minutes, mutant, json }: PrintOptions): void {
  const seedsPerMinute = Math.round(report.seeds / minutes);
  if (json) {
    console.log(JSON.stringify({ ...report, seedsPerMinute }));
    return;
  }
  const hours = (report.virtual_ms / 3_600_000).toFixed(2);
  console.log(`seeds           ${report.seeds}, ${seedsPerMinute} a minute`);
  console.log(`simulated       ${hours} hours, ${report.steps} steps`);
  console.log(`commits         ${report.acknowledgements} acknowledged`);
  console.log(`configurations  ${report.changes} after the first`);
  for (const [fault, count] of Object.entries(report.faults).sort(([, a], [, b]) => b - a))
    console.log(`  ${String(count).padStart(8)}  ${fault}`);
  for (const { seed, text } of report.failures) {
    console.log(`seed ${seed}: ${text}`);
    console.log(`  again with: ${commandOf(seed, mutant)}`);
  }
}

/** What tells a seed's story. */
function commandOf(seed: number, mutant: string | null): string {
  const put = mutant === null ? '' : ` --mutant ${mutant}`;
  return `npm run simulate -- --from ${seed} --trace${put}`;
}
