/**
 * Trace: who did what when. Off unless a hook is given; in simulation the trace is the proof that a
 * seed decides everything.
 */

export interface TraceEvent {
  readonly at_ms: number;
  readonly what: 'tell' | 'ask' | 'receive' | 'start' | 'crash' | 'halt' | 'end';
  readonly thread: string;
  readonly from: string;
  readonly to: string;
  /** The message's kind, or the failure's code. */
  readonly detail: string;
}

export type Trace = (event: TraceEvent) => void;
