/**
 * AcceptorLinks: a proposer's conversations with its acceptors. Every answer comes back to the
 * proposer as a message, so that it handles one thing at a time and may have many under way.
 *
 * Contacts with an acceptor are numbered: when one failed, what is still under way is void.
 */
import { Failure, failureToData, type FailureData } from '../../base/failure.ts';
import { lsnZero, type Lsn } from '../../base/lsn.ts';
import { type AcceptorId, type Configuration } from '../../consensus/membership.ts';
import { type Append, type Elected } from '../../consensus/messages.ts';
import { type Term } from '../../consensus/term.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { type AcceptorMessage } from '../acceptor/protocol.ts';
import { type ProposerMessage, type ProposerOptions } from './protocol.ts';

const relayBytesMax = 1_048_576;

interface Link {
  readonly ref: ActorRef<AcceptorMessage>;
  attempt: number;
}

export class AcceptorLinks {
  readonly #context: Context<ProposerMessage>;
  readonly #timeout_ms: number;
  readonly #links = new Map<AcceptorId, Link>();

  constructor(context: Context<ProposerMessage>, options: ProposerOptions) {
    this.#context = context;
    this.#timeout_ms = options.answerTimeout_ms;
    for (const { id, path } of options.acceptors)
      this.#links.set(id, { ref: context.ref(path), attempt: 0 });
  }

  has(id: AcceptorId): boolean {
    return this.#links.has(id);
  }

  /** Whether an answer belongs to the present contact with the acceptor. */
  isCurrent(id: AcceptorId, attempt: number): boolean {
    return this.#link(id).attempt === attempt;
  }

  attempt(id: AcceptorId): number {
    return this.#link(id).attempt;
  }

  /** Makes everything under way with the acceptor void. */
  renew(id: AcceptorId): void {
    this.#link(id).attempt += 1;
  }

  renewAll(): void {
    for (const link of this.#links.values()) link.attempt += 1;
  }

  greet(id: AcceptorId, configuration: Configuration): void {
    const { ref, attempt } = this.#link(id);
    this.#deliver(
      id,
      this.#context.ask(ref, { kind: 'greet', configuration }, this.#limits),
      (result) => ({
        kind: 'greetAnswered',
        attempt,
        result,
      }),
    );
  }

  vote(id: AcceptorId, generation: number, term: Term): void {
    const { ref, attempt } = this.#link(id);
    this.#deliver(
      id,
      this.#context.ask(ref, { kind: 'vote', generation, term }, this.#limits),
      (result) => ({
        kind: 'voteAnswered',
        attempt,
        result,
      }),
    );
  }

  install(id: AcceptorId, elected: Elected): void {
    const { ref, attempt } = this.#link(id);
    this.#deliver(
      id,
      this.#context.ask(ref, { kind: 'installTerm', ...elected }, this.#limits),
      (result) => ({
        kind: 'installAnswered',
        attempt,
        result,
      }),
    );
  }

  append(id: AcceptorId, append: Append): void {
    const { ref, attempt } = this.#link(id);
    const end = append.bytes.length === 0 ? lsnZero : ((append.begin + append.bytes.length) as Lsn);
    this.#deliver(
      id,
      this.#context.ask(ref, { kind: 'appendWal', ...append }, this.#limits),
      (result) => ({
        kind: 'appendAnswered',
        attempt,
        result,
        end,
      }),
    );
  }

  /** Fetches WAL that `to` lacks. When that fails, it is `to` that is contacted anew. */
  relay(from: AcceptorId, to: AcceptorId, begin: Lsn, term: Term): void {
    const { attempt } = this.#link(to);
    const read = {
      kind: 'readWal',
      from: begin,
      bytesMax: relayBytesMax,
      reader: null,
      term,
    } as const;
    this.#deliver(to, this.#context.ask(this.#link(from).ref, read, this.#limits), ({ bytes }) => ({
      kind: 'relayAnswered',
      attempt,
      to,
      begin,
      bytes,
    }));
  }

  get #limits(): { readonly timeout_ms: number } {
    return { timeout_ms: this.#timeout_ms };
  }

  #deliver<T>(
    acceptor: AcceptorId,
    asked: Promise<T>,
    onResult: (result: T) => ProposerMessage,
  ): void {
    const { attempt } = this.#link(acceptor);
    const context = this.#context;
    void asked.then(
      (result) => {
        context.tell(context.self, onResult(result));
      },
      (error: unknown) => {
        const failure = failureData(error);
        context.tell(context.self, { kind: 'memberFailed', acceptor, attempt, failure });
      },
    );
  }

  #link(id: AcceptorId): Link {
    const link = this.#links.get(id);
    if (link === undefined) throw new Failure('acceptor_unknown', { acceptor: id });
    return link;
  }
}

/** What went wrong, as data; an error that is no failure is a bug of the one asked. */
export function failureData(error: unknown): FailureData {
  if (error instanceof Failure) return failureToData(error);
  return failureToData(new Failure('acceptor_unknown', { error: String(error) }, error));
}
