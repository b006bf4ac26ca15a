/**
 * AcceptorLinks: a proposer's conversations with its acceptors. Every answer comes back to the
 * proposer as a message, so that it handles one thing at a time and may have many under way.
 *
 * Whatever comes back names the contact that it was asked in: the core tells whether that is past.
 */
import { Failure, failureToData, type FailureData } from '../../base/failure.ts';
import { lsn, lsnZero } from '../../base/lsn.ts';
import { hostOf, type AcceptorId } from '../../consensus/membership.ts';
import { type Append, type Elected, type Greeting } from '../../consensus/messages.ts';
import { type Relay } from '../../consensus/proposer-state.ts';
import { type Term } from '../../consensus/term.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { type AcceptorMessage } from '../acceptor/protocol.ts';
import { type ProposerMessage, type ProposerOptions } from './protocol.ts';

/** Whom to ask, and the contact that it belongs to. */
export interface Address {
  readonly to: AcceptorId;
  readonly contact: number;
}

const relayBytesMax = 1_048_576;

export class AcceptorLinks {
  readonly #context: Context<ProposerMessage>;
  readonly #limits: { readonly timeout_ms: number };
  readonly #path: string;
  readonly #refs = new Map<AcceptorId, ActorRef<AcceptorMessage>>();

  constructor(context: Context<ProposerMessage>, options: ProposerOptions) {
    this.#context = context;
    this.#limits = { timeout_ms: options.answerTimeout_ms };
    this.#path = options.acceptorPath;
  }

  greet(address: Address, greeting: Greeting): void {
    const { contact } = address;
    const asked = this.#context.ask(
      this.#ref(address.to),
      { kind: 'greet', ...greeting },
      this.#limits,
    );
    this.#deliver(address, asked, (result) => ({ kind: 'greetAnswered', contact, result }));
  }

  vote(address: Address, generation: number, term: Term): void {
    const { contact } = address;
    const asked = this.#context.ask(
      this.#ref(address.to),
      { kind: 'vote', generation, term },
      this.#limits,
    );
    this.#deliver(address, asked, (result) => ({ kind: 'voteAnswered', contact, result }));
  }

  install(address: Address, elected: Elected): void {
    const { contact } = address;
    const asked = this.#context.ask(
      this.#ref(address.to),
      { kind: 'installTerm', ...elected },
      this.#limits,
    );
    this.#deliver(address, asked, (result) => ({ kind: 'installAnswered', contact, result }));
  }

  append(address: Address, append: Append): void {
    const { contact } = address;
    const end = append.bytes.length === 0 ? lsnZero : lsn(append.begin + append.bytes.length);
    const asked = this.#context.ask(
      this.#ref(address.to),
      { kind: 'appendWal', ...append },
      this.#limits,
    );
    this.#deliver(address, asked, (result) => ({ kind: 'appendAnswered', contact, result, end }));
  }

  /** Fetches WAL that `relay.to` lacks from `relay.from`. */
  relay(relay: Relay, term: Term): void {
    const context = this.#context;
    const read = {
      kind: 'readWal',
      from: relay.begin,
      bytesMax: relayBytesMax,
      reader: null,
      term,
    } as const;
    void context.ask(this.#ref(relay.from), { ...read, term }, this.#limits).then(
      ({ bytes }) => {
        context.tell(context.self, { kind: 'relayAnswered', relay, bytes });
      },
      (error: unknown) => {
        const failure = failureData(error);
        context.tell(context.self, { kind: 'relayFailed', relay, failure });
      },
    );
  }

  #deliver<T>(
    { to: acceptor, contact }: Address,
    asked: Promise<T>,
    onResult: (result: T) => ProposerMessage,
  ): void {
    const context = this.#context;
    void asked.then(
      (result) => {
        context.tell(context.self, onResult(result));
      },
      (error: unknown) => {
        const failure = failureData(error);
        context.tell(context.self, { kind: 'memberFailed', acceptor, contact, failure });
      },
    );
  }

  #ref(id: AcceptorId): ActorRef<AcceptorMessage> {
    const known = this.#refs.get(id);
    if (known !== undefined) return known;
    const path = this.#path.replaceAll('{host}', hostOf(id)).replaceAll('{member}', id);
    const ref = this.#context.ref<AcceptorMessage>(path);
    this.#refs.set(id, ref);
    return ref;
  }
}

/** What went wrong, as data; an error that is no failure is a bug of the one asked. */
export function failureData(error: unknown): FailureData {
  if (error instanceof Failure) return failureToData(error);
  return failureToData(new Failure('internal_error', { error: String(error) }, error));
}
