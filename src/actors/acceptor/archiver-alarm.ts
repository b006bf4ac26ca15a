/**
 * ArchiverAlarm: wakes the archiver when WAL is appended after a rest, and makes sure that it has heard: an
 * ask that fails is repeated with the next append.
 */
import { type Context } from '../../runtime/actor.ts';
import { type ArchiverMessage } from '../archiver/protocol.ts';
import { type AcceptorMessage } from './protocol.ts';

const limits = { timeout_ms: 10_000 };

export class ArchiverAlarm {
  readonly #path: string | null;
  #archiver: 'rests' | 'isAsked' | 'hasHeard' = 'rests';
  /** Numbers rests: the answer to an ask from before the last one says nothing. */
  #rests = 0;

  /** `path` null wakes nobody. */
  constructor(path: string | null) {
    this.#path = path;
  }

  rest(): void {
    this.#rests += 1;
    this.#archiver = 'rests';
  }

  ring(context: Context<AcceptorMessage>): void {
    if (this.#path === null || this.#archiver !== 'rests') return;
    const rest = this.#rests;
    this.#archiver = 'isAsked';
    void context.ask(context.ref<ArchiverMessage>(this.#path), { kind: 'wake' }, limits).then(
      () => {
        if (rest === this.#rests) this.#archiver = 'hasHeard';
      },
      () => {
        if (rest === this.#rests) this.#archiver = 'rests';
      },
    );
  }
}
