/**
 * ChangeShell: a shell around a change of members, as a control would be, with real acceptors and
 * proposers: every effect one ask, the document a variable. Dies when told to.
 */
import { Failure } from '../../src/base/failure.ts';
import {
  refused,
  type ChangeDecision,
  type ChangeEffect,
  type ChangeEvent,
  type ChangeOutcome,
  type Membership,
} from '../../src/consensus/change-state.ts';
import { stepChange } from '../../src/consensus/change.ts';
import { mayBegin, type Configuration } from '../../src/consensus/membership.ts';
import { type TimelineIdentity } from '../../src/consensus/identity.ts';
import { type ElectResult, type ProposerMessage } from '../../src/actors/proposer/protocol.ts';
import { limits, TestAcceptor, type QuorumHost } from './quorum-host.ts';

export interface ProjectDocument {
  membership: Membership;
}

export interface ChangeShellOptions {
  readonly host: QuorumHost;
  readonly document: ProjectDocument;
  readonly identity: TimelineIdentity;
  /** Path of the compute's proposer; null when none is wanted. */
  readonly computeProposer: string | null;
}

/** Its own proposer, which must have been spawned. */
export const ownProposer = 'proposer/change';

export class ChangeShell {
  readonly #options: ChangeShellOptions;
  readonly #events: ChangeEvent[] = [];
  #wake: () => void = () => undefined;

  constructor(options: ChangeShellOptions) {
    this.#options = options;
  }

  /** Something happens that nobody asked for. */
  event(event: ChangeEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  /** Drives the change to its end; or dies, before that effect or event: then null. */
  async run(
    first: ChangeDecision,
    dies: (at: string) => boolean = () => false,
  ): Promise<ChangeOutcome | null> {
    let decision = first;
    for (;;) {
      const { phase } = decision.state;
      for (const effect of decision.effects) {
        if (effect.kind === 'ended') return effect.outcome;
        if (dies(`${effect.kind} when ${phase}`)) return null;
        void this.#perform(effect).then((event) => {
          if (event !== null) this.event(event);
        });
      }
      const event = await this.#nextEvent();
      if (dies(`${event.kind} when ${phase}`)) return null;
      decision = stepChange(decision.state, event);
    }
  }

  async #nextEvent(): Promise<ChangeEvent> {
    while (this.#events.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#events.shift()!;
  }

  async #perform(effect: ChangeEffect): Promise<ChangeEvent | null> {
    const { host, document } = this.#options;
    switch (effect.kind) {
      case 'makeMember': {
        const { id, from } = effect;
        return this.#make(id, from);
      }
      case 'swap': {
        const { from, to } = effect;
        const found = JSON.stringify(document.membership);
        if (found === JSON.stringify(from)) document.membership = to;
        else if (found !== JSON.stringify(to)) return { kind: 'overtaken' };
        return { kind: 'swapped', to };
      }
      case 'configure': {
        const { to: id, configuration, term } = effect;
        return attempt(
          new TestAcceptor(host, id).configure(configuration, term),
          (result) => ({ kind: 'configured', result }),
          (failure) => refused(id, failure),
        );
      }
      case 'carry':
        return this.#carry(effect.configuration);
      case 'elect':
        return attempt<ElectResult>(
          this.#ask(ownProposer, this.#election(effect.configuration)) as Promise<ElectResult>,
          () => ({ kind: 'elected' }),
          () => ({ kind: 'notElected' }),
        );
      case 'release':
        return attempt(
          this.#ask(ownProposer, { kind: 'release', timeout_ms: 5_000 }),
          () => null,
          () => null, // the one of a driver that died has released it, or the test is over
        );
      case 'leave': {
        const { id, configuration } = effect;
        return attempt(
          new TestAcceptor(host, id).leave(configuration),
          () => ({ kind: 'left', id }),
          ({ code }) => ({ kind: code === 'actor_missing' ? 'left' : 'notLeft', id }),
        );
      }
      case 'wait':
        await new Promise((resolve) => setImmediate(resolve));
        return { kind: 'waited' };
      case 'ended':
        return null; // the loop has ended
    }
  }

  /** What the joiner's host does: it looks into the document before it lets a log begin. */
  async #make(id: string, from: string): Promise<ChangeEvent | null> {
    const { host, document } = this.#options;
    const made = new TestAcceptor(host, from).describeLog().then(async (log) => {
      const newborn = mayBegin(document.membership.configuration, id);
      const joiner = new TestAcceptor(host, id);
      await joiner.stop();
      await joiner.start({ acceptor: id, newborn });
      await joiner.join(log);
    });
    return attempt(
      made,
      () => ({ kind: 'made', id }),
      () => ({ kind: 'notMade', id }),
    );
  }

  async #carry(configuration: Configuration): Promise<ChangeEvent | null> {
    const { computeProposer } = this.#options;
    if (computeProposer === null) return { kind: 'carrierAbsent' };
    return attempt(
      this.#ask(computeProposer, { kind: 'reconfigure', configuration }),
      () => ({ kind: 'carrierLeads' }),
      ({ code }) => ({ kind: code === 'proposer_not_leading' ? 'carrierAbsent' : 'carrierSilent' }),
    );
  }

  #election(configuration: Configuration): ProposerMessage {
    const { identity } = this.#options;
    const alone = { owner: null, run: 0, timeout_ms: 5_000 };
    return { kind: 'elect', identity, configuration, ...alone };
  }

  #ask(path: string, message: ProposerMessage): Promise<unknown> {
    const { runtime } = this.#options.host;
    return runtime.ask(runtime.ref<ProposerMessage>(path), message, limits);
  }
}

/** The event an answer or a refusal stands for. */
async function attempt<T>(
  asked: Promise<T>,
  onResult: (result: T) => ChangeEvent | null,
  onRefusal: (failure: Failure) => ChangeEvent | null,
): Promise<ChangeEvent | null> {
  try {
    return onResult(await asked);
  } catch (failure) {
    if (failure instanceof Failure) return onRefusal(failure);
    throw failure;
  }
}
