/**
 * Log: one line per entry on standard error, as JSON for machines or text for people.
 *
 * Lines are written synchronously, so that the last words before a crash are not lost. Worker threads do
 * not write: the runtime carries their entries to the main thread, which owns the one sink.
 */
import { writeSync } from 'node:fs';

type LogEntryLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogEntry {
  readonly time_ms: number;
  readonly level: LogEntryLevel;
  readonly thread: string;
  /** The actor that says it, or the part of the runtime. */
  readonly source: string;
  readonly text: string;
  readonly values: Readonly<Record<string, string | number | boolean | null>>;
}

export type LogSink = (entry: LogEntry) => void;

interface LogSettings {
  readonly level: LogEntryLevel;
  readonly format: 'json' | 'text';
}

const ranks: Readonly<Record<LogEntryLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const standardError = 2;

/** A sink for standard error that leaves out what ranks below the level. */
export function logToStandardError(settings: LogSettings): LogSink {
  const format = settings.format === 'json' ? formatJson : formatText;
  return (entry) => {
    if (ranks[entry.level] >= ranks[settings.level]) writeLine(`${format(entry)}\n`);
  };
}

/** `{"time":"…","level":"warn","thread":"wal","source":"acceptor/1","text":"…", …values}` */
export function formatJson(entry: LogEntry): string {
  const { time_ms, level, thread, source, text, values } = entry;
  const time = new Date(time_ms).toISOString();
  return JSON.stringify({ time, level, thread, source, text, ...values });
}

/** `2026-01-02T03:04:05.678Z warn wal acceptor/1: text. key=value` */
export function formatText(entry: LogEntry): string {
  const { time_ms, level, thread, source, text, values } = entry;
  const head = `${new Date(time_ms).toISOString()} ${level} ${thread} ${source}: ${text}`;
  const pairs = Object.entries(values).map(([key, value]) => `${key}=${quoted(value)}`);
  return [head, ...pairs].join(' ');
}

function quoted(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value);
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

/** A pipe that is full and does not block gets the line through the event loop instead. */
function writeLine(line: string): void {
  try {
    writeSync(standardError, line);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    process.stderr.write(line);
  }
}
