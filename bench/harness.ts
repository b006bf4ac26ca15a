/**
 * Harness: what every benchmark reports, and how it is shown: a figure of ours, the same of the peer
 * measured in the same run, and their ratio.
 */

/** How much work to do: what people want to know, or just enough to see that it runs. */
export type Size = 'full' | 'small';

export interface Goal {
  readonly of: 'host' | 'ratio';
  readonly bound: 'min' | 'max';
  readonly value: number;
}

export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly host: number;
  /** null when there is nothing to compare with; `note` says why. */
  readonly peer: number | null;
  readonly goal: Goal | null;
  readonly note: string;
}

export interface Report {
  readonly question: string;
  /** What a reader must know to judge the figures. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly figures: readonly Figure[];
}

/** A figure with nothing unusual about it. */
export function figure(
  parts: Pick<Figure, 'what' | 'unit' | 'host' | 'peer'> & Partial<Figure>,
): Figure {
  return { goal: null, note: '', ...parts };
}

/** Host divided by peer. */
export function ratio({ host, peer }: Figure): number | null {
  return peer === null ? null : host / peer;
}

/** null when the figure has no goal, or lacks the peer its goal is about. */
export function isGoalMet(one: Figure): boolean | null {
  const { goal, host } = one;
  const value = goal?.of === 'ratio' ? ratio(one) : host;
  if (goal === null || value === null) return null;
  return goal.bound === 'min' ? value >= goal.value : value <= goal.value;
}

/** The report as text, a line per figure. */
export function formatReport({ question, settings, figures }: Report): string {
  const rows = figures.map((one) => [
    one.what,
    `${round(one.host)} ${one.unit}`,
    one.peer === null ? '-' : `${round(one.peer)} ${one.unit}`,
    round(ratio(one)),
    goalText(one),
    one.note,
  ]);
  const head = ['', 'host', 'peer', 'ratio', 'goal', ''];
  const named = Object.entries(settings).map(([name, value]) => `  ${name}: ${value}`);
  return [question, ...named, ...columns([head, ...rows]), ''].join('\n');
}

/** The middle value; of an even number, the upper one of the two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Milliseconds `work` takes. */
export async function timed_ms(work: () => Promise<unknown>): Promise<number> {
  const began_ms = performance.now();
  await work();
  return performance.now() - began_ms;
}

function goalText(one: Figure): string {
  const { goal } = one;
  if (goal === null) return '';
  const sign = goal.bound === 'min' ? '>=' : '<=';
  const verdict = { true: 'met', false: 'missed', null: 'open' }[`${isGoalMet(one)}`];
  return `${goal.of === 'ratio' ? 'ratio ' : ''}${sign} ${goal.value}: ${verdict}`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
}

function round(value: number | null): string {
  if (value === null) return '-';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
